"""Candidate pairs of property matching: pairs of a record and a property that share a block.

A pair is a candidate if both sides share a street and house, lie within the largest distance of each other, or (for a
record without coordinates) share a location and house number. A block with more than MAX_BLOCK properties would make
too many pairs: those of one address are compared by unit number too, the others only through other blocks.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from homei.config import projection
from homei.resolution.config import MatchConfig

MAX_BLOCK = 2000  # properties of one block
# The columns that a block's records and properties share. Records near a crowded cell are those in the 3 × 3 around it.
BLOCKS = {"address": ["street", "house"], "cell": ["cell_x", "cell_y"], "location": ["location", "house"]}
# The score of a house or unit number that agrees, and of one that differs; 0 if either is missing.
NUMBER_WEIGHTS = {"house": (1.5, -8.0), "unit": (3.0, -10.0)}
MAX_OTHER_SCORE = 10.0  # of all evidence but house and unit number
RECORDS_AT_ONCE = 10_000  # whose neighbours are in memory together
AROUND = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]


def with_cells(evidence: pd.DataFrame, distance_m: float) -> pd.DataFrame:
    """The evidence with `cell_x` and `cell_y`: its square of side `distance_m`, null without a position."""
    x, y = projection.cell(evidence["x"], evidence["y"], distance_m, np.floor)
    return evidence.assign(cell_x=x, cell_y=y)


def candidate_pairs(
    left: pd.DataFrame, right: pd.DataFrame, settings: MatchConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Row numbers of the candidates, `left` of records, `right` of properties; and oversized blocks.

    An oversized block has `block` (a key of BLOCKS), `key`, its `properties`, and the `records`, more than none, that
    were not compared in it.
    """
    in_large = {name: _is_in_large(right, columns) for name, columns in BLOCKS.items()}
    without_position = left[left["x"].isna()]
    pairs = [
        _pairs_sharing(left, right[~in_large["address"]], BLOCKS["address"]),
        _pairs_sharing(left, right[in_large["address"]], [*BLOCKS["address"], "unit"]),
        _pairs_within(left, right[~in_large["cell"]], settings),
        # A record with a mistyped street and no coordinates is in none of the others.
        _pairs_sharing(without_position, right[~in_large["location"]], BLOCKS["location"]),
    ]
    candidates = pd.concat(pairs, ignore_index=True).drop_duplicates(ignore_index=True)
    candidates = candidates[_can_matter(left, right, candidates, settings)].reset_index(drop=True)
    return candidates, pd.concat([_oversized(left, right[in_large[name]], name) for name in BLOCKS], ignore_index=True)


def _is_in_large(right: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return (right.groupby(columns)["property_id"].transform("size") > MAX_BLOCK).to_numpy()


def _pairs_sharing(left: pd.DataFrame, right: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    sides = [
        rows[columns].dropna().rename_axis(name).reset_index() for name, rows in (("left", left), ("right", right))
    ]
    return sides[0].merge(sides[1], on=columns)[["left", "right"]]


def _pairs_within(left: pd.DataFrame, right: pd.DataFrame, settings: MatchConfig) -> pd.DataFrame:
    sides = [rows[["x", "y"]].dropna() for rows in (left, right)]
    parts = [pd.DataFrame({"left": [], "right": []}, dtype=np.int64)]
    if sides[0].empty or sides[1].empty:
        return parts[0]
    tree = cKDTree(sides[1])
    for start in range(0, len(sides[0]), RECORDS_AT_ONCE):
        part = sides[0].iloc[start : start + RECORDS_AT_ONCE]
        # The tree may round a distance; whether it is within the largest one is decided below.
        neighbours = tree.query_ball_point(part, settings.distance_m * (1 + 1e-9))
        positions = np.concatenate([np.asarray(positions, dtype=np.int64) for positions in neighbours])
        pairs = pd.DataFrame(
            {
                "left": np.repeat(part.index, [len(positions) for positions in neighbours]),
                "right": sides[1].index.to_numpy()[positions],
            }
        )
        a, b = left.loc[pairs["left"], ["x", "y"]].to_numpy(), right.loc[pairs["right"], ["x", "y"]].to_numpy()
        x, y = (a - b).T
        pairs = pairs[x * x + y * y <= settings.distance_m * settings.distance_m]
        parts.append(pairs[_can_matter(left, right, pairs, settings)])
    return pd.concat(parts, ignore_index=True)


def least_score(settings: MatchConfig) -> float:
    """The score up to which a pair is neither a match nor too close a second to one."""
    return settings.score - settings.margin


def _can_matter(left: pd.DataFrame, right: pd.DataFrame, pairs: pd.DataFrame, settings: MatchConfig) -> np.ndarray:
    """Whether the highest score that the house and unit numbers of each pair permit can decide anything."""
    highest = np.full(len(pairs), MAX_OTHER_SCORE)
    for column, (equal, different) in NUMBER_WEIGHTS.items():
        codes = pd.factorize(pd.concat([left[column], right[column]]))[0]
        a = pd.Series(codes[: len(left)], left.index).loc[pairs["left"]].to_numpy()
        b = pd.Series(codes[len(left) :], right.index).loc[pairs["right"]].to_numpy()
        highest += np.where((a < 0) | (b < 0), 0.0, np.where(a == b, equal, different))
    return highest > least_score(settings)


def _oversized(left: pd.DataFrame, right: pd.DataFrame, block: str) -> pd.DataFrame:
    columns = BLOCKS[block]
    large = right.groupby(columns).size().rename("properties").reset_index()
    records = left[[*columns]].dropna()
    if block == "cell":
        records = pd.concat([records + step for step in AROUND])
    elif block == "address":
        records = records[left.loc[records.index, "unit"].isna()]
    else:
        records = records[left.loc[records.index, "x"].isna()]
    counts = large[columns].merge(records, on=columns).groupby(columns).size().rename("records").reset_index()
    large = large.merge(counts, on=columns)
    return large.assign(block=block, key=block_key(large[columns]))[["block", "key", "properties", "records"]]


def block_key(values: pd.DataFrame) -> pd.Series:
    """The values of a block's columns as one text."""
    parts = [values[name].map("{:.0f}".format) if values[name].dtype == float else values[name] for name in values]
    return parts[0].astype(str) + " " + parts[1].astype(str)
