"""Sales of a small city: thirty months of prices that follow area, floor and location."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd

from homei.features.columns import month_of, numeric_inputs


def sample_sales(
    sections: SimpleNamespace,
    count: int,
    noise: float = 0.1,
    seed: int = 3,
    locations: Sequence[str] = ("harbour", "hill", "station"),
) -> pd.DataFrame:
    """A training set in random order within its months; `noise` is the standard deviation of the log price."""
    draw = np.random.default_rng(seed)
    features = {name: draw.normal(size=count) for name in numeric_inputs(sections.city, sections.features)}
    floor, area = draw.integers(0, 9, count).astype(float), np.round(draw.uniform(30, 200, count), 1)
    location = draw.choice(list(locations), count)
    floor[draw.random(count) < 0.1] = np.nan
    months = np.arange(count) * 30 // count
    attributes = {
        "transaction_id": [f"T{number}" for number in range(count)],
        "month": month_of(sections.city.as_of) - 29 + months,
        "square_meters": area,
        "property_type": draw.choice(["flat", "house"], count),
        "location": location,
        "year_built": 1950.0 + draw.integers(0, 70, count),
        "floor": floor,
        "comparable_distance": 0.3,
        "alike_distance": 0.1,
        "market_level": np.round(8 + 0.003 * months, 6),
    }
    level = attributes["market_level"] + 0.02 * np.nan_to_num(floor, nan=4.0) + 0.25 * (location == "harbour")
    price = np.round(area * np.exp(level + draw.normal(0, noise, count)), 2)
    return pd.DataFrame({**features, **attributes, "price": price})
