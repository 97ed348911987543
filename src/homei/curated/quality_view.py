"""data_quality: completeness, validity, uniqueness and freshness of each feed's records by month."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING

from homei.config.feeds import TABLES
from homei.curated.config import QualityThresholds
from homei.curated.sql_views import run_view

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def data_quality(
    raw: Mapping[str, DataFrame],
    valid: Mapping[str, DataFrame],
    quarantine: DataFrame,
    feed_columns: DataFrame,
    as_of: datetime.date,
    thresholds: QualityThresholds,
) -> DataFrame:
    """One row per table, feed, month and column, `*` for the whole record; `raw` and `valid` are by table.

    Rejected rows belong to a month only if their date is written year first; otherwise the month is null.
    """
    tables = {f"raw_{name}": raw[name] for name in TABLES}
    tables |= {f"valid_{name}": _with_present(valid[name]) for name in TABLES}
    tables |= {"quarantine": quarantine, "feed_columns": feed_columns}
    return run_view("data_quality", tables, {"as_of": as_of, **thresholds.model_dump()})


def _with_present(valid: DataFrame) -> DataFrame:
    """Adds `present`: the names of the columns in which a record has a value."""
    from pyspark.sql import functions as F  # noqa: N812

    names = (F.when(F.col(name).isNotNull(), F.lit(name)) for name in valid.columns)
    return valid.withColumn("present", F.array_compact(F.array(*names)))
