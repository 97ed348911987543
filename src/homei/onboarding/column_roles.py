"""Guess of which column is which canonical one, by its name in several languages and by its values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from homei.onboarding.column_traits import ColumnTraits, fitness
from homei.onboarding.words import (
    NAMES,
    OTHER_MEANING,
    SQUARE_FEET,
    SQUARE_METRES,
    contains,
    last_part,
    normalised,
    phrases,
)

LEAST_SCORE = 0.3
AREA_UNITS = f"{SQUARE_FEET}, {SQUARE_METRES}"


class Role(NamedTuple):
    """The column chosen for a canonical one, the reason, a doubt, and the other columns that could be it."""

    column: str
    reason: str
    doubt: str = ""
    others: tuple[str, ...] = ()


def assign_roles(columns: Mapping[str, ColumnTraits], fixed: Mapping[str, str], has_names: bool) -> dict[str, Role]:
    """The column of each canonical column that a table has.

    `fixed` holds the user's own choices, an empty one for none. Columns without names get roles by their values alone.
    """
    roles = {role: Role(name, "set by --set") for role, name in fixed.items() if name}
    scored = [
        (score, role, name)
        for role in NAMES
        if role not in fixed
        for name, traits in columns.items()
        if (score := max(name_score(name, role), _unit_score(traits, role)) * fitness(role, traits)) >= LEAST_SCORE
    ]
    used = {role.column for role in roles.values()}
    for score, role, name in sorted(scored, key=lambda item: -item[0]):
        if role not in roles and name not in used:
            # The same score twice is a doubt; a much lower one is another column.
            others = tuple(
                rival for points, its, rival in scored if its == role and rival != name and points > score - 0.1
            )
            roles[role] = Role(name, "by its name", _rival_doubt(others) if role != "address" else "", others)
            used.add(name)
    _drop_rounded_ids(roles, columns, fixed)
    if not has_names:
        _add_by_values(roles, columns, used, fixed)
    return {role: roles[role] for role in NAMES if role in roles}


def name_score(name: str, role: str) -> float:
    """How well a column's name fits a canonical column, from 0 to 1; earlier words of the list count more."""
    return max(_score(reading, role) - penalty for reading, penalty in _readings(name))


def _readings(name: str) -> list[tuple[str, float]]:
    """The texts that may name the role of a column, each with its cost.

    For a nested field, the end of its path is one of them.
    """
    readings = [(re.sub(r"(?<=[a-z]{3})[12]$", "", normalised(last_part(name))), 0.0)]
    parts = name.split(".")
    if last_part(name) == name or len(parts) < 2:
        return readings
    return [*readings, (normalised(" ".join(parts[-2:])), 0.05), (normalised(parts[-2]), 0.15)]


def _has_word(word: str, compact: str, tokens: Collection[str]) -> bool:
    """Whether a text has a word; scripts without spaces have it anywhere."""
    return word in tokens if word.isascii() else word in compact


def _score(reading: str, role: str) -> float:
    compact, tokens, best = reading.replace(" ", ""), {*reading.split()}, 0.0
    others = phrases(OTHER_MEANING.get(role, ""))
    # Words of other scripts compete among themselves only.
    names = sorted(phrases(NAMES[role]), key=lambda phrase: not phrase.isascii())
    n_latin = sum(map(str.isascii, names))
    for position, phrase in enumerate(names):
        rank = position if phrase.isascii() else position - n_latin
        joined = phrase.replace(" ", "")
        if compact == joined:
            score = 1.0
        elif f" {phrase} " in f" {reading} ":
            score = 0.55 + 0.35 * len(joined) / len(compact)
        elif len(joined) >= (5 if joined.isascii() else 2) and joined in compact:
            score = 0.45 + 0.35 * len(joined) / len(compact)
        elif len(joined) >= 5 and difflib.SequenceMatcher(None, compact, joined).ratio() >= 0.88:
            score = 0.75
        else:
            continue
        has_other = any(_has_word(other, compact, tokens - {*phrase.split()}) for other in others)
        best = max(best, (0.2 if has_other and compact != joined else 1.0) * score - 0.004 * rank)
    return best


def _unit_score(column: ColumnTraits, role: str) -> float:
    """Half a name for a column whose cells have a unit of area, unless its name means another area."""
    if role != "square_meters" or contains(column.name, OTHER_MEANING[role]):
        return 0.0
    has_unit = column.profile.share(lambda value: contains(re.sub("(?<=[0-9])(?=[a-z])", " ", value), AREA_UNITS))
    return 0.5 if has_unit > 0.5 else 0.0


def _rival_doubt(others: Collection[str]) -> str:
    return f"could also be {', '.join(repr(other) for other in others)}" if others else ""


def _drop_rounded_ids(roles: dict[str, Role], columns: Mapping[str, ColumnTraits], fixed: Mapping[str, str]) -> None:
    """Ids that a spreadsheet has rounded are none."""
    for role in ("transaction_id", "property_id"):
        if role in roles and role not in fixed and columns[roles[role].column].is_rounded_id:
            del roles[role]


def _add_by_values(
    roles: dict[str, Role], columns: Mapping[str, ColumnTraits], used: set[str], fixed: Mapping[str, str]
) -> None:
    """Roles of a file without column names."""
    doubt = "by its values alone: check it"

    def add(role: str, candidates: list[ColumnTraits]) -> None:
        free = [column for column in candidates if column.name not in used]
        if role not in roles and role not in fixed and free:
            roles[role] = Role(free[0].name, "by its values", doubt, tuple(column.name for column in free[1:3]))
            used.add(free[0].name)

    all_columns = list(columns.values())
    add("sale_date", [column for column in all_columns if column.is_date and column.n_distinct > 3])
    numeric = [column for column in all_columns if column.numbers is not None and not column.is_date]
    add("price", sorted((c for c in numeric if c.numbers.median > 2_000 and c.n_distinct > 20 and not _is_counter(c)),
                        key=lambda c: -c.numbers.median))  # fmt: skip
    years = [
        c for c in numeric if c.numbers.is_whole and 1850 < c.numbers.median < 2030 and c.numbers.quantile(0.99) < 2100
    ]
    add("year_built", years)
    add(
        "square_meters",
        [c for c in numeric if 20 <= c.numbers.median <= 5_000 and c.n_distinct > 15 and not _is_counter(c)],
    )
    add("transaction_id", [column for column in all_columns if column.is_unique and not column.is_date])
    texts = [c for c in all_columns if c.numbers is None and not c.is_date and c.profile.coverage > 0.9]
    few = sorted((c for c in texts if 2 <= c.n_distinct <= 30), key=lambda c: c.n_distinct)
    add("property_type", few)
    add(
        "location",
        sorted((c for c in texts if c.n_distinct >= 2 and c.rows_per_value >= 3), key=lambda c: -c.n_distinct),
    )


def _is_counter(column: ColumnTraits) -> bool:
    """Whether the values are unique whole numbers, such as line numbers."""
    numbers = column.numbers
    if numbers is None or not column.is_unique or not numbers.is_whole:
        return False
    return numbers.quantile(1.0) - numbers.quantile(0.0) < 2 * column.n_distinct
