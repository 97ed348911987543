"""What differences between homes are worth, learnt from pairs of comparables as of each month, and the level they give.

What a floor, a larger area or a later year of building adds is found by least squares over earlier pairs: an
appraiser's adjustment grid as a regression (Isakson, The Linear Algebra of the Sales Comparison Approach, Journal of
Real Estate Research 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from homei.features.columns import COMPARABLE_COLUMNS, COMPARABLE_LEVEL
from homei.features.comparables import ADJUSTED, DIGITS, Columns, Comparables, Found
from homei.features.index import MICRO

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from homei.config import Likeness
    from homei.source import Coordinates

SOLD = (
    "transaction_id", "sale_date", "month", "price", "property_type", "location", "square_meters", "floor",
    "year_built", "latitude", "longitude",
)  # fmt: skip


STEADY = 1e-3  # the ridge that keeps a price at 0 which no pair tells


class AsOf(NamedTuple):
    """What comparables tell of all sales: COMPARABLE_COLUMNS, and by month the worth of a unit of each of ADJUSTED."""

    features: dict[str, np.ndarray]
    worth: pd.DataFrame


def as_of(sold: Columns, likeness: Likeness, coordinates: Coordinates, last_month: int) -> AsOf:
    """What comparables tell of each sale as of its month, and the table of worths behind it.

    `sold` is in order of month. The table has a row for each month from the second of the sales to `last_month`. A
    month's worths come from the pairs of comparables of the months before it, as far back as comparables are searched.
    """
    comparables = Comparables(sold, {}, likeness, coordinates)
    months = sold["month"]
    features = {name: np.full(len(months), np.nan) for name in COMPARABLE_COLUMNS}
    told: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for month in range(int(months[0]) + 1 if len(months) else last_month + 1, last_month + 1):
        comparables.worth[month] = _worth([told[past] for past in told if past >= month - likeness.months])
        rows = slice(*np.searchsorted(months, [month, month + 1]))
        homes = {name: column[rows] for name, column in sold.items()}
        found = comparables.of(homes, likeness.count)
        for name, values in comparables.features(homes, found).items():
            features[name][rows] = values
        # Only homes that tell all that is compared have a level: what is filled in teaches nothing of its worth.
        gained = np.where(np.isnan(features[COMPARABLE_LEVEL][rows]), np.nan, homes["u"])
        told[month] = _pairs(found, sold["u"], gained, likeness.decay)
    worth = pd.DataFrame(list(comparables.worth.values()), columns=list(ADJUSTED), dtype="f8")
    worth.insert(0, "month", np.array(list(comparables.worth), dtype="int64"))
    return AsOf(features, worth)


def sold_homes(sales: DataFrame) -> pd.DataFrame:
    """SOLD (dates as texts) and u, the log of price per m² against the index, of all sales, oldest first."""
    from pyspark.sql import functions as F  # noqa: N812

    own = sales.withColumns({"sale_date": F.col("sale_date").cast("string"), "u": F.col("u_micro") / MICRO})
    return own.select(*SOLD, "u").toPandas().sort_values(["month", "transaction_id"], ignore_index=True)


def worth_by_month(adjustments: pd.DataFrame) -> dict[int, np.ndarray]:
    """The table of worths as Comparables takes it."""
    return dict(zip(adjustments["month"].tolist(), adjustments[list(ADJUSTED)].to_numpy(), strict=True))


def with_comparables(sold: pd.DataFrame, features: Mapping[str, np.ndarray]) -> Callable[[DataFrame], DataFrame]:
    """Adds what comparables tell to sales; null where there are none.

    Searched on the driver, as places are: Python workers would cost more to start than they save.
    """

    def add(sales: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F  # noqa: N812

        schema = ", ".join(["transaction_id string", *(f"{name} double" for name in features)])
        found = sales.sparkSession.createDataFrame(sold[["transaction_id"]].assign(**features), schema)
        known = found.select("transaction_id", *(F.nanvl(name, F.lit(None)).alias(name) for name in features))
        return sales.join(known, "transaction_id", "left")

    return add


def _pairs(found: Found, sold_u: np.ndarray, home_u: np.ndarray, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """The normal equations of a month's pairs: what differs in price against what differs between the homes."""
    gained = home_u[:, None] - sold_u[found.row]
    weights = np.where(np.isfinite(gained), found.weights(decay), 0.0)
    weighted = weights[..., None] * found.apart
    left = np.einsum("hki,hkj->ij", weighted, found.apart)
    return left, np.einsum("hki,hk->i", weighted, np.nan_to_num(gained))


def _worth(told: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The worth of one unit of each of ADJUSTED by least squares over all pairs; 0 where none tells."""
    if not told:
        return np.zeros(len(ADJUSTED))
    left, right = (sum(sides) for sides in zip(*told, strict=True))
    return np.round(np.linalg.solve(left + STEADY * np.eye(len(ADJUSTED)), right), DIGITS)
