"""Requests of property-portal visitors, by kind and share: the mix of `benchmarks/search.py`.

| share | request |
|---|---|
| 25 % | location, type, price range and bedrooms, lowest price first |
| 15 % | location up to a price, highest price first |
| 10 % | location, bedrooms and year built, newest first |
| 20 % | a map of 1 to 4 km, up to a price, with bedrooms |
| 10 % | within 300 to 1,500 m of a point, nearest first |
| 10 % | street and house number, as text |
| 3 % | a prefix of a street name that a tenth of all properties share, or a word in every address |
| 5 % | area and bedrooms in any location, smallest first |
| 2 % | price, area, bedrooms and year together, in any location |

A seeded generator draws the values of each request, so requests do not repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

SHARES = {
    "location, type, price, bedrooms": 25, "location, price falling": 15, "location, bedrooms, year": 10, "a map": 20,
    "around a point": 10, "street and number": 10, "a common word": 3, "area and bedrooms": 5, "ranges": 2,
}  # fmt: skip
TYPES = ("flat", "house", "studio")
Query = dict[str, Any]


def kinds(random: np.random.Generator) -> dict[str, Callable[[], Query]]:
    """A function for each kind of SHARES that draws the query parameters of one request."""

    def district() -> str:
        return f"district {random.integers(40)}"

    def price() -> float:
        return round(random.uniform(1e5, 6e5), 2)

    def family() -> Query:
        low = price()
        query = {"location": district(), "property_type": str(random.choice(TYPES)), "bedrooms_min": _rooms(random)}
        return query | {"price_min": low, "price_max": round(low * random.uniform(1.1, 1.6), 2)}

    def newest() -> Query:
        query = {"location": district(), "bedrooms_min": _rooms(random), "price_max": price() + 1e5}
        return query | {"year_min": int(random.integers(1950, 2020)), "sort": "-year"}

    def map_() -> Query:
        side = random.uniform(1, 4)
        south, west = random.uniform(44.86, 45.1), random.uniform(-30.14, -29.92)
        box = {"south": south, "north": south + side / 111.32, "west": west, "east": west + side / 78.715}
        return {name: round(value, 6) for name, value in box.items()} | {
            "price_max": price() + 1e5, "bedrooms_min": _rooms(random),
        }  # fmt: skip

    def around() -> Query:
        centre = {"latitude": random.uniform(44.88, 45.12), "longitude": random.uniform(-30.12, -29.88)}
        query = {name: round(value, 6) for name, value in centre.items()} | {"sort": "distance"}
        return query | {"radius": round(random.uniform(300, 1500), 1), "price_max": price() + 1e5}

    def word() -> Query:
        text = f"street{random.integers(1, 10)}" if random.random() < 0.7 else "road"
        return {"address": text, "price_min": round(random.uniform(1e4, 2e5), 2)}

    def ranges() -> Query:
        low, area = price(), round(random.uniform(50, 150), 1)
        query = {"price_min": low, "price_max": round(1.3 * low, 2), "area_min": area, "area_max": area + 20}
        return query | {"bedrooms_min": _rooms(random), "year_min": int(random.integers(1950, 2020))}

    functions = (
        family,
        lambda: {"location": district(), "price_max": price(), "sort": "-price"},
        newest,
        map_,
        around,
        lambda: {"address": f"{random.integers(97)} street{random.integers(5_000)}", "price_min": price() / 10},
        word,
        lambda: {"area_min": round(random.uniform(40, 150), 2), "bedrooms_min": _rooms(random), "sort": "area"},
        ranges,
    )
    return dict(zip(SHARES, functions, strict=True))


def mixed(count: int, random: np.random.Generator) -> list[Query]:
    """`count` requests with the shares of SHARES, in random order."""
    draw = kinds(random)
    share = np.array([*SHARES.values()]) / sum(SHARES.values())
    return [draw[str(name)]() for name in random.choice([*SHARES], count, p=share)]


def trends(count: int, random: np.random.Generator) -> list[Query]:
    """`count` requests for the market trends of a location."""
    months, places = random.integers(12, 120, count), random.integers(40, size=count)
    return [{"location": f"district {place}", "months": int(n)} for place, n in zip(places, months, strict=True)]


def _rooms(random: np.random.Generator) -> int:
    return int(random.choice([1, 2, 3, 4], p=[0.2, 0.4, 0.3, 0.1]))
