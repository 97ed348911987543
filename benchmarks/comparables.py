"""The five comparables of a home among a million sales, beside comparing it with every sale, in one run.

`python -m benchmarks.comparables` in the project's folder; it makes a city of its own, sold in three years.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from homei import params
from homei.features.comparables import Comparables, told
from homei.source import Coordinates

SALES, HOMES, ALL_OF_THEM = 1_000_000, 300, 10
SHOWN = 5
MOST = 2.0  # ms, for the answer to one home
LAST = 2026 * 12


def main() -> None:
    features = params.pick("features").features
    random = np.random.default_rng(20260101)
    sold = city(random, SALES, LAST - 1 - np.sort(random.integers(0, features.comparables.months, SALES))[::-1])
    asked = city(random, HOMES, np.full(HOMES, LAST))
    worth = {LAST: np.array([0.006, -0.4, 0.005])}
    search = Comparables(sold, worth, features.comparables, Coordinates(system="plane"))
    began = time.perf_counter()
    search.of(row(asked, 0), SHOWN)
    built = time.perf_counter() - began
    level = np.array([8.0])
    by_tree = times(lambda home: told(search, home, level, SHOWN), asked, HOMES)
    by_hand = times(lambda home: nearest_by_hand(search, home), asked, ALL_OF_THEM)
    middle, tail = statistics.median(by_tree), float(np.quantile(by_tree, 0.95))
    verdict = "meets" if tail <= MOST else "MISSES"
    sys.stdout.write(
        f"comparables among {SALES:,} sales: {middle:.2f} ms, p95 {tail:.2f} ms: {verdict} <= {MOST:g} ms\n"
        f"  comparing with every sale: {statistics.median(by_hand):.1f} ms, {statistics.median(by_hand) / middle:.0f} "
        f"times as long; the month's trees were built in {built:.1f} s\n"
    )


def city(random: np.random.Generator, size: int, months: np.ndarray) -> dict[str, np.ndarray]:
    """Flats and houses on a plane of 40 km, as columns."""
    return {
        "transaction_id": np.arange(size).astype(str).astype(object),
        "sale_date": np.full(size, "2025-01-01", dtype=object),
        "month": months,
        "price": random.uniform(1e5, 1e6, size),
        "property_type": np.array(["flat", "house"], dtype=object)[random.integers(0, 2, size)],
        "location": np.array([f"district {n}" for n in range(40)], dtype=object)[random.integers(0, 40, size)],
        "square_meters": np.round(random.uniform(30, 200, size)),
        "floor": random.integers(0, 25, size).astype(float),
        "year_built": random.integers(1900, 2025, size).astype(float),
        "latitude": random.uniform(-20_000, 20_000, size),
        "longitude": random.uniform(-20_000, 20_000, size),
        "u": random.normal(0, 0.2, size),
    }


def row(columns: dict[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    return {name: column[number : number + 1] for name, column in columns.items()}


def times(answer: Callable[[dict[str, np.ndarray]], object], asked: dict[str, np.ndarray], count: int) -> list[float]:
    """Milliseconds of each of `count` answers, one home at a time."""
    taken = []
    for number in range(count):
        home = row(asked, number)
        began = time.perf_counter()
        answer(home)
        taken.append((time.perf_counter() - began) * 1_000)
    return taken


def nearest_by_hand(search: Comparables, home: dict[str, np.ndarray]) -> np.ndarray:
    """The nearest sales of the home's type, by their distance in place and floor: less than the tree compares."""
    apart = search.attributes_of_sold[:, :3] - search.attributes(home)[:, :3]
    squares = np.where(search.sold["property_type"] == home["property_type"][0], (apart**2).sum(axis=1), np.inf)
    return np.argpartition(squares, SHOWN)[:SHOWN]


if __name__ == "__main__":
    main()
