"""What visitors of a property portal ask for, in the shares in which they do: the mix of `benchmarks/search.py`.

| share | what is asked |
|---|---|
| 25 % | a district, a type, a range of prices and a number of bedrooms, the cheapest first |
| 15 % | a district up to a price, the dearest first |
| 10 % | a district, bedrooms and a year of completion, the newest first |
| 20 % | a map of one to four kilometres, up to a price, with bedrooms |
| 10 % | within 300 to 1,500 metres of a point, the nearest first |
| 10 % | a street and a number, as an address is typed |
| 3 % | a beginning of a street's name, which a tenth of all homes share, or a word that all have |
| 5 % | area and bedrooms anywhere, the smallest first |
| 2 % | price, area, bedrooms and year together, anywhere |

Values are drawn from a seeded generator, anew for each request: no two are alike.
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
Asked = dict[str, Any]


def kinds(random: np.random.Generator) -> dict[str, Callable[[], Asked]]:
    """What makes a request of each kind of SHARES, as query parameters."""

    def district() -> str:
        return f"district {random.integers(40)}"

    def price() -> float:
        return round(random.uniform(1e5, 6e5), 2)

    def family() -> Asked:
        low = price()
        asked = {"location": district(), "property_type": str(random.choice(TYPES)), "bedrooms_min": _rooms(random)}
        return asked | {"price_min": low, "price_max": round(low * random.uniform(1.1, 1.6), 2)}

    def newest() -> Asked:
        asked = {"location": district(), "bedrooms_min": _rooms(random), "price_max": price() + 1e5}
        return asked | {"year_min": int(random.integers(1950, 2020)), "sort": "-year"}

    def map_() -> Asked:
        side = random.uniform(1, 4)
        south, west = random.uniform(44.86, 45.1), random.uniform(-30.14, -29.92)
        box = {"south": south, "north": south + side / 111.32, "west": west, "east": west + side / 78.715}
        return {name: round(value, 6) for name, value in box.items()} | {
            "price_max": price() + 1e5, "bedrooms_min": _rooms(random),
        }  # fmt: skip

    def around() -> Asked:
        at = {"latitude": random.uniform(44.88, 45.12), "longitude": random.uniform(-30.12, -29.88)}
        asked = {name: round(value, 6) for name, value in at.items()} | {"sort": "distance"}
        return asked | {"radius": round(random.uniform(300, 1500), 1), "price_max": price() + 1e5}

    def word() -> Asked:
        text = f"street{random.integers(1, 10)}" if random.random() < 0.7 else "road"
        return {"address": text, "price_min": round(random.uniform(1e4, 2e5), 2)}

    def ranges() -> Asked:
        low, area = price(), round(random.uniform(50, 150), 1)
        asked = {"price_min": low, "price_max": round(1.3 * low, 2), "area_min": area, "area_max": area + 20}
        return asked | {"bedrooms_min": _rooms(random), "year_min": int(random.integers(1950, 2020))}

    made = (
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
    return dict(zip(SHARES, made, strict=True))


def mixed(count: int, random: np.random.Generator) -> list[Asked]:
    """So many requests in the shares of SHARES, in a random order."""
    making = kinds(random)
    share = np.array([*SHARES.values()]) / sum(SHARES.values())
    return [making[str(name)]() for name in random.choice([*SHARES], count, p=share)]


def trends(count: int, random: np.random.Generator) -> list[Asked]:
    """So many requests for a district's market over time."""
    months, places = random.integers(12, 120, count), random.integers(40, size=count)
    return [{"location": f"district {place}", "months": int(n)} for place, n in zip(places, months, strict=True)]


def _rooms(random: np.random.Generator) -> int:
    return int(random.choice([1, 2, 3, 4], p=[0.2, 0.4, 0.3, 0.1]))
