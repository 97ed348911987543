"""Unit adjustments between comparable sales, estimated for each month from pairs of earlier sales.

The effect of a floor, a larger area or a later year of building is estimated by least squares over pairs of earlier
comparables: an appraiser's adjustment grid as a regression (Isakson, The Linear Algebra of the Sales Comparison
Approach, Journal of Real Estate Research 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from homei.features.columns import COMPARABLE_COLUMNS, COMPARABLE_LEVEL
from homei.features.comparables import ADJUSTED, DIGITS, Columns, Comparables, Neighbours
from homei.features.price_index import MICRO

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from homei.config.projection import Coordinates
    from homei.features.config import ComparablesConfig

COMPARABLE_POOL = (
    "transaction_id", "sale_date", "month", "price", "property_type", "location", "square_meters", "floor",
    "year_built", "latitude", "longitude",
)  # fmt: skip
RIDGE = 1e-3  # keeps an adjustment at 0 for which there are no pairs


class ComparableFeatures(NamedTuple):
    """COMPARABLE_COLUMNS of all sales, and by month the effect of a unit of each of ADJUSTED."""

    features: dict[str, np.ndarray]
    adjustments: pd.DataFrame


def comparable_features(
    pool: Columns, config: ComparablesConfig, coordinates: Coordinates, last_month: int
) -> ComparableFeatures:
    """The comparable features of each sale as of its month, and the adjustments behind them.

    `pool` is in order of month. The adjustments have a row for each month from the second month of sales to
    `last_month`, estimated from the pairs of the `config.months` months before it.
    """
    comparables = Comparables(pool, {}, config, coordinates)
    months = pool["month"]
    features = {name: np.full(len(months), np.nan) for name in COMPARABLE_COLUMNS}
    equations: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for month in range(int(months[0]) + 1 if len(months) else last_month + 1, last_month + 1):
        recent = [equations[earlier] for earlier in equations if earlier >= month - config.months]
        comparables.adjustments[month] = _solve(recent)
        rows = slice(*np.searchsorted(months, [month, month + 1]))
        sales = {name: column[rows] for name, column in pool.items()}
        neighbours = comparables.nearest(sales, config.count)
        for name, values in comparables.features(sales, neighbours).items():
            features[name][rows] = values
        # A sale without a level has attributes filled in, which carry no information on adjustments.
        u = np.where(np.isnan(features[COMPARABLE_LEVEL][rows]), np.nan, sales["u"])
        equations[month] = _normal_equations(neighbours, pool["u"], u, config.decay)
    table = pd.DataFrame(list(comparables.adjustments.values()), columns=list(ADJUSTED), dtype="f8")
    table.insert(0, "month", np.array(list(comparables.adjustments), dtype="int64"))
    return ComparableFeatures(features, table)


def comparable_pool(sales: DataFrame) -> pd.DataFrame:
    """COMPARABLE_POOL (dates as text) and u (log price per m² relative to the index), oldest first."""
    from pyspark.sql import functions as F  # noqa: N812

    converted = sales.withColumns({"sale_date": F.col("sale_date").cast("string"), "u": F.col("u_micro") / MICRO})
    pool = converted.select(*COMPARABLE_POOL, "u").toPandas()
    return pool.sort_values(["month", "transaction_id"], ignore_index=True)


def adjustments_by_month(adjustments: pd.DataFrame) -> dict[int, np.ndarray]:
    """The table of adjustments by month, as `Comparables` takes it."""
    return dict(zip(adjustments["month"].tolist(), adjustments[list(ADJUSTED)].to_numpy(), strict=True))


def with_comparables(pool: pd.DataFrame, features: Mapping[str, np.ndarray]) -> Callable[[DataFrame], DataFrame]:
    """Adds the comparable features to sales; null without comparables.

    They are computed on the driver: starting Python workers would take longer than they save.
    """

    def add(sales: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F  # noqa: N812

        schema = ", ".join(["transaction_id string", *(f"{name} double" for name in features)])
        table = sales.sparkSession.createDataFrame(pool[["transaction_id"]].assign(**features), schema)
        with_nulls = table.select("transaction_id", *(F.nanvl(name, F.lit(None)).alias(name) for name in features))
        return sales.join(with_nulls, "transaction_id", "left")

    return add


def _normal_equations(
    neighbours: Neighbours, pool_u: np.ndarray, u: np.ndarray, decay: float
) -> tuple[np.ndarray, np.ndarray]:
    """The normal equations of a month's pairs: difference in u against differences in attributes."""
    u_difference = u[:, None] - pool_u[neighbours.row]
    weights = np.where(np.isfinite(u_difference), neighbours.weights(decay), 0.0)
    weighted = weights[..., None] * neighbours.difference
    left = np.einsum("hki,hkj->ij", weighted, neighbours.difference)
    return left, np.einsum("hki,hk->i", weighted, np.nan_to_num(u_difference))


def _solve(equations: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The effect of one unit of each of ADJUSTED by least squares over all pairs; 0 without pairs."""
    if not equations:
        return np.zeros(len(ADJUSTED))
    left, right = (sum(sides) for sides in zip(*equations, strict=True))
    return np.round(np.linalg.solve(left + RIDGE * np.eye(len(ADJUSTED)), right), DIGITS)
