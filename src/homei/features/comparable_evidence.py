"""Comparable sales of a property as shown to a reader, each with the price that it implies."""

from __future__ import annotations

from typing import Any

import numpy as np

from homei.features.comparables import Columns, Comparables


def comparable_evidence(
    comparables: Comparables, columns: Columns, market_level: np.ndarray, count: int
) -> list[list[dict[str, Any]]]:
    """For each property, its `count` nearest comparable sales as JSON-ready records.

    `distance` is in metres (None where the property's position is unknown), `likeness` in scales. `adjusted_price` is
    the price of the property in its month implied by that sale alone, at the city's `market_level`; None if the sale's
    price is per m² and the property's area is unknown.
    """
    neighbours = comparables.nearest(columns, count)
    attributes, pool = comparables.attributes(columns), comparables.pool
    offsets = (attributes[:, None, axis] - comparables.pool_attributes[neighbours.row, axis] for axis in (0, 1))
    distance_m = np.hypot(*offsets)
    area = np.where(comparables.is_priced_whole(columns), 1.0, columns["square_meters"])
    implied = np.exp(neighbours.level + market_level[:, None]) * area[:, None]
    return [
        [
            {
                "transaction_id": pool["transaction_id"][row],
                "sale_date": str(pool["sale_date"][row]),
                "price": float(pool["price"][row]),
                **{name: _or_none(pool[name][row]) for name in ("location", "square_meters", "floor", "year_built")},
                "distance": _or_none(round(float(distance_m[number, rank]), 1)),
                "likeness": round(float(neighbours.distance[number, rank]), 4),
                "adjusted_price": _or_none(round(float(implied[number, rank]), 2)),
            }
            for rank, row in enumerate(neighbours.row[number].tolist())
            if row >= 0
        ]
        for number in range(len(attributes))
    ]


def _or_none(value: Any) -> Any:
    return None if value is None or value != value else value
