"""Property resolution: which known property a record is about, by address, distance and attributes.

Candidates are pairs that share a street and house, or lie close together, or (without coordinates) share a location
and house number. Each piece of evidence adds to a pair's score or takes from it, in the manner of Fellegi and Sunter's
record linkage (A Theory for Record Linkage, 1969): agreement that is rare counts for much, contradiction for more.
"""

from __future__ import annotations

import difflib
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from homei.config import Match
from homei.entities.addresses import taken_apart
from homei.entities.lookalikes import same_area, unknown_lookalikes
from homei.features import keys
from homei.source import Coordinates

ATTRIBUTES = ("square_meters", "property_type", "year_built", "floor", "bedrooms", "bathrooms", "location")
# What an attribute adds where both tell the same, and where they differ.
WEIGHTS = {
    "property_type": (0.5, -2.0),
    "year_built": (1.5, -2.0),
    "floor": (1.0, -2.5),
    "bedrooms": (0.5, -1.5),
    "bathrooms": (0.5, -1.5),
    "location": (0.5, -1.0),
}
SIMILAR = 0.8  # from here on two streets' names are one, mistyped
LOOKALIKES = 0.02  # how many unknown homes may be expected to fit a record as well as its property


def match(records: pd.DataFrame, properties: pd.DataFrame, coordinates: Coordinates, settings: Match) -> pd.DataFrame:
    """The property of each record: `property_id` and `score`, by the records' index; both null where none is sure.

    Both tables have address, latitude, longitude and the attributes of ATTRIBUTES, null where unknown; properties have
    property_id. A record is left without a property where the best score is below `settings.score`, or another
    property's comes within `settings.margin` of it, or where homes that nobody knows are likely to fit as well.
    """
    nothing = pd.DataFrame({"property_id": None, "score": np.nan}, index=records.index)
    if records.empty or properties.empty:
        return nothing
    left, right = _prepared(records, coordinates), _prepared(properties, coordinates)
    pairs = _candidates(left, right, settings)
    pairs["score"] = _scores(left, right, pairs, settings)
    pairs["property_id"] = properties["property_id"].to_numpy()[pairs["right"]]
    pairs = pairs.sort_values(["left", "score", "property_id"], ascending=[True, False, True])
    best = pairs.groupby("left").head(1).set_index("left")
    second = pairs[pairs["left"].duplicated()].groupby("left")["score"].first().reindex(best.index)
    found = best[(best["score"] >= settings.score) & ~(best["score"] - second < settings.margin)].reset_index()
    found = found[unknown_lookalikes(left, right, found, settings.area) <= LOOKALIKES].set_index("left")
    nothing.iloc[found.index, [0, 1]] = found[["property_id", "score"]].to_numpy()
    return nothing.astype({"score": float})


def _prepared(rows: pd.DataFrame, coordinates: Coordinates) -> pd.DataFrame:
    """The evidence in rows that are numbered from 0."""
    parts = taken_apart(rows["address"])
    x, y = keys.project(rows["latitude"].to_numpy(float), rows["longitude"].to_numpy(float), coordinates)
    return rows[[*ATTRIBUTES]].assign(**parts, x=x, y=y).reset_index(drop=True)


def _candidates(left: pd.DataFrame, right: pd.DataFrame, settings: Match) -> pd.DataFrame:
    blocks = [_sharing(left, right, ["street", "house"]), _close(left, right, settings.distance)]
    # Where a street is mistyped and nobody knows where it is, only the rest can tell.
    blocks.append(_sharing(left[left["x"].isna()], right, ["location", "house"]))
    return pd.concat(blocks, ignore_index=True).drop_duplicates(ignore_index=True)


def _sharing(left: pd.DataFrame, right: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    sides = [
        rows[columns].dropna().rename_axis(name).reset_index() for name, rows in (("left", left), ("right", right))
    ]
    return sides[0].merge(sides[1], on=columns)[["left", "right"]]


def _close(left: pd.DataFrame, right: pd.DataFrame, distance: float) -> pd.DataFrame:
    sides = [rows[["x", "y"]].dropna() for rows in (left, right)]
    if sides[0].empty or sides[1].empty:
        return pd.DataFrame({"left": [], "right": []}, dtype=np.int64)
    near = cKDTree(sides[1]).query_ball_point(sides[0], distance)
    counts = [len(found) for found in near]
    found = np.concatenate([np.asarray(some, dtype=np.int64) for some in near])
    return pd.DataFrame({"left": np.repeat(sides[0].index, counts), "right": sides[1].index.to_numpy()[found]})


def _scores(left: pd.DataFrame, right: pd.DataFrame, pairs: pd.DataFrame, settings: Match) -> np.ndarray:
    a = left.iloc[pairs["left"]].reset_index(drop=True)
    b = right.iloc[pairs["right"]].reset_index(drop=True)
    known = set(right["street"].dropna())
    score = _address_score(a, b, known) + _distance_score(a, b, settings.distance) + _area_score(a, b, settings.area)
    for name, (same, other) in WEIGHTS.items():
        known = (a[name].notna() & b[name].notna()).to_numpy()
        score += np.where(known, np.where((a[name] == b[name]).to_numpy(), same, other), 0.0)
    return score


def _address_score(a: pd.DataFrame, b: pd.DataFrame, known: set[str]) -> np.ndarray:
    """`known` are the properties' streets: no name among them is another one mistyped."""
    streets = (a["street"].notna() & b["street"].notna()).to_numpy()
    likeness = np.array([_likeness(*pair) for pair in zip(a["street"], b["street"], strict=True)])
    likeness = np.where(a["street"].isin(known).to_numpy() & (likeness < 1.0), 0.0, likeness)
    street = np.where(likeness == 1.0, 1.5, np.where(likeness >= SIMILAR, 1.0, -5.0))
    houses = (a["house"].notna() & b["house"].notna()).to_numpy()
    house = np.where((a["house"] == b["house"]).to_numpy(), 1.5, -8.0)
    units = (a["unit"].notna() & b["unit"].notna()).to_numpy()
    unit = np.where((a["unit"] == b["unit"]).to_numpy(), 3.0, -10.0)
    return np.where(streets, street, 0.0) + np.where(houses, house, 0.0) + np.where(units, unit, 0.0)


@lru_cache(maxsize=100_000)
def _likeness(one: str | None, other: str | None) -> float:
    if one is None or other is None or one == other:
        return float(one is not None and one == other)
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _distance_score(a: pd.DataFrame, b: pd.DataFrame, near: float) -> np.ndarray:
    metres = np.hypot(a["x"] - b["x"], a["y"] - b["y"]).to_numpy()
    return np.select([np.isnan(metres), metres <= near / 2, metres <= near, metres <= 4 * near], [0, 2, 1, -2], -5.0)


def _area_score(a: pd.DataFrame, b: pd.DataFrame, rounding: float) -> np.ndarray:
    one, other = a["square_meters"].to_numpy(float), b["square_meters"].to_numpy(float)
    unknown = np.isnan(one) | np.isnan(other)
    like = np.abs(one - other) <= 3 * rounding * np.maximum(one, other)
    return np.select([unknown, same_area(one, other, rounding), like], [0.0, 2.0, -0.5], -3.0)
