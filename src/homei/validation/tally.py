"""Counts of a table's records by feed, file, column and reason, which add up over its parts."""

from __future__ import annotations

import datetime
import functools
import operator
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from homei.config.columns import Column
from homei.config.feeds import Feed, Source
from homei.validation.contracts import Validated
from homei.validation.repeats import REPLACED, STATED


class Example(NamedTuple):
    """The first record of a kind of reason: its position in the table, its cell and where it is from."""

    row: int
    cell: str | None
    line: int
    file: str


class Values(NamedTuple):
    """The number of a column's values in valid records, and the least and the greatest of them."""

    count: int = 0
    least: Any = None
    greatest: Any = None

    def merged(self, other: Values) -> Values:
        if not (self.count and other.count):
            return self if self.count else other
        return Values(self.count + other.count, min(self.least, other.least), max(self.greatest, other.greatest))


@dataclass
class Tally:
    """The counts of one table, or of a part of it; `+` adds parts up."""

    rows: Counter[str] = field(default_factory=Counter)  # received, by feed
    rejected: Counter[str] = field(default_factory=Counter)  # by feed
    set_aside: Counter[str] = field(default_factory=Counter)  # by feed
    replaced: Counter[str] = field(default_factory=Counter)  # by feed
    stated: Counter[str] = field(default_factory=Counter)  # already, by feed
    files: Counter[str] = field(default_factory=Counter)  # received, by file
    rejected_files: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)  # raw cells that are not empty, by column
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)  # rejected records by feed and kind
    set_aside_reasons: Counter[str] = field(default_factory=Counter)
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)  # lost ones by column and kind
    missing_texts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by column and text
    examples: dict[tuple[str, str], Example] = field(default_factory=dict)  # by feed and kind
    values: dict[str, Values] = field(default_factory=dict)  # by column
    n_valid: int = 0
    last_sale: datetime.date | None = None

    def __add__(self, other: Tally) -> Tally:
        added = {
            item.name: getattr(self, item.name) + getattr(other, item.name)
            for item in fields(self)
            if item.name not in ("examples", "values", "last_sale")
        }
        examples = {
            key: min(tally.examples[key] for tally in (self, other) if key in tally.examples)
            for key in self.examples | other.examples
        }
        values = {
            name: self.values.get(name, Values()).merged(other.values.get(name, Values()))
            for name in self.values | other.values
        }
        days = [tally.last_sale for tally in (self, other) if tally.last_sale is not None]
        return Tally(**added, examples=examples, values=values, last_sale=max(days, default=None))


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of the tallies of a table's parts."""
    return functools.reduce(operator.add, tallies, Tally())


def tally_of(
    raw: pd.DataFrame, validated: Validated, source: Source, table: str, positions: np.ndarray | None = None
) -> Tally:
    """The counts of raw records and their validation.

    `positions` are those of the rows in the whole table.
    """
    feeds, files = raw["source_feed"], raw["source_file"]
    breaches, asides, valid = validated.breaches, validated.asides, validated.valid
    rejected, aside = breaches["row"].unique(), asides["row"].unique()
    kinds = breaches.assign(feed=feeds.iloc[breaches["row"]].to_numpy(dtype=object))
    return Tally(
        rows=_counts(feeds),
        rejected=_counts(feeds.iloc[rejected]),
        set_aside=_counts(feeds.iloc[aside]),
        replaced=_counts(feeds.iloc[asides.loc[asides["kind"] == REPLACED, "row"]]),
        stated=_counts(feeds.iloc[asides.loc[asides["kind"] == STATED, "row"]]),
        files=_counts(files),
        rejected_files=_counts(files.iloc[rejected]),
        present=Counter({name: int(raw[name].notna().sum()) for name in raw}),
        reasons=_different_rows(kinds, ["feed", "kind"]),
        set_aside_reasons=_different_rows(asides, "kind"),
        cells=_different_rows(validated.cells, ["column", "kind"]),
        missing_texts=_missing_texts(raw, source, table),
        examples=_examples(raw, kinds, np.arange(len(raw)) if positions is None else positions),
        values={name: _values(valid[name]) for name in source.columns(table) if name in valid},
        n_valid=len(valid),
        last_sale=valid["sale_date"].max() if table == "sales" and len(valid) else None,
    )


def _counts(values: pd.Series) -> Counter[str]:
    return Counter({value: int(count) for value, count in values.value_counts().items()})


def _different_rows(reasons: pd.DataFrame, by: str | list[str]) -> Counter[Any]:
    """The numbers of different rows by kind of reason."""
    return Counter({kind: int(count) for kind, count in reasons.groupby(by)["row"].nunique().items()})


def _examples(raw: pd.DataFrame, kinds: pd.DataFrame, positions: np.ndarray) -> dict[tuple[str, str], Example]:
    examples = {}
    for feed, kind, row in kinds.drop_duplicates(["feed", "kind"])[["feed", "kind", "row"]].itertuples(index=False):
        origin, column = raw.iloc[row], kind.partition(":")[0]
        cell = origin[column] if column in origin and isinstance(origin[column], str) else None
        examples[feed, kind] = Example(int(positions[row]), cell, int(origin["source_line"]), origin["source_file"])
    return examples


def _values(column: pd.Series) -> Values:
    present = column.dropna()
    return Values(len(present), present.min(), present.max()) if len(present) else Values()


def _missing_texts(raw: pd.DataFrame, source: Source, table: str) -> Counter[tuple[str, str]]:
    """The numbers of cells with a text that stands for a missing value, by column and text."""
    counts: Counter[tuple[str, str]] = Counter()
    for feed in source.of(table):
        cells = raw[(raw["source_feed"] == feed.name).to_numpy(bool)]
        for name, column in feed.columns.items():
            if not (missing := _missing(feed, column)):
                continue
            texts = cells[name].str.strip()
            for text, count in texts[texts.str.lower().isin(missing)].value_counts().items():
                counts[name, text] += int(count)
    return counts


def _missing(feed: Feed, column: Column) -> list[str]:
    return [text.strip().lower() for text in (feed.missing if column.missing is None else column.missing) if text]
