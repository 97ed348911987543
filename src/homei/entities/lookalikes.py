"""Homes of one house that nothing but a unit's number tells apart, and how many of them no register may know.

That a listing without a unit's number agrees with a flat proves little where the next flat has the same plan, and that
may never have been sold. How often homes of one house agree by chance is counted in the register itself, over all that
is known together, as area, bedrooms and bathrooms of a plan go together.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# What differs between the homes of a house, with how often it agrees by chance: counted as EXPERIENCE pairs of homes.
TELLING = {"square_meters": 0.1, "floor": 0.2, "bedrooms": 0.4, "bathrooms": 0.5}
EXPERIENCE = 10
KNOWN = 0.9  # the share of homes that a register knows, counted as EXPERIENCE homes
COMPARED = 8  # homes that each is compared with; all of a tower would be too many
HOUSE = ["street", "house"]


def same_area(one: np.ndarray, other: np.ndarray, rounding: float) -> np.ndarray:
    """Whether two areas in m² are one, rounded: half a square metre apart is, whatever its share."""
    return np.abs(one - other) <= np.maximum(0.51, rounding * np.maximum(one, other))


def unknown_lookalikes(
    records: pd.DataFrame, properties: pd.DataFrame, pairs: pd.DataFrame, rounding: float
) -> np.ndarray:
    """How many homes that are no property are likely to fit the record of each pair as well as its property does.

    `pairs` have the row numbers `left` of records and `right` of properties. None where unit numbers or a house of its
    own tell, and infinitely many where what differs between the homes of a house contradicts.
    """
    one, other = records.iloc[pairs["left"]], properties.iloc[pairs["right"]]
    homes = properties.groupby(HOUSE)["house"].transform("size").fillna(1).to_numpy()[pairs["right"]]
    units = [rows["unit"].notna().to_numpy() for rows in (one, other)]
    told = (units[0] & units[1]) | (~units[0] & ~units[1] & (homes == 1))
    known = _share_known(records, properties)
    both, same = _agreement(one, other, rounding)
    expected = homes * (1 - known) / known * _by_chance(properties, both, rounding)
    return np.where(told, 0.0, np.where((both & ~same).any(axis=1), np.inf, expected))


def _share_known(records: pd.DataFrame, properties: pd.DataFrame) -> float:
    """The share of homes in the properties' houses that are properties, by the records that tell their unit."""
    units = properties[[*HOUSE, "unit"]].dropna().drop_duplicates()
    asked = records[[*HOUSE, "unit"]].dropna().drop_duplicates().merge(units[HOUSE].drop_duplicates(), on=HOUSE)
    return (len(asked.merge(units)) + KNOWN * EXPERIENCE) / (len(asked) + EXPERIENCE)


def _agreement(one: pd.DataFrame, other: pd.DataFrame, rounding: float) -> tuple[np.ndarray, np.ndarray]:
    """For each pair and attribute of TELLING whether both know it, and whether they agree."""
    left, right = (rows[[*TELLING]].to_numpy(float) for rows in (one, other))
    same = left == right
    area = [*TELLING].index("square_meters")
    same[:, area] = same_area(left[:, area], right[:, area], rounding)
    return ~np.isnan(left) & ~np.isnan(right), same


def _by_chance(properties: pd.DataFrame, both: np.ndarray, rounding: float) -> np.ndarray:
    """How often two homes of a house agree in all that each row of `both` says is known."""
    known, same = _agreement(*_housemates(properties), rounding)
    patterns, which = np.unique(both, axis=0, return_inverse=True)
    shares = np.zeros(len(patterns))
    for place, pattern in enumerate(patterns):
        comparable = known[:, pattern].all(axis=1)
        agreeing = same[comparable][:, pattern].all(axis=1).sum()
        usual = np.prod(np.array([*TELLING.values()])[pattern])
        shares[place] = (agreeing + usual * EXPERIENCE) / (comparable.sum() + EXPERIENCE)
    return shares[which.reshape(-1)]


def _housemates(properties: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs of homes of one house, of each home up to COMPARED, in an order that says nothing of their floors."""
    rows = properties.dropna(subset=HOUSE)
    rows = rows.iloc[np.random.default_rng(0).permutation(len(rows))].sort_values(HOUSE, kind="stable")
    house = rows.groupby(HOUSE).ngroup().to_numpy()
    mates = [np.flatnonzero(house[step:] == house[:-step]) for step in range(1, COMPARED + 1)]
    other = np.concatenate([found + step for step, found in enumerate(mates, 1)])
    return rows.iloc[np.concatenate(mates)], rows.iloc[other]
