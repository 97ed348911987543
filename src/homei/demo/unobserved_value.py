"""The part of a true price that no register records: street, building, condition, local trends.

All of it lasts longer than a single sale, so that repeat sales and comparable sales nearby reveal it; attributes and
coordinates alone do not. It belongs to the true price: the noise of a single sale comes on top.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from homei.demo.config import SimulateConfig
from homei.demo.synthetic_geography import distances

TREND_MONTHS = (12, 36)
RAMP_MONTHS = 4  # in which a trend grows to its peak, and in which it fades
RENOVATION_GAIN = (0.5, 1.5)  # of the average gain
BLOCK = 4096  # pairs at a time: the effects of all trends on all sales would take 200 MB
BOUND = 2.5  # standard deviations at which effects are cut off


@dataclass(frozen=True)
class UnobservedValue:
    """Effects on log price per m², by property.

    lasting: street, building, view and condition together. renovated_in: the month, from 0, from which
    renovation_gain counts; the number of simulated months where there is no renovation. trends: x, y (metres), start
    (month), months (length) and peak (effect at its centre and height) of each local trend. trend_weight: properties ×
    trends, 1 at a trend's centre.
    """

    lasting: np.ndarray
    renovated_in: np.ndarray
    renovation_gain: np.ndarray
    trends: pd.DataFrame
    trend_weight: np.ndarray

    def at(self, property_row: np.ndarray, month: np.ndarray) -> np.ndarray:
        """The effect for each pair of property and month."""
        renovated = month >= self.renovated_in[property_row]
        trend = np.zeros(len(month))
        for first in range(0, len(month), BLOCK):
            rows = slice(first, first + BLOCK)
            trend[rows] = (self.trend_weight[property_row[rows]] * trend_levels(self.trends, month[rows])).sum(axis=1)
        return self.lasting[property_row] + renovated * self.renovation_gain[property_row] + trend


def draw_unobserved_value(
    rng: np.random.Generator, properties: pd.DataFrame, simulate: SimulateConfig
) -> UnobservedValue:
    """Draws the effects for `properties` (street_id, building_id, x, y)."""
    config, count = simulate.unobserved, len(properties)
    street, building, single, renovation, trend = rng.spawn(5)
    street_id, building_id = properties["street_id"].to_numpy(), properties["building_id"].to_numpy()
    # A house is a building of one property: its own effect is enough.
    in_block = properties["floor"].notna().to_numpy()
    lasting = (
        config.street * _normal(street, street_id.max() + 1)[street_id]
        + config.building * _normal(building, building_id.max() + 1)[building_id] * in_block
        + config.property * _normal(single, count)
    )
    is_renovated = renovation.random(count) < config.renovated_share
    month = renovation.integers(0, simulate.months, count)
    gain = config.renovation_gain * renovation.uniform(*RENOVATION_GAIN, count)
    trends = _draw_trends(trend, properties, simulate)
    distance = distances(properties["x"].to_numpy(), properties["y"].to_numpy(), trends)
    return UnobservedValue(
        lasting=lasting,
        renovated_in=np.where(is_renovated, month, simulate.months),
        renovation_gain=np.where(is_renovated, gain, 0.0),
        trends=trends,
        trend_weight=np.exp(-0.5 * (distance / simulate.local_trends.radius_m) ** 2),
    )


def trend_levels(trends: pd.DataFrame, month: np.ndarray) -> np.ndarray:
    """Months × trends: each trend's effect at its centre.

    It grows to its peak during the first RAMP_MONTHS, and is gone after the last ones.
    """
    since_start = month[:, None] - trends["start"].to_numpy()
    to_end = trends["months"].to_numpy() - since_start
    return trends["peak"].to_numpy() * np.clip(np.minimum(since_start, to_end) / RAMP_MONTHS, 0, 1)


def _draw_trends(rng: np.random.Generator, properties: pd.DataFrame, simulate: SimulateConfig) -> pd.DataFrame:
    """Pairs of trends, at random times that may begin before the first month.

    While one neighbourhood of a district booms, another one slumps, so that the district as a whole hardly moves.
    """
    pairs = simulate.local_trends.pairs
    centre = np.empty((pairs, 2), dtype=np.int64)
    centre[:, 0] = rng.integers(0, len(properties), pairs)
    district = properties["district"].to_numpy()
    for pair, row in enumerate(centre[:, 0]):
        centre[pair, 1] = rng.choice(np.flatnonzero(district == district[row]))
    start = rng.integers(-TREND_MONTHS[1] // 2, simulate.months, pairs)
    months = rng.integers(TREND_MONTHS[0], TREND_MONTHS[1] + 1, pairs)
    peak = simulate.local_trends.peak * rng.uniform(0.5, 1.0, pairs)
    centres = properties.iloc[centre.ravel()]
    return pd.DataFrame(
        {
            "x": centres["x"].to_numpy(),
            "y": centres["y"].to_numpy(),
            "start": start.repeat(2),
            "months": months.repeat(2),
            "peak": np.column_stack([peak, -peak]).ravel(),
        }
    )


def _normal(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.clip(rng.standard_normal(count), -BOUND, BOUND)
