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

from homei.features.columns import COMPARABLE_COLUMNS
from homei.features.comparables import DIGITS, Columns, Comparables
from homei.features.neighbours import ADJUSTED, Summary, adjusted_level
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
NANO = 1_000_000_000  # equations are summed in whole billionths: exact in any order
PRODUCTS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # the upper triangle of the equations' left side
EQUATIONS = [*(f"left_{row}{column}" for row, column in PRODUCTS), *(f"right_{row}" for row in range(len(ADJUSTED)))]


class ComparableFeatures(NamedTuple):
    """COMPARABLE_COLUMNS of all sales, and by month the effect of a unit of each of ADJUSTED."""

    features: dict[str, np.ndarray]
    adjustments: pd.DataFrame


def comparable_features(
    pool: Columns,
    config: ComparablesConfig,
    coordinates: Coordinates,
    last_month: int,
    is_chosen: np.ndarray | None = None,
) -> ComparableFeatures:
    """The comparable features of each sale as of its month, and the adjustments behind them.

    `pool` is in order of month and transaction_id. The adjustments have a row for each month from the second month of
    sales to `last_month`, estimated from the pairs of the `config.months` months before it. With `is_chosen`, only the
    chosen sales get features, and adjustments are estimated from their pairs; comparables are still all sales.
    """
    comparables = Comparables(pool, {}, config, coordinates, kept_months=1)
    months = pool["month"]
    features = {name: np.full(len(months), np.nan) for name in COMPARABLE_COLUMNS}
    equations: dict[int, np.ndarray] = {}
    first = int(months[0]) if len(months) else last_month
    for month in range(first + 1, last_month + 1):
        rows = np.arange(*np.searchsorted(months, [month, month + 1]))
        rows = rows if is_chosen is None else rows[is_chosen[rows]]
        sales = {name: column[rows] for name, column in pool.items()}
        summary = comparables.summarise(sales)
        equations[month] = pair_equations(summary, sales["u"], config).sum(axis=0)
        adjustment = solve_equations(equations, month, config)
        level = adjusted_level(summary.u, summary.differences.T, adjustment)
        values = (level, summary.distance, comparables.alike_distances(sales))
        for name, column in zip(COMPARABLE_COLUMNS, values, strict=True):
            features[name][rows] = column.round(DIGITS)
    return ComparableFeatures(features, adjustments_table(equations, first, last_month, config))


def pair_equations(summary: Summary, u: np.ndarray, config: ComparablesConfig) -> np.ndarray:
    """Each sale's part in the normal equations: difference in u against differences in attributes.

    Sales × EQUATIONS in units of NANO, with the differences in scales. The pairs are a sale and its comparables.
    """
    neighbours = summary.neighbours
    # A sale without all attributes has some filled in, which carry no information on adjustments.
    u_difference = np.where(summary.is_complete, u, np.nan)[:, None] - neighbours.u
    weights = np.where(np.isfinite(u_difference), neighbours.weights(config.decay), 0.0)
    u_difference = np.nan_to_num(u_difference)
    differences = np.moveaxis(neighbours.difference / _scales(config), 2, 0)
    left = [weights * differences[row] * differences[column] for row, column in PRODUCTS]
    right = [weights * difference * u_difference for difference in differences]
    return np.column_stack([np.rint(part.sum(axis=1) * NANO).astype("int64") for part in (*left, *right)])


def solve_equations(equations: Mapping[int, np.ndarray], month: int, config: ComparablesConfig) -> np.ndarray:
    """The effect of one unit of each of ADJUSTED, by least squares over the pairs of earlier months.

    The effect is 0 where there are no pairs.
    """
    recent = [equations[earlier] for earlier in range(month - config.months, month) if earlier in equations]
    if not recent:
        return np.zeros(len(ADJUSTED))
    total = np.sum(recent, axis=0) / NANO
    scales = _scales(config)
    left = np.empty((len(ADJUSTED), len(ADJUSTED)))
    for (row, column), value in zip(PRODUCTS, total, strict=False):
        left[row, column] = left[column, row] = value * scales[row] * scales[column]
    right = total[len(PRODUCTS) :] * scales
    return np.round(np.linalg.solve(left + RIDGE * np.eye(len(ADJUSTED)), right), DIGITS)


def adjustments_table(
    equations: Mapping[int, np.ndarray], first_month: int, last_month: int, config: ComparablesConfig
) -> pd.DataFrame:
    """month and ADJUSTED, from the month after the first sale to `last_month`."""
    months = range(first_month + 1, last_month + 1)
    table = pd.DataFrame([solve_equations(equations, month, config) for month in months], columns=list(ADJUSTED))
    table = table.astype("f8")
    table.insert(0, "month", np.array(months, dtype="int64"))
    return table


def pool_rows(sales: DataFrame) -> DataFrame:
    """COMPARABLE_POOL (dates as text) and u (log price per m² relative to the index)."""
    from pyspark.sql import functions as F  # noqa: N812

    converted = sales.withColumns({"sale_date": F.col("sale_date").cast("string"), "u": F.col("u_micro") / MICRO})
    return converted.select(*COMPARABLE_POOL, "u")


def comparable_pool(rows: DataFrame) -> pd.DataFrame:
    """The rows of `pool_rows` in memory, oldest first."""
    return rows.toPandas().sort_values(["month", "transaction_id"], ignore_index=True)


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


def _scales(config: ComparablesConfig) -> np.ndarray:
    return np.array([config.scales.floors, config.scales.area, config.scales.years])
