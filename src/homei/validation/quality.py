"""The content of quality.json: records by result, reason, file and column, and what deserves a look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from homei.config.city import CANONICAL
from homei.config.columns import Column
from homei.config.feeds import TABLES, Source
from homei.validation.contracts import limits
from homei.validation.parsing import ROUNDED
from homei.validation.repeats import OTHER_AREA
from homei.validation.tally import Tally, Values

REPORTS = Path("reports/quality")
MANY_LOST_CELLS = 0.05  # of a column
MANY_STATED_ROWS = 0.02  # of a feed without ids
EXAMPLE_TEXTS = 20  # different texts for a missing value that are listed


def summary(
    tallies: Mapping[str, Tally],
    places: list[dict[str, Any]],
    shared_prices: Mapping[str, int],
    source: Source,
    max_rejected_share: float,
) -> dict[str, Any]:
    """The content of quality.json; shares are fractions, and its upper part is about sales.

    `places` are the counts by kind, and `shared_prices` those of `shared_prices`.
    """
    sales = tallies["sales"]
    rows, rejected, aside = sales.rows.total(), sales.rejected.total(), sales.set_aside.total()
    tables = [counts for table in TABLES for counts in by_feed(table, tallies[table], source, max_rejected_share)]
    kinds = [_of_kind(counts, max_rejected_share) for counts in places]
    reasons: Counter[str] = Counter()
    for (_, kind), count in sales.reasons.items():
        reasons[kind] += count
    return {
        "rows": rows,
        "valid": sales.n_valid,
        "rejected": rejected,
        "set_aside": aside,
        "share": _share(rejected, rows - aside),
        "limit": max(counts["limit"] for counts in tables if counts["table"] == "sales"),
        "ok": sales.n_valid > 0 and all(counts["ok"] for counts in [*tables, *kinds]),
        "reasons": _by_kind(reasons, rows - aside),
        "set_aside_reasons": _by_kind(sales.set_aside_reasons, rows),
        "freshness": _freshness(sales, source),
        "files": [
            {"file": file, "rows": sales.files[file], "rejected": sales.rejected_files[file]}
            for file in sorted(sales.files)
        ],
        "columns": [{"column": name, "present": _share(sales.present[name], rows)} for name in _columns(source)],
        "limits": limits(source),
        "cells": [{"table": table, **counts} for table in TABLES for counts in _lost_cells(tallies[table])],
        "missing_texts": [counts for table in TABLES for counts in _missing_texts(table, tallies[table])],
        "tables": tables,
        "places": kinds,
        "warnings": [*_warnings(tallies, tables, shared_prices, source)],
    }


def by_feed(table: str, tally: Tally, source: Source, max_rejected_share: float) -> Iterator[dict[str, Any]]:
    """Received, rejected and set-aside records of each feed, and whether its limit holds."""
    for feed in source.of(table):
        n_rows, n_rejected, n_aside = (counts[feed.name] for counts in (tally.rows, tally.rejected, tally.set_aside))
        limit = max_rejected_share if feed.max_rejected_share is None else feed.max_rejected_share
        share, n_replaced = _share(n_rejected, n_rows - n_aside), tally.replaced[feed.name]
        yield {
            "table": table, "feed": feed.name, "rows": n_rows, "rejected": n_rejected, "set_aside": n_aside,
            "replaced": n_replaced, "stated": tally.stated[feed.name], "share": share, "limit": limit,
            "ok": share <= limit and _share(n_replaced, n_rows) <= limit,
        }  # fmt: skip


def shared_prices(sales: pd.DataFrame, source: Source) -> dict[str, int]:
    """By feed the number of sales that may be parts of one deed, whose price is for all of them."""
    counts = {}
    for name in feeds_with_addresses(source):
        rows = sales[(sales["source_feed"] == name) & sales["address"].notna() & sales["square_meters"].notna()]
        n_areas = rows.groupby(["sale_date", "price", "address"])["square_meters"].transform("nunique")
        counts[name] = int((n_areas > 1).sum())
    return counts


def feeds_with_addresses(source: Source) -> list[str]:
    """The feeds of sales that have addresses and no declared number of a deed."""
    return [feed.name for feed in source.feeds.sales if feed.deed is None and "address" in feed.columns]


def _of_kind(counts: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """The counts of a kind of places with the rejected share, and whether it is within the limit."""
    share = _share(counts["rejected"], counts["rows"])
    return {**counts, "share": share, "ok": share <= limit}


def _by_kind(counts: Mapping[str, int], rows: int) -> list[dict[str, Any]]:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"reason": kind, "rows": count, "share": _share(count, rows)} for kind, count in most]


def _lost_cells(tally: Tally) -> list[dict[str, Any]]:
    """The numbers of cells of valid records that were lost, by column and reason."""
    return [
        {"column": column, "reason": kind.removeprefix(f"{column}: "), "rows": count}
        for (column, kind), count in sorted(tally.cells.items())
    ]


def _missing_texts(table: str, tally: Tally) -> list[dict[str, Any]]:
    """The most frequent texts that stand for a missing value, by column."""
    most = sorted(tally.missing_texts.items(), key=lambda item: (-item[1], item[0]))[:EXAMPLE_TEXTS]
    return [{"table": table, "column": name, "text": text, "rows": rows} for (name, text), rows in most]


def _freshness(sales: Tally, source: Source) -> dict[str, Any] | None:
    """The date of the last sale and the months from it to `as_of`; None without sales."""
    if sales.last_sale is None:
        return None
    last, as_of = sales.last_sale, source.city.as_of
    return {"last_sale": f"{last:%Y-%m-%d}", "months": (as_of.year - last.year) * 12 + as_of.month - last.month}


def _warnings(
    tallies: Mapping[str, Tally], tables: list[dict[str, Any]], shared_prices: Mapping[str, int], source: Source
) -> Iterator[dict[str, Any]]:
    """What is not wrong but may be a mistake, each with `table`, `about` and `message`."""
    for counts in tables:
        if not counts["rows"]:
            message = f"feed {counts['feed']} has no records: check its address or that its files have rows"
            yield _warning(counts["table"], counts["feed"], message)
    for table in TABLES:
        for lost in _lost_cells(tallies[table]):
            n_cells = lost["rows"] + tallies[table].values[lost["column"]].count
            if lost["reason"] == ROUNDED:
                message = f"{lost['rows']:,} identifiers are rounded by a spreadsheet (1.4082E+13) and count as unknown"
                yield _warning(table, lost["column"], f"{message}: export the column as text")
            elif lost["rows"] > MANY_LOST_CELLS * n_cells:
                message = f"{lost['rows']:,} of {n_cells:,} cells are lost ({lost['reason']})"
                yield _warning(table, lost["column"], f"{message}: correct the column's mapping, notation or range")
    yield from _uninformative_columns(tallies["sales"], source)
    for name, count in shared_prices.items():
        if count:
            message = f"{count:,} rows share date, price and address with another of different area"
            remedy = "if a deed's price is for all its rows, declare the column of its number as the feed's deed"
            yield _warning("sales", name, f"{message}: {remedy}")
    yield from _equal_rows(tables, source)
    yield from _rows_with_other_areas(tallies["sales"].set_aside_reasons[OTHER_AREA], source)
    yield from _rows_outside_default_ranges(tallies["sales"], source)


def _rows_outside_default_ranges(sales: Tally, source: Source) -> Iterator[dict[str, Any]]:
    for limit in limits(source):
        kind = f"{limit['column']}: outside (0, {limit['high']}]"
        rows = sum(count for (_, of_kind), count in [*sales.reasons.items(), *sales.cells.items()] if of_kind == kind)
        if rows and not limit["is_declared"]:
            message = f"{rows:,} sales are outside the default range (0, {limit['high']:,}]"
            yield _warning("sales", limit["column"], f"{message}: declare contract.ranges.{limit['column']}")


def _uninformative_columns(sales: Tally, source: Source) -> Iterator[dict[str, Any]]:
    """The mapped columns of sales that are empty, or have one value only."""
    columns_with_lost_cells = {column for column, _ in sales.cells}
    for name in dict.fromkeys(name for feed in source.feeds.sales for name in feed.columns):
        values = sales.values.get(name, Values())
        if sales.n_valid and not values.count and name not in columns_with_lost_cells:
            yield _warning("sales", name, "no sale has a value: remove the column or correct its mapping")
        elif values.count > 1 and values.least == values.greatest and values.count == sales.n_valid:
            value = values.least
            text = f"{value:g}" if isinstance(value, float) else value
            yield _warning("sales", name, f"all sales have the same value, {text}")


def _rows_with_other_areas(n_rows: int, source: Source) -> Iterator[dict[str, Any]]:
    """Sales that may be deeds of several properties, of which the first one is kept at the price of all."""
    columns = [feed.columns.get("transaction_id", Column(constant="")).column for feed in source.feeds.sales]
    if n_rows:
        message = f"{n_rows:,} further rows of an id have another area: the price of their sale may be for all its rows"
        remedy = f"declare the feed's `deed: {next(filter(None, columns), 'COLUMN')}`, which sets such sales aside"
        yield _warning("sales", "transaction_id", f"{message}; {remedy}")


def _equal_rows(tables: list[dict[str, Any]], source: Source) -> Iterator[dict[str, Any]]:
    """Rows of feeds without ids that count as one sale, since they are equal in all mapped columns."""
    for feed in source.feeds.sales:
        if "transaction_id" in feed.columns:
            continue
        counts = next(each for each in tables if each["table"] == "sales" and each["feed"] == feed.name)
        if counts["stated"] > MANY_STATED_ROWS * counts["rows"]:
            message = (
                f"{counts['stated']:,} rows are equal to another one in all mapped columns and count as the same sale"
            )
            yield _warning(
                "sales", feed.name, f"{message}: map a column that identifies each sale, if they are several"
            )


def _warning(table: str, about: str, message: str) -> dict[str, str]:
    return {"table": table, "about": about, "message": message}


def _columns(source: Source) -> list[str]:
    return [*CANONICAL, *source.city.attributes.names]


def _share(part: int, whole: int) -> float:
    return round(float(part) / whole, 6) if whole else 0.0
