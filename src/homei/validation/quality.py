"""The content of quality.json: records by result, reason, file and column, and what deserves a look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from homei.config.city import CANONICAL
from homei.config.columns import Column
from homei.config.feeds import TABLES, Feed, Source
from homei.validation.contracts import Validated, limits
from homei.validation.parsing import ROUNDED
from homei.validation.place_checks import ValidatedPlaces
from homei.validation.repeats import REPLACED

REPORTS = Path("reports/quality")
MANY_LOST_CELLS = 0.05  # of a column
EXAMPLE_TEXTS = 20  # different texts for a missing value that are listed


def summary(
    raw: Mapping[str, pd.DataFrame],
    validated: Mapping[str, Validated],
    places: ValidatedPlaces,
    source: Source,
    max_rejected_share: float,
) -> dict[str, Any]:
    """The content of quality.json; shares are fractions, and its upper part is about sales."""
    sales, rows = validated["sales"], len(raw["sales"])
    tables = [counts for table in TABLES for counts in by_feed(table, raw, validated, source, max_rejected_share)]
    kinds = [_of_kind(counts, max_rejected_share) for counts in places.counts]
    rejected, aside = sales.breaches["row"].nunique(), sales.asides["row"].nunique()
    by_file = raw["sales"].groupby("source_file").size()
    rejected_files = raw["sales"]["source_file"].iloc[sales.breaches["row"].unique()]
    rejected_by_file = rejected_files.value_counts().reindex(by_file.index, fill_value=0)
    present = {name: int(raw["sales"][name].notna().sum()) if name in raw["sales"] else 0 for name in _columns(source)}
    return {
        "rows": rows,
        "valid": len(sales.valid),
        "rejected": rejected,
        "set_aside": aside,
        "share": _share(rejected, rows - aside),
        "limit": max(counts["limit"] for counts in tables if counts["table"] == "sales"),
        "ok": len(sales.valid) > 0 and all(counts["ok"] for counts in [*tables, *kinds]),
        "reasons": _by_kind(sales.breaches, rows - aside),
        "set_aside_reasons": _by_kind(sales.asides, rows),
        "freshness": _freshness(sales.valid, source),
        "files": [
            {"file": file, "rows": int(total), "rejected": int(rejected_by_file[file])}
            for file, total in by_file.items()
        ],
        "columns": [{"column": name, "present": _share(count, rows)} for name, count in present.items()],
        "limits": limits(source),
        "cells": [{"table": table, **counts} for table in TABLES for counts in _lost_cells(validated[table])],
        "missing_texts": [counts for table in TABLES for counts in _missing_texts(table, raw[table], source)],
        "tables": tables,
        "places": kinds,
        "warnings": [*_warnings(validated, tables, source)],
    }


def by_feed(
    table: str,
    raw: Mapping[str, pd.DataFrame],
    validated: Mapping[str, Validated],
    source: Source,
    max_rejected_share: float,
) -> Iterator[dict[str, Any]]:
    """Received, rejected and set-aside records of each feed, and whether its limit holds."""
    feeds = raw[table]["source_feed"]
    rejected, aside = (
        feeds.iloc[reasons["row"].unique()].value_counts()
        for reasons in (validated[table].breaches, validated[table].asides)
    )
    received = feeds.value_counts()
    asides = validated[table].asides
    replaced = feeds.iloc[asides.loc[asides["kind"] == REPLACED, "row"]].value_counts()
    for feed in source.of(table):
        n_rows, n_rejected, n_aside = (int(counts.get(feed.name, 0)) for counts in (received, rejected, aside))
        limit = max_rejected_share if feed.max_rejected_share is None else feed.max_rejected_share
        share, n_replaced = _share(n_rejected, n_rows - n_aside), int(replaced.get(feed.name, 0))
        yield {
            "table": table, "feed": feed.name, "rows": n_rows, "rejected": n_rejected, "set_aside": n_aside,
            "replaced": n_replaced, "share": share, "limit": limit,
            "ok": share <= limit and _share(n_replaced, n_rows) <= limit,
        }  # fmt: skip


def _of_kind(counts: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """The counts of a kind of places with the rejected share, and whether it is within the limit."""
    share = _share(counts["rejected"], counts["rows"])
    return {**counts, "share": share, "ok": share <= limit}


def _by_kind(reasons: pd.DataFrame, rows: int) -> list[dict[str, Any]]:
    counts = reasons.groupby("kind")["row"].nunique().reset_index(name="rows")
    counts = counts.sort_values(["rows", "kind"], ascending=[False, True])
    return [{"reason": kind, "rows": int(count), "share": _share(count, rows)} for kind, count in counts.to_numpy()]


def _lost_cells(validated: Validated) -> list[dict[str, Any]]:
    """The numbers of cells of valid records that were lost, by column and reason."""
    counts = validated.cells.groupby(["column", "kind"], sort=True)["row"].nunique()
    return [
        {"column": column, "reason": kind.removeprefix(f"{column}: "), "rows": int(count)}
        for (column, kind), count in counts.items()
    ]


def _missing_texts(table: str, raw: pd.DataFrame, source: Source) -> list[dict[str, Any]]:
    """The numbers of cells with a text that stands for a missing value, by column and text."""
    counts: dict[tuple[str, str], int] = {}
    for feed in source.of(table):
        cells = raw[raw["source_feed"] == feed.name]
        for name, column in feed.columns.items():
            if not (missing := _missing(feed, column)):
                continue
            texts = cells[name].str.strip()
            for text, count in texts[texts.str.lower().isin(missing)].value_counts().items():
                counts[name, text] = counts.get((name, text), 0) + int(count)
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:EXAMPLE_TEXTS]
    return [{"table": table, "column": name, "text": text, "rows": rows} for (name, text), rows in most]


def _missing(feed: Feed, column: Column) -> list[str]:
    return [text.strip().lower() for text in (feed.missing if column.missing is None else column.missing) if text]


def _freshness(sales: pd.DataFrame, source: Source) -> dict[str, Any] | None:
    """The date of the last sale and the months from it to `as_of`; None without sales."""
    if sales.empty:
        return None
    last, as_of = pd.Timestamp(sales["sale_date"].max()), source.city.as_of
    return {"last_sale": f"{last:%Y-%m-%d}", "months": (as_of.year - last.year) * 12 + as_of.month - last.month}


def _warnings(
    validated: Mapping[str, Validated], tables: list[dict[str, Any]], source: Source
) -> Iterator[dict[str, Any]]:
    """What is not wrong but may be a mistake, each with `table`, `about` and `message`."""
    for counts in tables:
        if not counts["rows"]:
            message = f"feed {counts['feed']} has no records: check its address or that its files have rows"
            yield _warning(counts["table"], counts["feed"], message)
    for table in TABLES:
        for lost in _lost_cells(validated[table]):
            n_cells = lost["rows"] + int(validated[table].valid[lost["column"]].notna().sum())
            if lost["reason"] == ROUNDED:
                message = f"{lost['rows']:,} identifiers are rounded by a spreadsheet (1.4082E+13) and count as unknown"
                yield _warning(table, lost["column"], f"{message}: export the column as text")
            elif lost["rows"] > MANY_LOST_CELLS * n_cells:
                message = f"{lost['rows']:,} of {n_cells:,} cells are lost ({lost['reason']})"
                yield _warning(table, lost["column"], f"{message}: correct the column's mapping, notation or range")
    yield from _uninformative_columns(validated["sales"], source)
    yield from _shared_prices(validated["sales"].valid, source)
    for limit in limits(source):
        kind = f"{limit['column']}: outside (0, {limit['high']}]"
        rows = (validated["sales"].breaches["kind"] == kind).sum() + (validated["sales"].cells["kind"] == kind).sum()
        if rows and not limit["is_declared"]:
            message = f"{rows:,} sales are outside the default range (0, {limit['high']:,}]"
            yield _warning("sales", limit["column"], f"{message}: declare contract.ranges.{limit['column']}")


def _uninformative_columns(sales: Validated, source: Source) -> Iterator[dict[str, Any]]:
    """The mapped columns of sales that are empty, or have one value only."""
    for name in dict.fromkeys(name for feed in source.feeds.sales for name in feed.columns):
        values, has_lost_cells = sales.valid[name].dropna(), (sales.cells["column"] == name).any()
        if len(sales.valid) and not len(values) and not has_lost_cells:
            yield _warning("sales", name, "no sale has a value: remove the column or correct its mapping")
        elif len(values) > 1 and values.nunique() == 1 and len(values) == len(sales.valid):
            value = values.iloc[0]
            text = f"{value:g}" if isinstance(value, float) else value
            yield _warning("sales", name, f"all sales have the same value, {text}")


def _shared_prices(sales: pd.DataFrame, source: Source) -> Iterator[dict[str, Any]]:
    """Sales that may be parts of one deed, whose price is for all of them."""
    for feed in source.feeds.sales:
        if feed.deed is not None or "address" not in feed.columns:
            continue
        rows = sales[(sales["source_feed"] == feed.name) & sales["address"].notna() & sales["square_meters"].notna()]
        n_areas = rows.groupby(["sale_date", "price", "address"])["square_meters"].transform("nunique")
        if count := int((n_areas > 1).sum()):
            message = f"{count:,} rows share date, price and address with another of different area"
            remedy = "if a deed's price is for all its rows, declare the column of its number as the feed's deed"
            yield _warning("sales", feed.name, f"{message}: {remedy}")


def _warning(table: str, about: str, message: str) -> dict[str, str]:
    return {"table": table, "about": about, "message": message}


def _columns(source: Source) -> list[str]:
    return [*CANONICAL, *source.city.attributes.names]


def _share(part: int, whole: int) -> float:
    return round(float(part) / whole, 6) if whole else 0.0
