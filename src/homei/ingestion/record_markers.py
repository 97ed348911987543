"""Markers of records: the deed of a sale, and why a row is excluded or deleted."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from homei.config.columns import Column
from homei.config.feeds import Feed
from homei.config.texts import normal_text
from homei.ingestion.connectors.sheet import Sheet
from homei.ingestion.mapping import exclusions

MARKERS = ("source_deed", "source_deleted", "source_excluded")


def marker_columns(feeds: Sequence[Feed], present: Iterable[str]) -> list[str]:
    """The columns for deeds, deleted and excluded rows that any of the feeds has, or that are `present`."""
    present = {name for feed in feeds for name in mapped_columns(feed)} | {*present}
    return [name for name in MARKERS if name in present]


def with_deletions(rows: pa.Table, table: str, days: pa.ChunkedArray) -> pa.Table:
    """Rows with marks of those that their source deleted on `days`.

    A listing that it deleted was closed then.
    """
    name, values = "source_deleted", pc.binary_join_element_wise("absent from the feed since", days, " ")
    if table == "listings":
        name, values = "closed_on", days
    if name not in rows.column_names:
        return rows.append_column(name, values)
    return rows.set_column(rows.schema.get_field_index(name), name, pc.coalesce(rows[name], values))


def mapped_columns(feed: Feed) -> dict[str, Column]:
    """The mapped columns of a feed, and its markers."""
    columns = dict(feed.columns)
    if feed.deed is not None:
        columns["source_deed"] = Column(column=feed.deed)
    if feed.deleted is not None:
        columns["source_deleted"] = Column(column=feed.deleted.column)
    return columns


def with_markers(rows: pa.Table, sheet: Sheet, feed: Feed) -> pa.Table:
    """Rows with the reasons why each is excluded or deleted; null for most."""
    if feed.include or feed.exclude:
        rows = rows.append_column("source_excluded", exclusions(sheet, feed))
    if feed.deleted is None:
        return rows
    cells = [None if cell is None else normal_text(cell) for cell in rows["source_deleted"].to_pylist()]
    marking = {*cells} if feed.deleted.values is None else {*feed.deleted.values}
    marks = [f"{feed.deleted.column} = {cell}" if cell and cell in marking else None for cell in cells]
    return rows.set_column(
        rows.schema.get_field_index("source_deleted"), "source_deleted", pa.array(marks, pa.string())
    )


def reasons_in(parts: Sequence[pa.Table]) -> set[str]:
    """The different reasons for which rows are excluded."""
    columns = [rows["source_excluded"] for rows in parts if "source_excluded" in rows.column_names]
    return {
        reason
        for column in columns
        for joined in column.unique().drop_null().to_pylist()
        for reason in joined.split("; ")
    }


def warn_of_unused_values(feed: Feed, used: set[str]) -> None:
    """Names the values under `exclude` that no row has: a misspelt one would exclude nothing."""
    for name, values in feed.exclude.items():
        if unused := [value for value in values if f"{name} = {value}" not in used]:
            print(f"homei: feed {feed.name}: exclude.{name}: no row has {', '.join(unused)}", file=sys.stderr)  # noqa: T201
