"""Contracts: conditions that records must meet, as a pandera schema, and reasons to reject them."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa

from homei.config.city import DEFAULT_MAXIMUM
from homei.config.feeds import Feed, Source
from homei.validation.parsing import DATES, Parsed, types_of

# A year typed as 0201 would extend the price index over eighteen centuries.
EARLIEST = pd.Timestamp("1900-01-01")
RATIO = "price_per_square_meter"


class ContractError(ValueError):
    """A contract that names a column which the source does not have."""


def contract(source: Source, table: str = "sales") -> pa.DataFrameSchema:
    """The pandera schema of a table with ratio: required columns and ranges.

    The error of a check is the reason to reject a row. Raises ContractError for a required column that is not mapped,
    or a range of a column that is not a number.
    """
    numbers = [name for name, dtype in types_of(source, "sales").items() if dtype is np.float64]
    _check_names("contract.ranges", source.contract.ranges, [*numbers, RATIO])
    required = source.required(table)
    if table == "sales":
        _check_names("contract.required", required, _mapped(source))
    columns = {}
    for name, dtype in {**types_of(source, table), RATIO: np.float64}.items():
        checks = _date_checks(source, name) if dtype == "datetime64[s]" else _range_checks(source, name)
        columns[name] = pa.Column(dtype, checks, nullable=name not in required)
    return pa.DataFrameSchema(columns)


def with_ratio(parsed: pd.DataFrame) -> pd.DataFrame:
    """The typed columns with the price per square metre, NaN unless both are positive."""
    if not {"price", "square_meters"} <= {*parsed.columns}:
        return parsed.assign(**{RATIO: np.nan})
    are_positive = (parsed["price"] > 0) & (parsed["square_meters"] > 0)
    return parsed.assign(**{RATIO: (parsed["price"] / parsed["square_meters"]).where(are_positive)})


def breaches(raw: pd.DataFrame, parsed: Parsed, source: Source, table: str = "sales") -> pd.DataFrame:
    """All reasons to reject rows: `row` (its position), `kind` (to count by) and `reason` (with details).

    Kinds are, for example, "price: missing", "price: not a number", "price: outside [0, 10]", "duplicate", and
    "row: can't be read", which is a row's only reason. They are sorted by row, then in the order of columns.
    """
    schema = contract(source, table)
    unreadable = np.flatnonzero(raw["source_fault"].notna())
    by_cell = pd.concat([_unreadable_cells(parsed), _failed_checks(parsed, schema)], ignore_index=True)
    position = {name: number for number, name in enumerate(schema.columns)}
    by_cell["column"] = [position[kind.partition(":")[0]] for kind in by_cell["kind"]]
    by_cell = by_cell.sort_values(["row", "column"])
    rejected = {*unreadable, *by_cell["row"]}
    reasons = [
        _reasons(unreadable, "row: can't be read", raw["source_fault"].to_numpy()[unreadable]),
        by_cell[~by_cell["row"].isin(unreadable)].drop(columns="column"),
        duplicates(raw, source.of(table), rejected),
    ]
    return pd.concat(reasons, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)


def duplicates(raw: pd.DataFrame, feeds: Sequence[Feed], rejected: set[int]) -> pd.DataFrame:
    """The rows that repeat an earlier row of their feed, by id or, without ids, in every mapped column.

    A row in `rejected` does not count as the earlier one: of a sale entered wrongly and then correctly, the correct
    row stays.
    """
    rows, groups = np.arange(len(raw)), np.full(len(raw), -1)
    for feed in feeds:
        is_of_feed = (raw["source_feed"] == feed.name).to_numpy()
        # An indicator has one value a month; all other records have an id in their first column.
        ids = ["series", "month"] if "series" in raw.columns else [raw.columns[0]]
        key = ids if feed.columns.keys() >= {*ids} else [*feed.columns]
        cells = raw.loc[is_of_feed, key].apply(lambda column: column.str.strip())
        has_key = cells.notna().any(axis=1).to_numpy()
        numbers = cells.groupby(key, sort=False, dropna=False).ngroup().to_numpy() + groups.max(initial=-1) + 1
        groups[is_of_feed] = np.where(has_key, numbers, -1)
    has_group = groups >= 0
    is_valid = has_group & ~np.isin(rows, list(rejected))
    first = pd.Series(rows[is_valid]).groupby(groups[is_valid]).first().reindex(groups).to_numpy()
    repeated = rows[has_group & (rows > first)]
    originals = raw.iloc[first[repeated].astype(int)]
    files = raw["source_file"].to_numpy()[repeated]
    reasons = [
        f"duplicate: of line {line}" if original == file else f"duplicate: of line {line} in {original}"
        for line, original, file in zip(originals["source_line"], originals["source_file"], files, strict=True)
    ]
    return _reasons(repeated, "duplicate", reasons)


def _mapped(source: Source) -> list[str]:
    """The columns of sales, with the transaction ids that `ingest` generates where a feed maps none."""
    return ["transaction_id", *dict.fromkeys(name for feed in source.feeds.sales for name in feed.columns)]


def _check_names(key: str, names: Iterable[str], columns: Sequence[str]) -> None:
    for name in sorted(set(names) - set(columns)):
        nearest = difflib.get_close_matches(name, columns, n=1, cutoff=0.0)[0]
        raise ContractError(f"{key}: {name!r} is not a column of this source; did you mean {nearest!r}?")


def _range_checks(source: Source, name: str) -> list[pa.Check]:
    if name in source.contract.ranges:
        low, high = source.contract.ranges[name]
        return [pa.Check.in_range(low, high, error=f"{name}: outside [{_plain(low)}, {_plain(high)}]")]
    if name in DEFAULT_MAXIMUM:
        high = DEFAULT_MAXIMUM[name]
        return [pa.Check.in_range(0, high, include_min=False, error=f"{name}: outside (0, {_plain(high)}]")]
    return []


def _date_checks(source: Source, name: str) -> list[pa.Check]:
    return [
        pa.Check.le(pd.Timestamp(source.city.as_of), error=f"{name}: after {source.city.as_of}"),
        pa.Check.ge(EARLIEST, error=f"{name}: before {EARLIEST:%Y-%m-%d}"),
    ]


def _failed_checks(parsed: Parsed, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """The reasons from the schema; an unreadable cell is not also missing."""
    try:
        with warnings.catch_warnings():
            # pandera concatenates its failures in a way that pandas will change.
            warnings.simplefilter("ignore", FutureWarning)
            schema.validate(with_ratio(parsed.columns).reset_index(drop=True), lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return _reasons([], "", [])
    rows, is_missing = cases["index"].to_numpy(int), (cases["check"] == "not_nullable").to_numpy()
    cells = zip(cases["column"], rows, is_missing, strict=True)
    counts = [not (is_null and parsed.unreadable[name][row]) for name, row, is_null in cells]
    kind = cases["check"].mask(is_missing, cases["column"] + ": missing").to_numpy()
    return _reasons(rows[counts], kind[counts], kind[counts])


def _unreadable_cells(parsed: Parsed) -> pd.DataFrame:
    reasons = [_reasons([], "", [])]
    for name, is_unreadable in parsed.unreadable.items():
        if is_unreadable.any():
            kind = f"{name}: not a {'date' if name in DATES else 'number'}"
            reasons.append(_reasons(np.flatnonzero(is_unreadable), kind, kind))
    return pd.concat(reasons, ignore_index=True)


def _reasons(rows: Sequence[int], kind: object, reason: object) -> pd.DataFrame:
    frame = pd.DataFrame({"row": np.asarray(rows, dtype=np.int64)})
    return frame.assign(kind=kind, reason=reason).astype({"kind": object, "reason": object})


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)
