"""data_quality: completeness, validity, uniqueness and freshness of each feed's records by month."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from homei.config.feeds import TABLES, Source
from homei.curated.config import QualityThresholds
from homei.curated.sql_views import run_view

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_DECLARED = "table_name string, feed string, column_name string, is_required boolean"


def data_quality(
    raw: Mapping[str, DataFrame],
    valid: Mapping[str, DataFrame],
    quarantine: DataFrame,
    source: Source,
    thresholds: QualityThresholds,
) -> DataFrame:
    """One row per table, feed, month and column, `*` for the whole record; `raw` and `valid` are by table.

    Rejected rows belong to a month only if their date is written year first; otherwise the month is null.
    """
    engine = quarantine.sparkSession
    declared = engine.createDataFrame(declared_columns(source), _DECLARED)
    tables = {f"raw_{name}": raw[name] for name in TABLES}
    tables |= {f"valid_{name}": _with_present(valid[name]) for name in TABLES}
    tables |= {"quarantine": quarantine, "declared": declared}
    return run_view("data_quality", tables, {"as_of": source.city.as_of, **thresholds.model_dump()})


def _with_present(valid: DataFrame) -> DataFrame:
    """Adds `present`: the names of the columns in which a record has a value."""
    from pyspark.sql import functions as F  # noqa: N812

    names = (F.when(F.col(name).isNotNull(), F.lit(name)) for name in valid.columns)
    return valid.withColumn("present", F.array_compact(F.array(*names)))


def declared_columns(source: Source) -> list[tuple[str, str, str, bool]]:
    """Table, feed and name of each column that a feed maps, and whether it is required."""
    return [
        (table, feed.name, name, name in source.required(table))
        for table in TABLES
        for feed in source.of(table)
        for name in feed.columns
    ]
