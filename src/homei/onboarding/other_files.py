"""Files beside the sales: lookup files (a key and what to add by it) and files of points of interest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from homei.config.columns import Column
from homei.config.texts import normal_text
from homei.ingestion.connectors.sheet import Sheet
from homei.ingestion.mapping import mapped
from homei.onboarding.column_roles import assign_roles, name_score
from homei.onboarding.column_traits import ColumnTraits
from homei.onboarding.draft import Guess
from homei.onboarding.input_tables import InputTable
from homei.onboarding.words import contains

LOOKED_UP = ("square_meters", "latitude", "longitude", "year_built", "bedrooms", "floor")
REPEATED = 2.0  # rows of a key: the first one counts
LEAST_MATCHES = 0.3
ROWS_TESTED = 400
MOST_PARTS = 3
# Words of file names by the kind of places; others name the kind as the file is named.
PLACE_KINDS = {
    "station": ("station", "mrt", "metro", "subway", "tram", "rail"), "school": ("school", "ecole", "schule"),
    "park": ("park", "garden"), "mall": ("mall", "shopping"), "hospital": ("hospital", "clinic"),
}  # fmt: skip


class LookupGuess(NamedTuple):
    """A lookup file's declaration, the columns that it adds, and the share of sales that it knows."""

    declaration: dict[str, Any]
    columns: dict[str, Guess]
    share: float


def guess_lookup(sales: InputTable, other: InputTable, mapped_roles: Sequence[str]) -> LookupGuess | None:
    """The lookup that `other` is for sales, by a template of their columns; None if it is none."""
    keys = [traits for traits in other.traits.values() if traits.rows_per_value < REPEATED and traits.numbers is None]
    roles = {
        role: chosen for role, chosen in assign_roles(other.traits, {}, has_names=True).items() if role in LOOKED_UP
    }
    added = {role: chosen for role, chosen in roles.items() if role not in mapped_roles}
    if not keys or not added or len(other.paths) != 1:
        return None
    best: tuple[float, str, str] = (0.0, "", "")
    for key in keys:
        keys = {normal_text(value) for value in key.profile.values}
        for share, template in _matches(sales, keys):
            # A longer template must know clearly more sales.
            if share > best[0] + (0.02 if best[1] else 0.0):
                best = (share, template, key.name)
    share, template, key_name = best
    if share < LEAST_MATCHES:
        return None
    declaration = {"file": other.paths[0].name, "key": key_name, "template": template, **other.format.options}
    columns = {}
    for role, chosen in added.items():
        reason = f"from {other.paths[0].name}, known for {share:.0%} of the sales"
        columns[role] = Guess(
            role, {"lookup": chosen.column}, reason, tuple(other.traits[chosen.column].profile.examples(100))
        )
    return LookupGuess(declaration, columns, share)


def guess_places(table: InputTable) -> dict[str, Any] | None:
    """The declaration of a file of points of interest, which has neither prices nor dates."""
    roles = assign_roles(table.traits, {}, has_names=True)
    if not {"latitude", "longitude"} <= roles.keys() or {"price", "sale_date"} & roles.keys() or len(table.paths) != 1:
        return None
    coordinates = {roles[axis].column for axis in ("latitude", "longitude")}
    names = [name for name in table.traits if name not in coordinates]
    if not names:
        return None
    texts = [name for name in names if table.traits[name].numbers is None] or names
    named = [name for name in texts if contains(name, "name, title, address, nom, nombre, naam, nazwa, nome")]
    name = max(named or texts, key=lambda name: table.traits[name].n_distinct)
    file_name = table.paths[0].stem.casefold()
    kind = next((kind for kind, parts in PLACE_KINDS.items() if any(part in file_name for part in parts)), None)
    axes = {axis: roles[axis].column for axis in ("latitude", "longitude")}
    return {
        "kind": kind or _kind_of(table.name),
        "file": table.paths[0].name,
        "name": name,
        **axes,
        **table.format.options,
    }


EMPTY_WORDS = ("coordinates", "locations", "clean", "data", "list", "of")


def _kind_of(name: str) -> str:
    """A file's name without the words that all files of places have."""
    parts = [word for word in name.split("_") if word not in EMPTY_WORDS]
    return "_".join(parts) or name


def _matches(sales: InputTable, keys: set[str]) -> Iterator[tuple[float, str]]:
    """Templates of one to MOST_PARTS columns with the share of rows whose text is a key, short ones first."""
    step = max(sales.n_rows // ROWS_TESTED, 1)
    sample = sales.cells.take(pa.array(range(0, sales.n_rows, step)))
    key_words = {word for key in keys for word in key.split()}
    useful = [name for name, traits in sales.traits.items() if _is_part(name, traits, key_words)]
    sheet = Sheet("", "", sample, None, None)
    for n_parts in range(1, MOST_PARTS + 1):
        for names in itertools.permutations(useful[:8], n_parts):
            if any(mark in name for name in names for mark in "{}[]:!."):
                continue
            template = " ".join(f"{{{name}}}" for name in names)
            texts = mapped(sheet, {"key": Column(template=template)})["key"].to_pylist()
            n_known = sum(text is not None and normal_text(text) in keys for text in texts)
            if n_known:
                yield n_known / len(texts), template


def _is_part(name: str, traits: ColumnTraits, key_words: set[str]) -> bool:
    """Whether the values of a column are made of words of the keys."""
    if traits.is_date or name_score(name, "price") > 0.7:
        return False
    return (
        traits.profile.share(lambda value: all(word in key_words for word in value.split())) > 0.5
        and traits.n_distinct > 1
    )
