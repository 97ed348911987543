"""Rows that repeat a record of their feed: restated, corrected, contradictory and deleted ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from homei.config.feeds import TABLES, Feed
from homei.validation.contracts import reason_rows

# Rows that their source has replaced, deleted or already stated are set aside, and do not count as rejected.
DELETED, REPLACED, STATED = "deleted", "replaced", "already stated"
FURTHER_ROW, OTHER_AREA = "further row", "further row with another area"  # of an id, at the same date and price
DUPLICATE = "duplicate"  # another content under an id that an earlier row of the file has


def repeats(raw: pd.DataFrame, feeds: Sequence[Feed], table: str, rejected: set[int]) -> pd.DataFrame:
    """The rows to set aside because of another one of their feed, with `kind` and `reason`.

    Rows of one record share its id or, without ids, every mapped column. The last file with a valid row wins, and in it
    the first valid row; a row in `rejected` is not valid. A row of equal content is already stated, and one of
    the same date and price is a further row of the sale. If the last row is
    marked as deleted, so are all others.
    """
    groups = _groups(raw, feeds, table)
    rows = pd.DataFrame(
        {
            "row": np.arange(len(raw)),
            "group": groups,
            "file": pd.factorize(raw["source_file"])[0],
            "content": _content_numbers(raw, feeds),
            "is_deleted": _marks(raw).notna().to_numpy(),
        }
    )
    is_deleted = rows["is_deleted"].to_numpy() & raw["source_fault"].isna().to_numpy()
    repeated = rows[(groups >= 0) & (rows["group"].duplicated(keep=False) | is_deleted).to_numpy()]
    ends = repeated.groupby("group").tail(1)
    deletions = ends.loc[ends["is_deleted"], "group"]
    deleted = _deleted(raw, rows, repeated[repeated["group"].isin(deletions)], ends)
    alone = rows.loc[is_deleted & (groups < 0), "row"]
    marks = _marks(raw).to_numpy(dtype=object)
    by_marker = reason_rows(alone, DELETED, [f"{DELETED}: {marks[row]}" for row in alone])
    others = repeated[~repeated["group"].isin(deletions)]
    found = [deleted, by_marker, _replaced(raw, others, rejected), _restated_deeds(raw, rows, feeds, rejected)]
    return pd.concat(found, ignore_index=True).sort_values("row")


def _groups(raw: pd.DataFrame, feeds: Sequence[Feed], table: str) -> np.ndarray:
    """The number of each row's record; -1 for a row of a deed, and for one without any key."""
    groups = np.full(len(raw), -1)
    for feed in feeds:
        is_of_feed = (raw["source_feed"] == feed.name).to_numpy(bool)
        # An indicator has one value a month; all other records have an id in their first column.
        ids = ["series", "month"] if table == "indicators" else [TABLES[table][0]]
        key = ids if feed.columns.keys() >= {*ids} else [*feed.columns]
        cells = raw.loc[is_of_feed, key].apply(lambda column: column.str.strip())
        has_key = cells.notna().any(axis=1).to_numpy()
        if feed.deed is not None:
            has_key &= raw.loc[is_of_feed, "source_deed"].isna().to_numpy()
        numbers = cells.groupby(key, sort=False, dropna=False).ngroup().to_numpy() + groups.max(initial=-1) + 1
        groups[is_of_feed] = np.where(has_key, numbers, -1)
    return groups


def _content_numbers(raw: pd.DataFrame, feeds: Sequence[Feed]) -> np.ndarray:
    """A number for each different content of the mapped columns."""
    names = sorted({name for feed in feeds for name in feed.columns if name in raw.columns})
    return raw[names].groupby(names, sort=False, dropna=False).ngroup().to_numpy() if names else np.zeros(len(raw))


def _marks(raw: pd.DataFrame) -> pd.Series:
    """Why each row's source calls it deleted; missing for the others."""
    return raw["source_deleted"] if "source_deleted" in raw else pd.Series(None, index=raw.index, dtype=object)


def _deleted(raw: pd.DataFrame, rows: pd.DataFrame, deleted: pd.DataFrame, ends: pd.DataFrame) -> pd.DataFrame:
    last = ends.set_index("group")["row"].reindex(deleted["group"]).to_numpy()
    marks = _marks(raw).to_numpy(dtype=object)
    reasons = [
        f"{DELETED}: {marks[end]}" if row == end else f"{DELETED}: by {_place(raw, end, row)}"
        for row, end in zip(deleted["row"], last, strict=True)
    ]
    return reason_rows(deleted["row"], DELETED, reasons)


def _replaced(raw: pd.DataFrame, repeated: pd.DataFrame, rejected: set[int]) -> pd.DataFrame:
    """The rows that repeat another: already stated, replaced by a later file, or contradictory duplicates."""
    valid = repeated[~repeated["row"].isin(rejected) & ~repeated["is_deleted"]]
    is_last_file = valid["file"] == valid.groupby("group")["file"].transform("max")
    latest = valid[is_last_file].groupby("group").head(1)
    # An equal row of an earlier file is the same record, sent again.
    equal = valid.merge(latest[["group", "content"]], on=["group", "content"])
    winner = equal.groupby("group")["row"].first().reindex(repeated["group"]).to_numpy()
    latest_file = latest.set_index("group")["file"].reindex(repeated["group"]).to_numpy()
    latest_content = latest.set_index("group")["content"].reindex(repeated["group"]).to_numpy()
    is_repeat = ~np.isnan(winner) & (repeated["row"].to_numpy() != winner)
    is_earlier = (repeated["file"].to_numpy() < latest_file) & (repeated["content"].to_numpy() != latest_content)
    is_earlier |= repeated["is_deleted"].to_numpy()
    is_further = ~np.isnan(winner) & (repeated["row"].to_numpy() != winner) & ~is_earlier
    is_further[is_further] &= _have_equal_terms(raw, repeated["row"].to_numpy()[is_further], winner[is_further])
    # A rejected row before the one that stays has reasons of its own.
    is_repeat &= is_earlier | (repeated["row"].to_numpy() > winner)
    is_repeat &= ~(is_earlier & repeated["row"].isin(rejected).to_numpy())
    is_repeat |= is_further
    rows, others = repeated["row"].to_numpy()[is_repeat], winner[is_repeat].astype(int)
    contents = repeated.set_index("row")["content"]
    is_equal = contents.loc[rows].to_numpy() == contents.loc[others].to_numpy()
    kinds = np.where(is_equal, STATED, np.where(is_further[is_repeat], _further_kinds(raw, rows, others), DUPLICATE))
    kinds = np.where(is_earlier[is_repeat], REPLACED, kinds)
    return _by_other_rows(raw, rows, others, kinds)


def _have_equal_terms(raw: pd.DataFrame, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether rows have the date and the price of others.

    Registers state a sale once for each part of the property.
    """
    if not {"sale_date", "price"} <= {*raw.columns}:
        return np.zeros(len(rows), dtype=bool)
    terms = raw[["sale_date", "price"]]
    one, other = terms.iloc[rows].reset_index(drop=True), terms.iloc[others.astype(int)].reset_index(drop=True)
    return ((one == other) & one.notna()).all(axis=1).fillna(False).to_numpy(bool)


def _further_kinds(raw: pd.DataFrame, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    if "square_meters" not in raw:
        return np.full(len(rows), FURTHER_ROW, dtype=object)
    areas = raw["square_meters"].to_numpy(dtype=object)
    pairs = zip(areas[rows], areas[others], strict=True)
    differ = [isinstance(area, str) and bool(area.strip()) and area != other for area, other in pairs]
    return np.where(np.array(differ, dtype=bool), OTHER_AREA, FURTHER_ROW)


def _restated_deeds(raw: pd.DataFrame, rows: pd.DataFrame, feeds: Sequence[Feed], rejected: set[int]) -> pd.DataFrame:
    """The rows of deeds that a later file states again: the last file with a valid row of a deed has it."""
    with_deeds = [feed.name for feed in feeds if feed.deed is not None]
    if not with_deeds:
        return reason_rows([], "", [])
    has_deed = (raw["source_feed"].isin(with_deeds) & raw["source_deed"].notna()).to_numpy(bool)
    deeds = rows[has_deed & ~rows["is_deleted"]]
    deeds = deeds.assign(
        deed=raw.iloc[deeds["row"]].groupby(["source_feed", "source_deed"], sort=False).ngroup().to_numpy()
    )
    valid = deeds[~deeds["row"].isin(rejected)]
    latest = valid[valid["file"] == valid.groupby("deed")["file"].transform("max")]
    first = latest.groupby("deed")[["file", "row"]].first().reindex(deeds["deed"])
    is_earlier = deeds["file"].to_numpy() < first["file"].to_numpy()
    stated = latest.groupby(["deed", "content"])["row"].first()
    earlier, other = deeds[is_earlier], first["row"].to_numpy()[is_earlier].astype(int)
    equal = stated.reindex(pd.MultiIndex.from_frame(earlier[["deed", "content"]])).to_numpy()
    others = np.where(np.isnan(equal), other, equal).astype(int)
    return _by_other_rows(raw, earlier["row"].to_numpy(), others, np.where(np.isnan(equal), REPLACED, STATED))


def _by_other_rows(raw: pd.DataFrame, rows: np.ndarray, others: np.ndarray, kinds: np.ndarray) -> pd.DataFrame:
    """The rows with the kind and the place of the other row of each."""
    prepositions = {REPLACED: "by", STATED: "in"}
    reasons = [
        f"{kind}: {prepositions.get(kind, 'of')} {_place(raw, other, row)}"
        for kind, row, other in zip(kinds, rows, others, strict=True)
    ]
    return reason_rows(rows, kinds, reasons)


def _place(raw: pd.DataFrame, other: int, row: int) -> str:
    """The line of another row, with its file if that differs."""
    line, file = raw["source_line"].iloc[other], raw["source_file"].iloc[other]
    return f"line {line}" if file == raw["source_file"].iloc[row] else f"line {line} in {file}"
