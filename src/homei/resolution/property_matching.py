"""Property matching: the known property of each record, by address, distance and attributes.

Candidates are pairs that share a street and house, or lie close together, or (without coordinates) share a location
and house number. Each piece of evidence adds to a pair's score or subtracts from it, in the manner of Fellegi and
Sunter (A Theory for Record Linkage, 1969): rare agreement counts for much, contradiction for more.
"""

from __future__ import annotations

import difflib
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from homei.config import projection
from homei.config.projection import Coordinates
from homei.resolution.addresses import parse_addresses
from homei.resolution.config import MatchConfig
from homei.resolution.identical_units import expected_other_units, is_same_area

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
) -> pd.DataFrame:
    """`property_id` and `score` by the records' index; both null where no property is certain.

    Both tables have address, latitude, longitude and ATTRIBUTES, null where unknown; properties have property_id.
    A record has no match if the best score is below `settings.score`, if another property's score comes within
    `settings.margin` of it, or if an unregistered unit probably fits as well.
    """
    matches = pd.DataFrame({"property_id": None, "score": np.nan}, index=records.index)
    if records.empty or properties.empty:
        return matches
    left, right = _evidence(records, coordinates), _evidence(properties, coordinates)
    pairs = _candidates(left, right, settings)
    pairs["score"] = _scores(left, right, pairs, settings)
    pairs["property_id"] = properties["property_id"].to_numpy()[pairs["right"]]
    pairs = pairs.sort_values(["left", "score", "property_id"], ascending=[True, False, True])
    best = pairs.groupby("left").head(1).set_index("left")
    second = pairs[pairs["left"].duplicated()].groupby("left")["score"].first().reindex(best.index)
    certain = best[(best["score"] >= settings.score) & ~(best["score"] - second < settings.margin)].reset_index()
    certain = certain[expected_other_units(left, right, certain, settings.area) <= MAX_OTHER_UNITS].set_index("left")
    matches.iloc[certain.index, [0, 1]] = certain[["property_id", "score"]].to_numpy()
    return matches.astype({"score": float})


def _evidence(rows: pd.DataFrame, coordinates: Coordinates) -> pd.DataFrame:
    """Attributes, parts of the address and position in metres, numbered from 0."""
    parts = parse_addresses(rows["address"])
    x, y = projection.project(rows["latitude"].to_numpy(float), rows["longitude"].to_numpy(float), coordinates)
    return rows[[*ATTRIBUTES]].assign(**parts, x=x, y=y).reset_index(drop=True)


def _candidates(left: pd.DataFrame, right: pd.DataFrame, settings: MatchConfig) -> pd.DataFrame:
    blocks = [
        _pairs_sharing(left, right, ["street", "house"]),
        _pairs_within(left, right, settings.distance_m),
        # A record with a mistyped street and no coordinates is in neither of the others.
        _pairs_sharing(left[left["x"].isna()], right, ["location", "house"]),
    ]
    return pd.concat(blocks, ignore_index=True).drop_duplicates(ignore_index=True)


def _pairs_sharing(left: pd.DataFrame, right: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    sides = [
        rows[columns].dropna().rename_axis(name).reset_index() for name, rows in (("left", left), ("right", right))
    ]
    return sides[0].merge(sides[1], on=columns)[["left", "right"]]


def _pairs_within(left: pd.DataFrame, right: pd.DataFrame, distance_m: float) -> pd.DataFrame:
    sides = [rows[["x", "y"]].dropna() for rows in (left, right)]
    if sides[0].empty or sides[1].empty:
        return pd.DataFrame({"left": [], "right": []}, dtype=np.int64)
    neighbours = cKDTree(sides[1]).query_ball_point(sides[0], distance_m)
    counts = [len(positions) for positions in neighbours]
    positions = np.concatenate([np.asarray(positions, dtype=np.int64) for positions in neighbours])
    return pd.DataFrame({"left": np.repeat(sides[0].index, counts), "right": sides[1].index.to_numpy()[positions]})


def _scores(left: pd.DataFrame, right: pd.DataFrame, pairs: pd.DataFrame, settings: MatchConfig) -> np.ndarray:
    a = left.iloc[pairs["left"]].reset_index(drop=True)
    b = right.iloc[pairs["right"]].reset_index(drop=True)
    streets = set(right["street"].dropna())
    score = (
        _address_score(a, b, streets) + _distance_score(a, b, settings.distance_m) + _area_score(a, b, settings.area)
    )
    for name, (equal, different) in WEIGHTS.items():
        score += _score(a, b, name, equal, different)
    return score


def _score(a: pd.DataFrame, b: pd.DataFrame, column: str, equal: float, different: float) -> np.ndarray:
    is_known = (a[column].notna() & b[column].notna()).to_numpy()
    return np.where(is_known, np.where((a[column] == b[column]).to_numpy(), equal, different), 0.0)


def _address_score(a: pd.DataFrame, b: pd.DataFrame, streets: set[str]) -> np.ndarray:
    """`streets` are the properties' streets; a record's street among them is not another one mistyped."""
    is_known = (a["street"].notna() & b["street"].notna()).to_numpy()
    similarity = np.array([_similarity(*pair) for pair in zip(a["street"], b["street"], strict=True)])
    similarity = np.where(a["street"].isin(streets).to_numpy() & (similarity < 1.0), 0.0, similarity)
    street = np.where(similarity == 1.0, 1.5, np.where(similarity >= MISTYPED_SIMILARITY, 1.0, -5.0))
    return np.where(is_known, street, 0.0) + _score(a, b, "house", 1.5, -8.0) + _score(a, b, "unit", 3.0, -10.0)


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
