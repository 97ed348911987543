"""data_quality: how complete, valid, unique and fresh each feed's records are, month by month."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from homei.config import Thresholds
from homei.curated.sql_views import run_view
from homei.source import TABLES, Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_DECLARED = "table_name string, feed string, column_name string, is_required boolean"


def data_quality(
    raw: Mapping[str, DataFrame],
    valid: Mapping[str, DataFrame],
    quarantine: DataFrame,
    source: Source,
    thresholds: Thresholds,
) -> DataFrame:
    """One row a table, feed, month and column, `*` for the whole record; `raw` and `valid` are by table.

    Of what was rejected, only rows with a date that is written year first are of a month; the others' is null.
    """
    engine = quarantine.sparkSession
    declared = engine.createDataFrame(declared_columns(source), _DECLARED)
    tables = {f"raw_{name}": raw[name] for name in TABLES}
    tables |= {f"valid_{name}": _with_present(valid[name]) for name in TABLES}
    tables |= {"quarantine": quarantine, "declared": declared}
    return run_view("data_quality", tables, {"as_of": source.as_of, **thresholds.model_dump()})


def _with_present(valid: DataFrame) -> DataFrame:
    """Adds `present`: the names of the columns in which a record holds something."""
    from pyspark.sql import functions as F  # noqa: N812

    names = (F.when(F.col(name).isNotNull(), F.lit(name)) for name in valid.columns)
    return valid.withColumn("present", F.array_compact(F.array(*names)))


def declared_columns(source: Source) -> list[tuple[str, str, str, bool]]:
    """The table, feed and name of each column that a feed maps, and whether each of its records needs it."""
    return [
        (table, feed.name, name, name in source.required(table))
        for table in TABLES
        for feed in getattr(source, table)
        for name in feed.declared()
    ]
