"""What a sale must satisfy to be believed: a pandera contract out of a source's declaration, and why rows break it."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa

from homei.quality.parse import DATES, Parsed, types_of
from homei.source import USUAL_LIMITS, Feed, Source

# A year typed as 0201 would stretch the market's index over eighteen centuries.
EARLIEST = pd.Timestamp("1900-01-01")
RATIO = "price_per_square_meter"


class ContractError(ValueError):
    """A contract that speaks of columns which the source doesn't have."""


def contract(source: Source, table: str = "sales") -> pa.DataFrameSchema:
    """The contract over `facts`: which columns may not be missing, and what their values must be.

    The text of each check is the reason that a row which breaks it is given.
    Raises ContractError for a required column that isn't mapped, or a range of a column that is no number.
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


def facts(parsed: pd.DataFrame) -> pd.DataFrame:
    """The typed columns and what follows from them: the price per square metre where both are positive."""
    if not {"price", "square_meters"} <= {*parsed.columns}:
        return parsed.assign(**{RATIO: np.nan})
    both = (parsed["price"] > 0) & (parsed["square_meters"] > 0)
    return parsed.assign(**{RATIO: (parsed["price"] / parsed["square_meters"]).where(both)})


def breaches(raw: pd.DataFrame, parsed: Parsed, source: Source, table: str = "sales") -> pd.DataFrame:
    """Every reason against every row: `row` (its position), `kind` (to count by) and `reason` (with its details).

    Kinds are such as "price: missing", "price: not a number", "price: outside [0, 10]", "duplicate" and
    "row: can't be read", after which the row's cells count for nothing. They come row by row, in the order of columns.
    """
    schema = contract(source, table)
    unread = np.flatnonzero(raw["source_fault"].notna())
    found = pd.concat([_unreadable(parsed), _broken(facts(parsed.columns), schema, parsed)], ignore_index=True)
    place = {name: position for position, name in enumerate(schema.columns)}
    found["place"] = [place[kind.partition(":")[0]] for kind in found["kind"]]
    found = found.sort_values(["row", "place"])
    rejected = {*unread, *found["row"]}
    reasons = [
        _reasons(unread, "row: can't be read", raw["source_fault"].to_numpy()[unread]),
        found[~found["row"].isin(unread)].drop(columns="place"),
        duplicates(raw, getattr(source, table), rejected),
    ]
    return pd.concat(reasons, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)


def duplicates(raw: pd.DataFrame, feeds: Sequence[Feed], rejected: set[int]) -> pd.DataFrame:
    """The rows that repeat an earlier one of their feed that stands, by id or, without ids, in every mapped column.

    A row in `rejected` takes no later one with it: of a sale entered wrongly and then rightly, the right one stays.
    """
    rows, groups = np.arange(len(raw)), np.full(len(raw), -1)
    for feed in feeds:
        here = (raw["source_feed"] == feed.name).to_numpy()
        # An indicator has a value a month; everything else has an id, its first column.
        ids = ["series", "month"] if "series" in raw.columns else [raw.columns[0]]
        key = ids if feed.columns.keys() >= {*ids} else [*feed.declared()]
        cells = raw.loc[here, key].apply(lambda column: column.str.strip())
        known = cells.notna().any(axis=1).to_numpy()
        numbers = cells.groupby(key, sort=False, dropna=False).ngroup().to_numpy() + groups.max(initial=-1) + 1
        groups[here] = np.where(known, numbers, -1)
    present = groups >= 0
    stands = present & ~np.isin(rows, list(rejected))
    first = pd.Series(rows[stands]).groupby(groups[stands]).first().reindex(groups).to_numpy()
    repeated = rows[present & (rows > first)]
    originals = raw.iloc[first[repeated].astype(int)]
    here = raw["source_file"].to_numpy()[repeated]
    reasons = [
        f"duplicate: of line {line}" if file == own else f"duplicate: of line {line} in {file}"
        for line, file, own in zip(originals["source_line"], originals["source_file"], here, strict=True)
    ]
    return _reasons(repeated, "duplicate", reasons)


def _mapped(source: Source) -> list[str]:
    """The columns that sales have, with the transaction ids that `ingest` makes up where they have none."""
    return ["transaction_id", *dict.fromkeys(name for feed in source.sales for name in feed.declared())]


def _check_names(key: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in sorted(set(names) - set(known)):
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise ContractError(f"source.{key}: {name!r} is no such column of this source; did you mean {nearest!r}?")


def _range_checks(source: Source, name: str) -> list[pa.Check]:
    if name in source.contract.ranges:
        low, high = source.contract.ranges[name]
        return [pa.Check.in_range(low, high, error=f"{name}: outside [{_plain(low)}, {_plain(high)}]")]
    if name in USUAL_LIMITS:
        high = USUAL_LIMITS[name]
        return [pa.Check.in_range(0, high, include_min=False, error=f"{name}: outside (0, {_plain(high)}]")]
    return []


def _date_checks(source: Source, name: str) -> list[pa.Check]:
    return [
        pa.Check.le(pd.Timestamp(source.as_of), error=f"{name}: after {source.as_of}"),
        pa.Check.ge(EARLIEST, error=f"{name}: before {EARLIEST:%Y-%m-%d}"),
    ]


def _broken(rows: pd.DataFrame, schema: pa.DataFrameSchema, parsed: Parsed) -> pd.DataFrame:
    """The contract's verdicts on all rows; a cell that can't be read is not called missing as well."""
    try:
        with warnings.catch_warnings():
            # pandera joins its lists of failures in a way that pandas announces to change.
            warnings.simplefilter("ignore", FutureWarning)
            schema.validate(rows.reset_index(drop=True), lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return _reasons([], "", [])
    at, missing = cases["index"].to_numpy(int), (cases["check"] == "not_nullable").to_numpy()
    cells = zip(cases["column"], at, missing, strict=True)
    known = [not (is_missing and parsed.unreadable[name][row]) for name, row, is_missing in cells]
    kind = cases["check"].mask(missing, cases["column"] + ": missing").to_numpy()
    return _reasons(at[known], kind[known], kind[known])


def _unreadable(parsed: Parsed) -> pd.DataFrame:
    found = [_reasons([], "", [])]
    for name, broken in parsed.unreadable.items():
        if not broken.any():
            continue
        kind = f"{name}: not a {'date' if name in DATES else 'number'}"
        found.append(_reasons(np.flatnonzero(broken), kind, kind))
    return pd.concat(found, ignore_index=True)


def _reasons(rows: Sequence[int], kind: object, reason: object) -> pd.DataFrame:
    found = pd.DataFrame({"row": np.asarray(rows, dtype=np.int64)})
    return found.assign(kind=kind, reason=reason).astype({"kind": object, "reason": object})


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)
