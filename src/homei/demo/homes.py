"""The simulated properties: what stands where, and what its attributes are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.demo.city import RADIUS, City

# By type: how common it is in the middle and at the edge of the city, its usual size in m² and that size's spread
# in logs, its level in log price per m², how log price per m² falls with log size, its usual bedrooms and storeys
# (0 where a floor means nothing).
TYPES = pd.DataFrame(
    [
        ("apartment", 0.60, 0.34, 75.0, 0.25, 0.02, 0.14, 2.2, 9),
        ("studio", 0.22, 0.07, 32.0, 0.15, 0.10, 0.20, 0.6, 12),
        ("maisonette", 0.12, 0.14, 108.0, 0.18, 0.00, 0.12, 3.1, 4),
        ("house", 0.05, 0.35, 140.0, 0.22, -0.05, 0.18, 3.8, 0),
        ("villa", 0.01, 0.10, 220.0, 0.22, 0.06, 0.10, 5.0, 0),
    ],
    columns=["name", "middle", "edge", "size", "spread", "level", "elasticity", "bedrooms", "storeys"],
)
BUILT_WITHIN = 0.10  # the share of properties that are built while the sales go on
UNRECORDED = 0.03  # the share of properties whose bedrooms, bathrooms or floor nobody wrote down


def build_homes(rng: np.random.Generator, city: City, count: int, first_month: int, months: int) -> pd.DataFrame:
    """Properties with attributes that stay: one row each.

    Columns: property_id, x, y (metres), district (row of city.districts), property_type, square_meters, bedrooms,
    bathrooms, floor (NaN where it means nothing), year_built, ready (months after the first one in which it can
    sell), turnover (relative frequency of sales), value (of the spot, district, size, floor and rooms together, in
    log price per m²), and hides_bedrooms, hides_bathrooms, hides_floor (not recorded).
    """
    homes = _spots(rng, city, count)
    kind = TYPES.iloc[_draw_types(rng, homes)].reset_index(drop=True)
    size = kind["size"] * np.exp(kind["spread"] * np.clip(rng.standard_normal(count), -2.5, 2.5))
    homes["property_type"] = kind["name"]
    homes["square_meters"] = size.round(1)
    homes = pd.concat([homes, _rooms(rng, kind, homes["square_meters"])], axis=1)
    homes["year_built"], homes["ready"] = _built(rng, count, first_month, months)
    homes["turnover"] = rng.gamma(1.3, size=count) * np.where(kind["storeys"] > 0, 1.15, 0.8)
    homes["value"] = _value(city, homes, kind)
    for attribute in ("bedrooms", "bathrooms", "floor"):
        homes[f"hides_{attribute}"] = rng.random(count) < UNRECORDED
    return homes


def age_value(year_built: np.ndarray, year: np.ndarray) -> np.ndarray:
    """What age adds to log price per m²: wear that slows down, and the charm of what was built before about 1930."""
    wear = 1 - np.exp(-np.maximum(year - year_built, 0) / 25)
    return 0.09 - 0.20 * wear + 0.08 / (1 + np.exp((year_built - 1930) / 6))


def _spots(rng: np.random.Generator, city: City, count: int) -> pd.DataFrame:
    weight = city.districts["weight"] / city.districts["weight"].sum()
    home = city.districts.iloc[rng.choice(len(weight), count, p=weight)]
    x, y = (home[["x", "y"]].to_numpy() + rng.normal(0, 850, (count, 2))).T
    return pd.DataFrame(
        {
            "property_id": [f"P{number:05d}" for number in range(1, count + 1)],
            "x": x,
            "y": y,
            "district": city.district_of(x, y),
        }
    )


def _draw_types(rng: np.random.Generator, homes: pd.DataFrame) -> np.ndarray:
    outwards = np.clip(np.hypot(homes["x"], homes["y"]) / RADIUS, 0, 1).to_numpy()[:, None]
    mix = (1 - outwards) * TYPES["middle"].to_numpy() + outwards * TYPES["edge"].to_numpy()
    below = rng.random((len(homes), 1)) >= mix.cumsum(axis=1) / mix.sum(axis=1, keepdims=True)
    return np.minimum(below.sum(axis=1), len(TYPES) - 1)


def _rooms(rng: np.random.Generator, kind: pd.DataFrame, size: pd.Series) -> pd.DataFrame:
    roomy = np.sqrt(size / kind["size"])
    bedrooms = np.maximum((kind["bedrooms"] * roomy + rng.normal(0, 0.5, len(kind))).round(), 0)
    bathrooms = np.maximum((0.45 * kind["bedrooms"] * roomy + rng.normal(0.3, 0.4, len(kind))).round(), 1)
    floor = np.floor(rng.random(len(kind)) ** 1.4 * kind["storeys"])
    return pd.DataFrame({"bedrooms": bedrooms, "bathrooms": bathrooms, "floor": floor.where(kind["storeys"] > 0)})


def _built(rng: np.random.Generator, count: int, first_month: int, months: int) -> tuple[np.ndarray, np.ndarray]:
    ready = np.where(rng.random(count) < BUILT_WITHIN, rng.integers(0, months, count), 0)
    old = first_month // 12 - 1 - np.floor(125 * rng.beta(1.2, 2.2, count)).astype(int)
    return np.where(ready > 0, (first_month + ready) // 12, old), ready


def _value(city: City, homes: pd.DataFrame, kind: pd.DataFrame) -> np.ndarray:
    spot = city.spot_value(homes["x"].to_numpy(), homes["y"].to_numpy())
    district = city.districts["effect"].to_numpy()[homes["district"]]
    size = kind["level"] - kind["elasticity"] * np.log(homes["square_meters"] / kind["size"])
    height = 0.07 * (1 - np.exp(-homes["floor"].fillna(0) / 5))
    rooms = 0.012 * (homes["bedrooms"] - kind["bedrooms"]) + 0.02 * (homes["bathrooms"] - 0.45 * kind["bedrooms"])
    # The usual spot lies 0.2 above the field's own zero.
    return (spot - 0.2 + district + size + height + rooms).to_numpy()
