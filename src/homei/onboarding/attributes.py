"""Guess of the attributes: columns beyond the canonical ones that the model should use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from homei.config.city import RESERVED, RESERVED_STARTS
from homei.config.columns import Column
from homei.config.feeds import TABLES
from homei.onboarding.column_options import DEFAULT_MISSING, missing_option
from homei.onboarding.column_traits import ColumnTraits
from homei.onboarding.draft import Guess
from homei.onboarding.input_tables import slug
from homei.onboarding.words import (
    DERIVED_FROM_PRICE,
    NATURE,
    PERSONS,
    RECORD_STATUS,
    contains,
    last_part,
    normalised,
    phrases,
)
from homei.validation.numbers import number

MOST = 12  # attributes of a feed; a user adds others by hand
LEAST_COVERAGE = 0.3
MOST_CATEGORIES = 40
FIRST_ROWS = 5_000
CODES = "code, no, nr, number, numero, numer, id, plan, zip, zipcode, postcode, plz, section, class"
REVEALS = 0.97  # a rank correlation with the price from which on a column is the price in other words


def guess_attributes(
    cells: pa.Table,
    columns: Mapping[str, ColumnTraits],
    used: Collection[str],
    prices: np.ndarray,
    chosen: str | None,
) -> tuple[dict[str, Guess], dict[str, str], list[str]]:
    """The mappings of attributes, the kind of each, and notes on columns that are left out.

    `prices` are those of the first rows, as `first_numbers` reads them. `chosen` names the only columns to consider,
    "none" for none of them, None for all.
    """
    only = None if chosen is None else {name.strip() for name in chosen.split(",")}
    mappings: dict[str, Guess] = {}
    kinds: dict[str, str] = {}
    notes: list[str] = []
    for name, traits in columns.items():
        if (
            name in used
            or (only is not None and name not in only)
            or traits.profile.coverage < LEAST_COVERAGE
            or traits.is_date
        ):
            continue
        if contains(name, PERSONS):
            notes.append(f"{name!r} is not mapped: it may name persons")
        elif contains(name, DERIVED_FROM_PRICE) or _reveals_price(traits, cells[name], prices):
            notes.append(f"{name!r} is not mapped: it may follow from the price")
        elif normalised(name) in {*phrases(NATURE), *phrases(RECORD_STATUS)}:
            continue
        elif (kind := _kind(traits)) is not None and not _repeats(traits, [columns[other] for other in used], cells):
            attribute = _free_name(name, mappings)
            mappings[attribute], kinds[attribute] = _mapping(traits, kind), kind
    best = sorted(mappings, key=lambda attribute: -columns[_column(mappings[attribute])].profile.coverage)[:MOST]
    if left := [_column(mappings[name]) for name in mappings if name not in best]:
        notes.append(f"more attributes than {MOST}: not mapped are {', '.join(map(repr, left))}")
    return {name: mappings[name] for name in mappings if name in best}, {name: kinds[name] for name in best}, notes


def first_numbers(cells: pa.ChunkedArray, declared: Column, currency: str | None = None) -> np.ndarray:
    """The first FIRST_ROWS cells of a column as numbers, NaN where a cell is none."""
    first = cells.slice(0, FIRST_ROWS).to_pylist()
    return np.array([number(cell.strip(), declared, currency) if cell else None for cell in first], dtype=float)


def _reveals_price(column: ColumnTraits, cells: pa.ChunkedArray, prices: np.ndarray) -> bool:
    """Whether the numbers of a column rank as the prices do."""
    if column.numbers is None:
        return False
    values = first_numbers(cells, Column(column="x", **column.numbers.options))
    both = ~np.isnan(values) & ~np.isnan(prices)
    if both.sum() < 30 or len(np.unique(values[both])) < 10:
        return False
    ranks = [np.argsort(np.argsort(each[both])) for each in (values, prices)]
    return bool(abs(np.corrcoef(*ranks)[0, 1]) > REVEALS)


def _repeats(column: ColumnTraits, others: list[ColumnTraits], cells: pa.Table) -> bool:
    """Whether a column says the same as one that is mapped already, such as the code of a type."""
    for other in others:
        if column.n_distinct == other.n_distinct and column.n_distinct <= 1_000:
            pairs = cells.select([column.name, other.name]).group_by([column.name, other.name]).aggregate([])
            if pairs.num_rows <= column.n_distinct + 1:
                return True
    return False


def _kind(traits: ColumnTraits) -> str | None:
    """numeric or categorical; None for a column of ids, free texts, lists, or a single value."""
    if traits.n_distinct < 2 or traits.is_rounded_id or traits.profile.values[0][0] in "[{":
        return None
    if traits.numbers is not None and traits.numbers.share > 0.95 and not _is_code(traits):
        is_id = traits.is_unique and traits.numbers.is_whole
        return None if is_id or traits.numbers.rival is not None or traits.numbers.n_distinct < 2 else "numeric"
    is_category = traits.n_distinct <= MOST_CATEGORIES and traits.rows_per_value >= 10
    is_short = all(len(value) <= 60 for value in traits.profile.values)
    return "categorical" if is_category and is_short else None


def _is_code(traits: ColumnTraits) -> bool:
    """Whether digits are codes: by the column's name, or since some begin with a zero, as 020 does."""
    if contains(traits.name, CODES):
        return True
    return any(len(value) > 1 and value[0] == "0" and value[1].isdigit() for value in traits.profile.values)


def _mapping(traits: ColumnTraits, kind: str) -> Guess:
    examples = tuple(traits.profile.examples())
    if kind == "numeric":
        options: dict[str, Any] = {**traits.numbers.options, **missing_option(traits.numbers.missing)}
        reason = f"numbers; {traits.profile.coverage:.0%} filled"
        return Guess("", {"column": traits.name, **options} if options else traits.name, reason, examples)
    reason, doubt, value = f"{traits.n_distinct} categories; {traits.profile.coverage:.0%} filled", "", traits.name
    defaults = {code.casefold() for code in DEFAULT_MISSING}
    if codes := [cell for cell in traits.profile.values if cell.casefold() in defaults]:
        value, doubt = {"column": traits.name, "missing": []}, f"{', '.join(codes)} is kept as a category"
    return Guess("", value, reason, examples, doubt)


def _column(guess: Guess) -> str:
    return guess.value if isinstance(guess.value, str) else guess.value["column"]


def _free_name(name: str, taken: Collection[str]) -> str:
    attribute = slug(last_part(name), "attribute")
    is_taken = attribute in TABLES["sales"] or attribute in RESERVED or attribute.startswith(RESERVED_STARTS)
    attribute = f"own_{attribute}" if is_taken else attribute
    number, free = 2, attribute
    while free in taken:
        number, free = number + 1, f"{attribute}_{number}"
    return free
