"""Property matching: the known property of each record, by address, distance and attributes.

Each piece of evidence adds to a candidate pair's score or subtracts from it, in the manner of Fellegi and Sunter (A
Theory for Record Linkage, 1969): rare agreement counts for much, contradiction for more.
"""

from __future__ import annotations

import difflib
from functools import lru_cache

import numpy as np
import pandas as pd

from homei.config import projection
from homei.config.projection import Coordinates
from homei.resolution.addresses import parse_addresses
from homei.resolution.candidate_blocks import NUMBER_WEIGHTS, candidate_pairs, with_cells
from homei.resolution.config import MatchConfig
from homei.resolution.identical_units import (
    UnitStatistics,
    expected_other_units,
    is_same_area,
    unit_statistics,
    with_unit_counts,
)

ATTRIBUTES = ("square_meters", "property_type", "year_built", "floor", "bedrooms", "bathrooms", "location")
# The score of an attribute that agrees, and of one that differs; 0 if either is missing.
WEIGHTS = {
    "property_type": (0.5, -2.0),
    "year_built": (1.5, -2.0),
    "floor": (1.0, -2.5),
    "bedrooms": (0.5, -1.5),
    "bathrooms": (0.5, -1.5),
    "location": (0.5, -1.0),
}
MISTYPED_SIMILARITY = 0.8  # from here on, two street names count as one with a typing error
MAX_OTHER_UNITS = 0.02  # expected unregistered units that fit a record as well as the matched property


def match_properties(
    records: pd.DataFrame, properties: pd.DataFrame, coordinates: Coordinates, settings: MatchConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`property_id` and `score` by the records' index, null without a match; and oversized blocks.

    Both tables have address, latitude, longitude and ATTRIBUTES, null where unknown; properties have property_id.
    A record has no match if the best score is below `settings.score`, if another property's score comes within
    `settings.margin` of it, or if an unregistered unit probably fits as well. See `candidate_blocks` for oversized
    blocks, whose properties are not all compared.
    """
    matches = pd.DataFrame({"property_id": None, "score": np.nan}, index=records.index)
    left, right = evidence(records, coordinates, settings), evidence(properties, coordinates, settings)
    right = with_unit_counts(right.assign(property_id=properties["property_id"].to_numpy()))
    pairs, oversized = candidate_pairs(left, right, settings)
    if pairs.empty:
        return matches.astype({"score": float}), oversized
    left = left.assign(is_known_street=left["street"].isin(set(right["street"].dropna())))
    statistics = unit_statistics(left, right, settings.area)
    a = left.loc[pairs["left"]].reset_index(drop=True)
    b = right.loc[pairs["right"]].reset_index(drop=True)
    pairs = pairs.assign(property_id=b["property_id"], **score_pairs(a, b, statistics, settings))
    pairs = pairs.sort_values(["left", "score", "property_id"], ascending=[True, False, True])
    best = pairs.groupby("left").head(1).set_index("left")
    second = pairs[pairs["left"].duplicated()].groupby("left")["score"].first().reindex(best.index)
    certain = best[(best["score"] >= settings.score) & ~(best["score"] - second < settings.margin)]
    certain = certain[certain["other_units"] <= MAX_OTHER_UNITS]
    matches.iloc[certain.index, [0, 1]] = certain[["property_id", "score"]].to_numpy()
    return matches.astype({"score": float}), oversized


def evidence(rows: pd.DataFrame, coordinates: Coordinates, settings: MatchConfig) -> pd.DataFrame:
    """Attributes, parts of the address, position in metres and its cell, numbered from 0."""
    parts = parse_addresses(rows["address"])
    x, y = projection.project(rows["latitude"].to_numpy(float), rows["longitude"].to_numpy(float), coordinates)
    return with_cells(rows[[*ATTRIBUTES]].assign(**parts, x=x, y=y).reset_index(drop=True), settings.distance_m)


def score_pairs(
    a: pd.DataFrame, b: pd.DataFrame, statistics: UnitStatistics, settings: MatchConfig
) -> dict[str, np.ndarray]:
    """`score` and `other_units` of pairs: row by row of the records `a` and the properties `b`.

    `a` has `is_known_street`: a record's street that properties have too is not another one mistyped. `b` has
    `n_units`, the properties at its street and house.
    """
    score = _address_score(a, b) + _distance_score(a, b, settings.distance_m) + _area_score(a, b, settings.area)
    for name, (equal, different) in WEIGHTS.items():
        score += _score(a, b, name, equal, different)
    return {"score": score, "other_units": expected_other_units(a, b, statistics, settings.area)}


def _score(a: pd.DataFrame, b: pd.DataFrame, column: str, equal: float, different: float) -> np.ndarray:
    is_known = (a[column].notna() & b[column].notna()).to_numpy()
    return np.where(is_known, np.where((a[column] == b[column]).to_numpy(), equal, different), 0.0)


def _address_score(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
    is_known = (a["street"].notna() & b["street"].notna()).to_numpy()
    similarity = np.array([_similarity(*pair) for pair in zip(a["street"], b["street"], strict=True)])
    similarity = np.where(a["is_known_street"].to_numpy(bool) & (similarity < 1.0), 0.0, similarity)
    street = np.where(similarity == 1.0, 1.5, np.where(similarity >= MISTYPED_SIMILARITY, 1.0, -5.0))
    numbers = sum(_score(a, b, name, *weights) for name, weights in NUMBER_WEIGHTS.items())
    return np.where(is_known, street, 0.0) + numbers


@lru_cache(maxsize=100_000)
def _similarity(a: str | None, b: str | None) -> float:
    if a is None or b is None or a == b:
        return float(a is not None and a == b)
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


def _distance_score(a: pd.DataFrame, b: pd.DataFrame, near_m: float) -> np.ndarray:
    distance_m = np.hypot(a["x"] - b["x"], a["y"] - b["y"]).to_numpy()
    limits = [np.isnan(distance_m), distance_m <= near_m / 2, distance_m <= near_m, distance_m <= 4 * near_m]
    return np.select(limits, [0, 2, 1, -2], -5.0)


def _area_score(a: pd.DataFrame, b: pd.DataFrame, rounding: float) -> np.ndarray:
    area_a, area_b = a["square_meters"].to_numpy(float), b["square_meters"].to_numpy(float)
    is_unknown = np.isnan(area_a) | np.isnan(area_b)
    is_similar = np.abs(area_a - area_b) <= 3 * rounding * np.maximum(area_a, area_b)
    return np.select([is_unknown, is_same_area(area_a, area_b, rounding), is_similar], [0.0, 2.0, -0.5], -3.0)
