"""Identical units: units in one building that differ only by unit number, some of them in no register.

A listing without unit number that agrees with a registered unit proves little where the next unit has the same plan
and may never have been sold. The register itself shows how often units in one building agree by chance, counted over
all attributes together, as area, bedrooms and bathrooms of a plan are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# The prior share of units in one building that agree in an attribute, with the weight of PRIOR_COUNT pairs.
CHANCE_AGREEMENT = {"square_meters": 0.1, "floor": 0.2, "bedrooms": 0.4, "bathrooms": 0.5}
REGISTERED_SHARE = 0.9  # the prior share of units that are registered, with the weight of PRIOR_COUNT units
PRIOR_COUNT = 10
COMPARED_UNITS = 8  # of each unit's building; all pairs in a tower would be too many
BUILDING = ["street", "house"]
BITS = 1 << np.arange(len(CHANCE_AGREEMENT))
N_CODES = 1 << len(CHANCE_AGREEMENT)


def is_same_area(a: np.ndarray, b: np.ndarray, rounding: float) -> np.ndarray:
    """Whether two areas in m² differ only by rounding: a share, or half a square metre."""
    return np.abs(a - b) <= np.maximum(0.51, rounding * np.maximum(a, b))


@dataclass(frozen=True)
class UnitStatistics:
    """How completely buildings are registered, and how often two of their units agree by chance.

    `agreement[known, equal]` is the number of pairs of units whose attributes of CHANCE_AGREEMENT are known and equal
    as the bits of the two indices say.
    """

    registered_share: float
    agreement: np.ndarray

    def chance(self, is_known: np.ndarray) -> np.ndarray:
        """The share of pairs of units that agree in the attributes of each row of `is_known`."""
        codes = _code(is_known)
        shares = np.zeros(N_CODES)
        numbers = np.arange(N_CODES)
        for code in np.unique(codes):
            includes = (numbers & code) == code
            pattern = (code & BITS) > 0
            prior = np.prod(np.array([*CHANCE_AGREEMENT.values()])[pattern])
            n_equal, n_comparable = self.agreement[includes][:, includes].sum(), self.agreement[includes].sum()
            shares[code] = (n_equal + prior * PRIOR_COUNT) / (n_comparable + PRIOR_COUNT)
        return shares[codes]


def expected_other_units(a: pd.DataFrame, b: pd.DataFrame, statistics: UnitStatistics, rounding: float) -> np.ndarray:
    """The expected number of unregistered units that fit a record of `a` as well as its match in `b`.

    0 if the unit number decides or the building has one unit; infinite if an attribute contradicts.
    """
    n_units = b["n_units"].to_numpy()
    has_unit_a, has_unit_b = (rows["unit"].notna().to_numpy() for rows in (a, b))
    is_decided = (has_unit_a & has_unit_b) | (~has_unit_a & ~has_unit_b & (n_units == 1))
    is_known, is_equal = _agreement(a, b, rounding)
    share = statistics.registered_share
    expected = n_units * (1 - share) / share * statistics.chance(is_known)
    return np.where(is_decided, 0.0, np.where((is_known & ~is_equal).any(axis=1), np.inf, expected))


def with_unit_counts(properties: pd.DataFrame) -> pd.DataFrame:
    """The properties with `n_units`: how many have the same street and house, 1 if either is unknown."""
    return properties.assign(n_units=properties.groupby(BUILDING)["house"].transform("size").fillna(1).astype(float))


def unit_statistics(records: pd.DataFrame, properties: pd.DataFrame, rounding: float) -> UnitStatistics:
    """Statistics of the properties' buildings.

    The registered share is that of the records with a unit number.
    """
    units = properties[[*BUILDING, "unit"]].dropna().drop_duplicates()
    sample = records[[*BUILDING, "unit"]].dropna().drop_duplicates()
    sample = sample.merge(units[BUILDING].drop_duplicates(), on=BUILDING)
    counts = agreement_counts(*_pairs_in_building(properties), rounding)
    return UnitStatistics(registered_share(len(sample.merge(units)), len(sample)), counts)


def registered_share(n_registered: int, n_units: int) -> float:
    """The registered share of the units in the properties' buildings, of which `n_units` are known."""
    return (n_registered + REGISTERED_SHARE * PRIOR_COUNT) / (n_units + PRIOR_COUNT)


def agreement_counts(a: pd.DataFrame, b: pd.DataFrame, rounding: float) -> np.ndarray:
    """The numbers of pairs as `UnitStatistics.agreement` has them."""
    is_known, is_equal = _agreement(a, b, rounding)
    codes = _code(is_known) * N_CODES + _code(is_known & is_equal)
    return np.bincount(codes, minlength=N_CODES * N_CODES).reshape(N_CODES, N_CODES)


def order_in_building(properties: pd.DataFrame) -> np.ndarray:
    """Numbers that put the units of a building into an arbitrary order, by property_id alone."""
    return pd.util.hash_array(properties["property_id"].to_numpy(object), categorize=False).view(np.int64)


def _code(flags: np.ndarray) -> np.ndarray:
    return flags @ BITS


def _agreement(a: pd.DataFrame, b: pd.DataFrame, rounding: float) -> tuple[np.ndarray, np.ndarray]:
    """By pair and attribute of CHANCE_AGREEMENT: are both values known, and are they equal?"""
    left, right = (rows[[*CHANCE_AGREEMENT]].to_numpy(float) for rows in (a, b))
    is_equal = left == right
    area = [*CHANCE_AGREEMENT].index("square_meters")
    is_equal[:, area] = is_same_area(left[:, area], right[:, area], rounding)
    return ~np.isnan(left) & ~np.isnan(right), is_equal


def _pairs_in_building(properties: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Arbitrary pairs of units in one building, up to COMPARED_UNITS a unit."""
    rows = properties.dropna(subset=BUILDING)
    rows = rows.assign(order=order_in_building(rows)).sort_values([*BUILDING, "order", "property_id"])
    building = rows.groupby(BUILDING).ngroup().to_numpy()
    first = [np.flatnonzero(building[step:] == building[:-step]) for step in range(1, COMPARED_UNITS + 1)]
    second = np.concatenate([positions + step for step, positions in enumerate(first, 1)])
    return rows.iloc[np.concatenate(first)], rows.iloc[second]
