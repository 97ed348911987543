"""Notations of whole columns in Spark.

Spark selects the cells that may raise a question. They are judged as by a run in the workspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from homei.config.feeds import Source
from homei.validation.notations import (
    CELLS_TO_CHECK,
    GROUPED,
    check_amounts,
    check_dates,
    has_undeclared_point,
    mapped_columns,
)
from homei.validation.parsing import DATES

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

DAY = r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*$"  # a cell without a time of day


def check_notations_in_spark(raw: DataFrame, files: Sequence[tuple[str, str]], source: Source, table: str) -> None:
    """Raises NotationError for a column whose dates or amounts can be read in two ways, as `parse` does.

    One pass over the table finds the columns with cells that may raise the question; they are few.
    """
    from pyspark.sql import functions as F  # noqa: N812

    dates, amounts, counts = [], [], [F.lit(0)]
    for feed in source.of(table):
        is_of_feed = F.col("source_feed") == feed.name
        for name, column in mapped_columns(feed, table).items():
            if name in DATES and column.timezone is None:
                dates.append((feed, name, len(counts)))
                counts.append(F.count_if(is_of_feed & ~F.col(name).rlike(DAY)))
            if has_undeclared_point(name, feed, table):
                amounts.append((feed, name, len(counts)))
                counts.append(F.count_if(is_of_feed & F.col(name).contains(".")))
                counts.append(F.count_if(is_of_feed & F.col(name).contains(".") & ~F.col(name).rlike(GROUPED)))
    numbers = raw.agg(*(count.alias(f"c{position}") for position, count in enumerate(counts))).first()
    for feed, name, position in dates:
        if numbers[position]:
            check_dates(_first_different(raw, F.col("source_feed") == feed.name, name, files), name, feed, table)
    for feed, name, position in amounts:
        if numbers[position] and not numbers[position + 1]:
            cells = raw.filter((F.col("source_feed") == feed.name) & F.col(name).contains("."))
            n_different = cells.select(name).distinct().count()
            check_amounts(n_different, n_different, name, feed, table)


def _first_different(raw: DataFrame, is_of_feed: Expression, name: str, files: Sequence[tuple[str, str]]) -> list[str]:
    """The first different cells of a column, in the order of the raw table."""
    from pyspark.sql import functions as F  # noqa: N812

    order = [(*file, position) for position, file in enumerate(files)]
    positions = raw.sparkSession.createDataFrame(order, "source_feed string, source_file string, file int")
    rows = raw.filter(is_of_feed & F.col(name).isNotNull()).join(F.broadcast(positions), ["source_feed", "source_file"])
    first = rows.groupBy(name).agg(F.min(F.struct("file", "source_line")).alias("first"))
    return [row[0] for row in first.orderBy("first").limit(CELLS_TO_CHECK).select(name).collect()]
