"""Addresses of the simulated properties, in the spelling of the register and in those of other feeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.demo.place_names import qualified_name
from homei.demo.tiles import Tile

FIRST_PARTS = (
    "Alder", "Barley", "Cobble", "Damson", "Ember", "Fern", "Grebe", "Hazel", "Ivory", "Jasper", "Kelp", "Larch",
    "Mallow", "Nutmeg", "Orchard", "Pebble", "Quince", "Rowan", "Salt", "Teasel", "Umber", "Violet", "Willow", "Yarrow",
)  # fmt: skip
LAST_PARTS = (
    "bank", "bourne", "brook", "combe", "croft", "dale", "field", "ford", "garth", "ham", "hurst", "lea", "marsh",
    "mere", "mill", "pool", "ridge", "shaw", "stead", "stow", "thorpe", "wick", "wood", "worth",
)  # fmt: skip
# Kinds of streets and their abbreviations.
STREET_KINDS = {
    "Street": "St", "Road": "Rd", "Lane": "Ln", "Avenue": "Ave", "Close": "Cl", "Terrace": "Terr", "Square": "Sq",
    "Court": "Ct", "Drive": "Dr", "Walk": "Wk",
}  # fmt: skip
# Shares of the spellings of other feeds.
WITHOUT_FLAT = 0.08  # the flat number is missing
MISTYPED = 0.015  # two letters of the street are swapped
UNUSUAL_CASE = 0.12  # all in capitals, and as many all in small letters


def draw_addresses(rng: np.random.Generator, properties: pd.DataFrame, tile: Tile) -> pd.DataFrame:
    """Each property's street, street_kind, house (number) and flat (number; 0 in a house).

    No two streets of a region have the same name and kind.
    """
    street = properties["street_id"].to_numpy()
    count = int(street.max()) + 1
    names = [first + last for first in FIRST_PARTS for last in LAST_PARTS]
    kinds = list(STREET_KINDS)
    # Only beyond the first 576 streets do two share a name, told apart by their kinds, then by the name's variants.
    name = np.resize(rng.permutation(len(names)), count)
    kind = (rng.integers(0, len(kinds), len(names))[name] + np.arange(count) // len(names)) % len(kinds)
    nth_variant = np.arange(count) // (len(names) * len(kinds))
    variants = tile.variants(int(nth_variant[-1]) + 1)
    full_names = np.array([[qualified_name(base, variant) for base in names] for variant in variants])
    house, flat = _numbers(rng, properties)
    return pd.DataFrame(
        {
            "street": full_names[nth_variant, name][street],
            "street_kind": np.array(kinds)[kind][street],
            "house": house,
            "flat": flat,
        }
    )


def register_spelling(addresses: pd.DataFrame) -> list[str]:
    """The register's spelling: `Flat 7, 12 Saltmarsh Lane`."""
    parts = addresses[["street", "street_kind", "house", "flat"]].itertuples(index=False)
    return [(f"Flat {flat}, " if flat else "") + f"{house} {street} {kind}" for street, kind, house, flat in parts]


def feed_spellings(rng: np.random.Generator, addresses: pd.DataFrame) -> list[str]:
    """The addresses as people spell them: abbreviated, reordered, some mistyped or without the flat."""
    count = len(addresses)
    draws = zip(
        rng.integers(0, 5, count).tolist(),
        (rng.random(count) < WITHOUT_FLAT).tolist(),
        (rng.random(count) < MISTYPED).tolist(),
        rng.integers(1, 1_000_000, count).tolist(),
        rng.random(count).tolist(),
        strict=True,
    )
    parts = addresses[["street", "street_kind", "house", "flat"]].itertuples(index=False)
    lines = []
    for (street, kind, house, flat), (style, no_flat, is_mistyped, letter, case) in zip(parts, draws, strict=True):
        name = _with_swapped_letters(street, letter) if is_mistyped else street
        line = _spelling(style, name, kind, house, 0 if no_flat else flat)
        lines.append(line.upper() if case < UNUSUAL_CASE else line.lower() if case > 1 - UNUSUAL_CASE else line)
    return lines


def _numbers(rng: np.random.Generator, properties: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """House numbers, which rise along the street, and flat numbers, which rise from floor to floor."""
    # Buildings are numbered in their order along the street.
    buildings = properties.drop_duplicates("building_id").sort_values("building_id")
    house = pd.Series(rng.integers(1, 4, len(buildings)), index=buildings["building_id"].to_numpy())
    house = house.groupby(buildings["street_id"].to_numpy()).cumsum()
    by_floor = properties.sort_values(["building_id", "floor"], kind="stable")
    nth = by_floor.groupby("building_id").cumcount() + 1
    # Within a building, sorted by floor, this number rises and so is unique.
    flat = (4 * by_floor["floor"] + nth).fillna(0).astype(np.int64).sort_index()
    return house[properties["building_id"]].to_numpy(), flat.to_numpy()


def _spelling(style: int, street: str, kind: str, house: int, flat: int) -> str:
    short = STREET_KINDS[kind]
    if style == 0:
        return f"{house} {street} {short}." + (f", Apt. {flat}" if flat else "")
    if style == 1:
        return f"{street} {kind} {house}" + (f"/{flat}" if flat else "")
    if style == 2:
        return f"{house}, {street} {short}" + (f" - flat {flat}" if flat else "")
    if style == 3:
        return f"{street} {short} {house}" + (f", Unit {flat}" if flat else "")
    return (f"Apt {flat} " if flat else "No. ") + f"{house} {street} {kind}"


def _with_swapped_letters(street: str, letter: int) -> str:
    """The street with two neighbouring letters swapped, but never the first one."""
    at = 1 + letter % (len(street) - 2)
    return street[:at] + street[at + 1] + street[at] + street[at + 2 :]
