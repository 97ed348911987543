"""Contracts: conditions that records must meet, as a pandera schema, and reasons to reject them."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pandera.pandas as pa

from homei.config.city import default_maximum
from homei.config.feeds import Source
from homei.config.texts import normal_text
from homei.validation.parsing import Parsed, types_of

# A year typed as 0201 would extend the price index over eighteen centuries.
EARLIEST = pd.Timestamp("1900-01-01")
RATIO = "price_per_square_meter"


class Validated(NamedTuple):
    """Valid records, all others with their `reasons`, and the reasons one by one.

    `breaches` reject a row. `asides` set a row aside: it is excluded, or its source has replaced, deleted or already
    stated it. Both have `row`, `kind` and `reason`. `cells` are breaches in optional columns of valid rows, whose
    value counts as unknown.
    """

    valid: pd.DataFrame
    quarantined: pd.DataFrame
    breaches: pd.DataFrame
    asides: pd.DataFrame
    cells: pd.DataFrame


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
    """All breaches: `row` (position), `column`, `kind` (to count by), `reason` (details), `costs_row`.

    Kinds are, for example, "price: missing", "price: not a number", "price: outside [0, 10]", and "row: can't be read",
    which is a row's only reason. A breach of an optional column costs the cell and not the row. Breaches are sorted by
    row, then in the order of columns.
    """
    schema = contract(source, table)
    unreadable = np.flatnonzero(raw["source_fault"].notna())
    by_cell = pd.concat([_unreadable_cells(parsed), _failed_checks(raw, parsed, schema)], ignore_index=True)
    by_cell = by_cell[~by_cell["row"].isin(unreadable)]
    by_cell = by_cell.assign(column=[kind.partition(":")[0] for kind in by_cell["kind"]])
    by_cell["costs_row"] = _costs_row(by_cell, source.required(table))
    # Without its area, a row has no price per square metre that could be wrong.
    lost = by_cell.loc[~by_cell["costs_row"] & (by_cell["column"] == "square_meters"), "row"]
    by_cell = by_cell[~((by_cell["column"] == RATIO) & by_cell["row"].isin(lost))]
    by_row = reason_rows(unreadable, "row: can't be read", raw["source_fault"].to_numpy()[unreadable])
    breached = pd.concat([by_row.assign(column="row", costs_row=True), by_cell], ignore_index=True)
    position = {name: number for number, name in enumerate(schema.columns)}
    return breached.sort_values(
        ["row", "column"], key=lambda keys: keys.map(position) if keys.name == "column" else keys
    )[["row", "column", "kind", "reason", "costs_row"]].reset_index(drop=True)


def limits(source: Source) -> list[dict[str, Any]]:
    """The range of each column of sales: `low`, `high`, and whether the city declares it."""
    declared = [
        {"column": name, "low": low, "high": high, "is_declared": True}
        for name, (low, high) in source.contract.ranges.items()
    ]
    defaults = [
        {"column": name, "low": 0, "high": high, "is_declared": False}
        for name, high in default_maximum(source.city.currency).items()
        if name not in source.contract.ranges
    ]
    return [*declared, *defaults]


def reason_rows(rows: Sequence[int] | np.ndarray, kind: object, reason: object) -> pd.DataFrame:
    """A frame of rows, each with the kind of a reason and the reason itself."""
    frame = pd.DataFrame({"row": np.asarray(rows, dtype=np.int64)})
    return frame.assign(kind=kind, reason=reason).astype({"kind": object, "reason": object})


def _costs_row(by_cell: pd.DataFrame, required: set[str]) -> pd.Series:
    """Whether each breach of a cell costs its row.

    A record from after the date of valuation must not be known. A listing that closes later is open, but one whose end
    can't be read is neither open nor closed.
    """
    is_decisive = by_cell["kind"].str.startswith(("registered_on: after", "closed_on: not a date")).astype(bool)
    return by_cell["column"].isin({*required, RATIO}) | is_decisive


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
    if high := default_maximum(source.city.currency).get(name):
        return [pa.Check.in_range(0, high, include_min=False, error=f"{name}: outside (0, {_plain(high)}]")]
    return []


def _date_checks(source: Source, name: str) -> list[pa.Check]:
    return [
        pa.Check.le(pd.Timestamp(source.city.as_of), error=f"{name}: after {source.city.as_of}"),
        pa.Check.ge(EARLIEST, error=f"{name}: before {EARLIEST:%Y-%m-%d}"),
    ]


def _failed_checks(raw: pd.DataFrame, parsed: Parsed, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """The reasons from the schema; an unreadable cell is not also missing."""
    try:
        with warnings.catch_warnings():
            # pandera concatenates its failures in a way that pandas will change.
            warnings.simplefilter("ignore", FutureWarning)
            schema.validate(with_ratio(parsed.columns).reset_index(drop=True), lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return reason_rows([], "", [])
    rows, is_missing = cases["index"].to_numpy(int), (cases["check"] == "not_nullable").to_numpy()
    cells = zip(cases["column"], rows, is_missing, strict=True)
    counts = [not (is_null and row in parsed.faults.get(name, ())) for name, row, is_null in cells]
    kind = cases["check"].astype(object).to_numpy()
    kind[is_missing] = [
        f"{name}: missing{_missing_text(raw[name].iloc[row])}"
        for name, row in zip(cases["column"][is_missing], rows[is_missing], strict=True)
    ]
    return reason_rows(rows[counts], kind[counts], kind[counts])


def _missing_text(cell: object) -> str:
    """What a cell says that counts as missing; empty for an empty one."""
    text = normal_text(cell) if isinstance(cell, str) else ""
    return f", the cell says {text}" if text else ""


def _unreadable_cells(parsed: Parsed) -> pd.DataFrame:
    reasons = [reason_rows([], "", [])]
    for name, faults in parsed.faults.items():
        kinds = [f"{name}: {fault}" for fault in faults.values()]
        reasons.append(reason_rows([*faults], kinds, kinds))
    return pd.concat(reasons, ignore_index=True)


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)
