"""What comparables say of a home, as a reader wants it: each earlier sale, and the price that it implies."""

from __future__ import annotations

from typing import Any

import numpy as np

from homei.features.comparables import Columns, Comparables


def told(
    comparables: Comparables, columns: Columns, market_level: np.ndarray, count: int
) -> list[list[dict[str, Any]]]:
    """The comparables of each home as a reader wants them: what was sold, when, how far away, and what it implies.

    `distance` is in metres (None where the home's place is unknown), `likeness` in scales, and `adjusted_price` what
    the home would fetch in its month by that sale alone, at the city's `market_level`.
    """
    found = comparables.of(columns, count)
    homes, sold = comparables.attributes(columns), comparables.sold
    metres = np.hypot(*(homes[:, None, axis] - comparables.attributes_of_sold[found.row, axis] for axis in (0, 1)))
    implied = np.exp(found.level + market_level[:, None]) * columns["square_meters"][:, None]
    return [
        [
            {
                "transaction_id": sold["transaction_id"][row],
                "sale_date": str(sold["sale_date"][row]),
                "price": float(sold["price"][row]),
                **{name: _or_none(sold[name][row]) for name in ("location", "square_meters", "floor", "year_built")},
                "distance": _or_none(round(float(metres[home, place]), 1)),
                "likeness": round(float(found.distance[home, place]), 4),
                "adjusted_price": round(float(implied[home, place]), 2),
            }
            for place, row in enumerate(found.row[home].tolist())
            if row >= 0
        ]
        for home in range(len(homes))
    ]


def _or_none(value: Any) -> Any:
    return None if value is None or value != value else value
