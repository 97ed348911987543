"""Where the simulated homes are: an address for each, as the register spells it and as others do."""

from __future__ import annotations

import numpy as np
import pandas as pd

FIRST = (
    "Alder", "Barley", "Cobble", "Damson", "Ember", "Fern", "Grebe", "Hazel", "Ivory", "Jasper", "Kelp", "Larch",
    "Mallow", "Nutmeg", "Orchard", "Pebble", "Quince", "Rowan", "Salt", "Teasel", "Umber", "Violet", "Willow", "Yarrow",
)  # fmt: skip
LAST = (
    "bank", "bourne", "brook", "combe", "croft", "dale", "field", "ford", "garth", "ham", "hurst", "lea", "marsh",
    "mere", "mill", "pool", "ridge", "shaw", "stead", "stow", "thorpe", "wick", "wood", "worth",
)  # fmt: skip
# The kinds of streets, each with how it is abbreviated.
STREETS = {
    "Street": "St", "Road": "Rd", "Lane": "Ln", "Avenue": "Ave", "Close": "Cl", "Terrace": "Terr", "Square": "Sq",
    "Court": "Ct", "Drive": "Dr", "Walk": "Wk",
}  # fmt: skip
HOMES_A_STREET = 30
SHARED = 0.6  # of neighbouring homes with a floor, how many stand in the same house
UNNUMBERED = 0.08  # of others' spellings of a flat's address, how many leave its number out
MISTYPED = 0.015  # of others' spellings, how many have two letters of the street swapped
UNUSUAL_CASE = 0.12  # of others' spellings, how many are all in capitals, and as many all in small letters


def give_addresses(rng: np.random.Generator, homes: pd.DataFrame) -> pd.DataFrame:
    """Each home's street, street_kind, house (number) and flat (number, 0 where the home has the house to itself).

    A street lies within one district and no two have the same name; neighbours share houses where they have floors.
    Raises ValueError where the names don't suffice.
    """
    street = _streets(rng, homes)
    count = int(street.max()) + 1
    names = [first + last for first in FIRST for last in LAST]
    kinds = list(STREETS)
    if count > len(names) * len(kinds):
        raise ValueError(f"simulate.properties: {len(homes)} are too many, there are names for {len(names)} streets")
    # Only beyond the first 576 streets do two share a name, told apart by their kinds.
    name = np.resize(rng.permutation(len(names)), count)
    kind = (rng.integers(0, len(kinds), len(names))[name] + np.arange(count) // len(names)) % len(kinds)
    house, flat = _numbers(rng, homes, street)
    return pd.DataFrame(
        {
            "street": np.array(names)[name][street],
            "street_kind": np.array(kinds)[kind][street],
            "house": house,
            "flat": flat,
        }
    )


def official(addresses: pd.DataFrame) -> list[str]:
    """The register's spelling: `Flat 7, 12 Saltmarsh Lane`."""
    parts = addresses[["street", "street_kind", "house", "flat"]].itertuples(index=False)
    return [(f"Flat {flat}, " if flat else "") + f"{house} {street} {kind}" for street, kind, house, flat in parts]


def others_spelling(rng: np.random.Generator, addresses: pd.DataFrame) -> list[str]:
    """How people who aren't the register spell addresses: abbreviated, in another order or case, with slips.

    Some leave out a flat's number, and few mistype the street.
    """
    count = len(addresses)
    draws = zip(
        rng.integers(0, 5, count).tolist(),
        (rng.random(count) < UNNUMBERED).tolist(),
        (rng.random(count) < MISTYPED).tolist(),
        rng.integers(1, 1_000_000, count).tolist(),
        rng.random(count).tolist(),
        strict=True,
    )
    parts = addresses[["street", "street_kind", "house", "flat"]].itertuples(index=False)
    lines = []
    for (street, kind, house, flat), (style, unnumbered, mistyped, where, case) in zip(parts, draws, strict=True):
        name = _swapped(street, where) if mistyped else street
        line = _styled(style, name, kind, house, 0 if unnumbered else flat)
        lines.append(line.upper() if case < UNUSUAL_CASE else line.lower() if case > 1 - UNUSUAL_CASE else line)
    return lines


def _streets(rng: np.random.Generator, homes: pd.DataFrame) -> np.ndarray:
    """The street of each home, by number: that whose middle, one of its homes, is nearest."""
    street, first = np.zeros(len(homes), dtype=np.int64), 0
    x, y, district = (homes[name].to_numpy() for name in ("x", "y", "district"))
    for number in np.unique(district):
        here = np.flatnonzero(district == number)
        middles = rng.permutation(here)[: -(-len(here) // HOMES_A_STREET)]
        far = np.hypot(x[here, None] - x[middles], y[here, None] - y[middles])
        street[here] = first + far.argmin(axis=1)
        first += len(middles)
    return street


def _numbers(rng: np.random.Generator, homes: pd.DataFrame, street: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """House and flat numbers, which rise along the street and from floor to floor."""
    along = np.lexsort([homes["x"].to_numpy() + homes["y"].to_numpy(), street])
    walk = pd.DataFrame({"street": street[along], "floor": homes["floor"].to_numpy()[along]})
    flats = walk["floor"].notna()
    shared = flats & flats.shift(fill_value=False) & (walk["street"] == walk["street"].shift())
    shared &= rng.random(len(walk)) < SHARED
    steps = np.where(shared, 0, rng.integers(1, 4, len(walk)))
    walk["house"] = pd.Series(steps).groupby(walk["street"]).cumsum()
    by_floor = walk.sort_values(["street", "house", "floor"], kind="stable")
    nth = by_floor.groupby(["street", "house"]).cumcount() + 1
    # Sorted by floor, a number that rises with both is nobody else's in the house.
    flat = (4 * by_floor["floor"] + nth).fillna(0).astype(np.int64).sort_index()
    back = np.argsort(along)
    return walk["house"].to_numpy()[back], flat.to_numpy()[back]


def _styled(style: int, street: str, kind: str, house: int, flat: int) -> str:
    short = STREETS[kind]
    if style == 0:
        return f"{house} {street} {short}." + (f", Apt. {flat}" if flat else "")
    if style == 1:
        return f"{street} {kind} {house}" + (f"/{flat}" if flat else "")
    if style == 2:
        return f"{house}, {street} {short}" + (f" - flat {flat}" if flat else "")
    if style == 3:
        return f"{street} {short} {house}" + (f", Unit {flat}" if flat else "")
    return (f"Apt {flat} " if flat else "No. ") + f"{house} {street} {kind}"


def _swapped(street: str, where: int) -> str:
    """The street with two neighbouring letters, not the first, the wrong way round."""
    at = 1 + where % (len(street) - 2)
    return street[:at] + street[at + 1] + street[at] + street[at + 2 :]
