"""Guess of what a row is: a sale, none, a part of a deed, or the mark of a deleted record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from homei.onboarding.column_roles import Role
from homei.onboarding.column_traits import ColumnTraits
from homei.onboarding.draft import Answers, Guess
from homei.onboarding.words import (
    DELETED,
    NATURE,
    NOT_A_DWELLING,
    NOT_A_SALE,
    RECORD_STATUS,
    contains,
    normalised,
    phrases,
)

RARE = 0.02  # a smaller share of repeated ids are slips
NORMAL_SHARE = 0.1  # of rows in deeds of several properties
MOST_KINDS = 60
GENERIC_IDS = {"id", "nr", "order", "numer", "row id", "record id"}
# A value marks rows that were not sold if so many of its rows lack a price, and so few of the other values' rows do.
LEAST_UNPRICED, MOST_UNPRICED = 0.9, 0.05
# Category B of HM Land Registry's Price Paid Data are repossessions, transfers to companies and other special sales.
KNOWN_VALUES = {"ppd category": ["B"], "ppd category type": ["B"]}


def guess_settings(
    cells: pa.Table,
    file_numbers: np.ndarray,
    columns: Mapping[str, ColumnTraits],
    roles: Mapping[str, Role],
    answers: Answers,
) -> dict[str, Guess]:
    """The feed's keys exclude, deed and deleted, where the values speak for them."""
    settings = {}
    if answers.get("exclude") != "none" and (exclude := _excluded(cells, columns, roles)) is not None:
        settings["exclude"] = exclude
    column = answers.get("deed")
    if column is None and (sale := roles.get("transaction_id")) is not None:
        column = sale.column if _is_deed(cells, file_numbers, roles, columns) else None
    if column:
        settings |= _deed_limit(cells, column, roles)
        settings["deed"] = Guess("deed", column, "rows that share it share their price and date")
    status = _deletion(columns)
    if status is not None:
        settings["deleted"] = status
    return settings


def with_property_ids(cells: pa.Table, roles: Mapping[str, Role]) -> dict[str, Role]:
    """The roles, where a column such as `id` is the property's if it repeats with other dates: a resale."""
    sale, date = roles.get("transaction_id"), roles.get("sale_date")
    if sale is None or date is None or normalised(sale.column) not in GENERIC_IDS:
        return dict(roles)
    dates = cells.select([sale.column, date.column]).to_pandas().dropna().groupby(sale.column)[date.column].nunique()
    if (dates <= 1).all():
        return dict(roles)
    others = {role: chosen for role, chosen in roles.items() if role != "transaction_id"}
    doubt = f"{int((dates > 1).sum()):,} ids have sales on several days, as resales do"
    return {**others, "property_id": Role(sale.column, "an id that repeats on other days", doubt)}


def _excluded(cells: pa.Table, columns: Mapping[str, ColumnTraits], roles: Mapping[str, Role]) -> Guess | None:
    """Values that mark rows as no sale of a dwelling, by their words or since the rows lack a price."""
    excluded, counts = _unsold(cells, columns, roles)
    type_column = roles["property_type"].column if "property_type" in roles else None
    for name, traits in columns.items():
        if normalised(name) in KNOWN_VALUES:
            excluded_values = [value for value in KNOWN_VALUES[normalised(name)] if value in traits.profile.values]
            excluded |= {name: excluded_values} if excluded_values else {}
            continue
        phrase_list = NOT_A_DWELLING if name == type_column else NOT_A_SALE if _is_nature(name) else None
        if phrase_list is None or traits.n_distinct > MOST_KINDS:
            continue
        for value, count in zip(traits.profile.values, traits.profile.counts, strict=True):
            if contains(value, phrase_list) and value not in excluded.get(name, []):
                excluded.setdefault(name, []).append(value)
                counts.append(f"{value} {int(count):,}")
    if not excluded:
        return None
    return Guess("exclude", excluded, "rows that are no sales of dwellings", (), "; ".join(counts[:6]))


def _unsold(
    cells: pa.Table, columns: Mapping[str, ColumnTraits], roles: Mapping[str, Role]
) -> tuple[dict[str, list[str]], list[str]]:
    """Values of one column whose rows have no price, such as `passed in` at an auction, and their counts."""
    price = roles.get("price")
    if price is None or columns[price.column].profile.coverage == 1.0:
        return {}, []
    has_price = cells[price.column].is_valid().to_pandas()
    used = {role.column for role in roles.values()}
    for name, traits in columns.items():
        if name in used or not 2 <= traits.n_distinct <= MOST_KINDS:
            continue
        rows = has_price.groupby(cells[name].to_pandas()).agg(["size", "mean"])
        is_unsold = rows["mean"] <= 1 - LEAST_UNPRICED
        others = rows[~is_unsold]
        if is_unsold.any() and len(others) and (others["mean"] >= 1 - MOST_UNPRICED).all():
            unsold = rows[is_unsold]
            counts = [f"{value} {int(count):,} without a price" for value, count in unsold["size"].items()]
            return {name: [str(value) for value in unsold.index]}, counts
    return {}, []


def _is_nature(name: str) -> bool:
    return normalised(name) in phrases(NATURE)


def _is_deed(
    cells: pa.Table, file_numbers: np.ndarray, roles: Mapping[str, Role], columns: Mapping[str, ColumnTraits]
) -> bool:
    """Whether ids often repeat in a file with other cells, nearly always with one price and date.

    Rows that are equal, or that another file repeats, are the same record again.
    """
    if columns[roles["transaction_id"].column].is_unique:
        return False
    rows = cells.to_pandas()
    is_first = ~rows.duplicated().to_numpy()
    ids = pd.DataFrame({"id": rows[roles["transaction_id"].column], "file": file_numbers})[is_first]
    repeats = ids["id"].notna() & ids.duplicated()
    if repeats.sum() <= RARE * is_first.sum():
        return False
    distinct = _distinct_by_id(cells.filter(pa.array(is_first)), roles, ("price", "sale_date"))
    return len(distinct) > 0 and bool((distinct <= 1).mean() > 0.9)


def _distinct_by_id(cells: pa.Table, roles: Mapping[str, Role], others: Sequence[str]) -> pd.Series:
    """For each id that repeats, the largest number of different cells in the other columns."""
    names = [roles[role].column for role in ("transaction_id", *others) if role in roles]
    if len(names) <= len(others):
        return pd.Series(dtype=int)
    rows = cells.select(names).to_pandas()
    repeated = rows[rows.duplicated(names[0], keep=False) & rows[names[0]].notna()]
    return repeated.groupby(names[0])[names[1:]].nunique().max(axis=1)


def _deed_limit(cells: pa.Table, deed: str, roles: Mapping[str, Role]) -> dict[str, Guess]:
    """A limit of rejected rows that lets deeds of several properties pass, which validation rejects."""
    if "square_meters" not in roles or deed not in cells.column_names:
        return {}
    rows = cells.select([deed, roles["square_meters"].column]).to_pandas().dropna()
    n_areas = rows.groupby(deed)[rows.columns[1]].transform("nunique")
    share = float((n_areas > 1).mean()) if len(rows) else 0.0
    if share < NORMAL_SHARE:
        return {}
    reason = f"{share:.0%} of the rows with an area belong to deeds of several properties, which are rejected"
    return {"max_rejected_share": Guess("max_rejected_share", round(min(share + 0.15, 0.9), 1), reason)}


def _deletion(columns: Mapping[str, ColumnTraits]) -> Guess | None:
    for name, traits in columns.items():
        if normalised(name) in phrases(RECORD_STATUS) and traits.n_distinct <= 6:
            values = [value for value in traits.profile.values if normalised(value) in phrases(DELETED)]
            if values:
                return Guess("deleted", {"column": name, "values": values}, "rows that take back an earlier record")
    return None
