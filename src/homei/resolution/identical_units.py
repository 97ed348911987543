"""Identical units: units in one building that differ only by unit number, some of them in no register.

A listing without unit number that agrees with a registered unit proves little where the next unit has the same plan
and may never have been sold. The register itself shows how often units in one building agree by chance, counted over
all attributes together, as area, bedrooms and bathrooms of a plan are not independent.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# The prior share of units in one building that agree in an attribute, with the weight of PRIOR_COUNT pairs.
CHANCE_AGREEMENT = {"square_meters": 0.1, "floor": 0.2, "bedrooms": 0.4, "bathrooms": 0.5}
REGISTERED_SHARE = 0.9  # the prior share of units that are registered, with the weight of PRIOR_COUNT units
PRIOR_COUNT = 10
COMPARED_UNITS = 8  # of each unit's building; all pairs in a tower would be too many
BUILDING = ["street", "house"]


def is_same_area(a: np.ndarray, b: np.ndarray, rounding: float) -> np.ndarray:
    """Whether two areas in m² differ only by rounding: a share, or half a square metre."""
    return np.abs(a - b) <= np.maximum(0.51, rounding * np.maximum(a, b))


def expected_other_units(
    records: pd.DataFrame, properties: pd.DataFrame, pairs: pd.DataFrame, rounding: float
) -> np.ndarray:
    """The expected number of unregistered units that fit a pair's record as well as its property.

    `pairs` has the row numbers `left` of records and `right` of properties. 0 if the unit number decides or the
    building has one unit; infinite if an attribute contradicts.
    """
    a, b = records.iloc[pairs["left"]], properties.iloc[pairs["right"]]
    n_units = properties.groupby(BUILDING)["house"].transform("size").fillna(1).to_numpy()[pairs["right"]]
    has_unit_a, has_unit_b = (rows["unit"].notna().to_numpy() for rows in (a, b))
    is_decided = (has_unit_a & has_unit_b) | (~has_unit_a & ~has_unit_b & (n_units == 1))
    share = _registered_share(records, properties)
    is_known, is_equal = _agreement(a, b, rounding)
    expected = n_units * (1 - share) / share * _chance_agreement(properties, is_known, rounding)
    return np.where(is_decided, 0.0, np.where((is_known & ~is_equal).any(axis=1), np.inf, expected))


def _registered_share(records: pd.DataFrame, properties: pd.DataFrame) -> float:
    """The registered share of the units in the properties' buildings.

    It is estimated from the records with a unit number.
    """
    units = properties[[*BUILDING, "unit"]].dropna().drop_duplicates()
    sample = records[[*BUILDING, "unit"]].dropna().drop_duplicates()
    sample = sample.merge(units[BUILDING].drop_duplicates(), on=BUILDING)
    return (len(sample.merge(units)) + REGISTERED_SHARE * PRIOR_COUNT) / (len(sample) + PRIOR_COUNT)


def _agreement(a: pd.DataFrame, b: pd.DataFrame, rounding: float) -> tuple[np.ndarray, np.ndarray]:
    """By pair and attribute of CHANCE_AGREEMENT: are both values known, and are they equal?"""
    left, right = (rows[[*CHANCE_AGREEMENT]].to_numpy(float) for rows in (a, b))
    is_equal = left == right
    area = [*CHANCE_AGREEMENT].index("square_meters")
    is_equal[:, area] = is_same_area(left[:, area], right[:, area], rounding)
    return ~np.isnan(left) & ~np.isnan(right), is_equal


def _chance_agreement(properties: pd.DataFrame, patterns: np.ndarray, rounding: float) -> np.ndarray:
    """The share of pairs of units in one building that agree in the attributes of each pattern."""
    is_known, is_equal = _agreement(*_pairs_in_building(properties), rounding)
    unique_patterns, position = np.unique(patterns, axis=0, return_inverse=True)
    shares = np.zeros(len(unique_patterns))
    for row, pattern in enumerate(unique_patterns):
        is_comparable = is_known[:, pattern].all(axis=1)
        n_equal = is_equal[is_comparable][:, pattern].all(axis=1).sum()
        prior = np.prod(np.array([*CHANCE_AGREEMENT.values()])[pattern])
        shares[row] = (n_equal + prior * PRIOR_COUNT) / (is_comparable.sum() + PRIOR_COUNT)
    return shares[position.reshape(-1)]


def _pairs_in_building(properties: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Random pairs of units in one building, up to COMPARED_UNITS a unit."""
    rows = properties.dropna(subset=BUILDING)
    rows = rows.iloc[np.random.default_rng(0).permutation(len(rows))].sort_values(BUILDING, kind="stable")
    building = rows.groupby(BUILDING).ngroup().to_numpy()
    first = [np.flatnonzero(building[step:] == building[:-step]) for step in range(1, COMPARED_UNITS + 1)]
    second = np.concatenate([positions + step for step, positions in enumerate(first, 1)])
    return rows.iloc[np.concatenate(first)], rows.iloc[second]
