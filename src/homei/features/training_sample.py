"""A stratified sample of sales as training set, for a city with more sales than models need.

Every table of market history, comparables and previous sales is built from all sales; only the rows that models are
trained and evaluated on are sampled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

STRATUM = ["location", "property_type", "year"]
MIN_PER_STRATUM = 30  # sales of a stratum that are all kept, so that rare types and small places stay known
MAX_SHARE_KEPT = 0.5  # of the sample for these sales: with very many strata, fewer than MIN_PER_STRATUM are kept
HASHES = 2**32


def training_sample(sales: DataFrame, max_rows: int, seed: int) -> tuple[DataFrame, dict[str, Any]]:
    """At most `max_rows` of the sales, and how they were chosen; all sales if there are no more.

    A sale is chosen by a hash of its transaction_id and the seed, at the rate of its stratum (STRATUM). The rate is
    the same for all strata but small ones, which keep MIN_PER_STRATUM sales, or fewer if these would be more than
    MAX_SHARE_KEPT of the sample. A larger `max_rows` chooses the same sales and more. Needs the column month.
    """
    n_sales = sales.count()
    summary = {"market_sales": n_sales, "max_training_rows": max_rows, "is_sampled": n_sales > max_rows}
    if n_sales <= max_rows:
        return sales, summary | {"rate": 1.0}
    keyed = sales.withColumn("year", F.floor(F.col("month") / 12))
    strata = keyed.groupBy(*STRATUM).agg(F.count(F.lit(1)).alias("n"))
    n_by_stratum = np.array([n for (n,) in strata.select("n").collect()], dtype=float)
    rate, n_kept = sampling_rate(n_by_stratum, max_rows)
    of_stratum = F.greatest(F.lit(rate), F.lit(n_kept) / F.col("n"))
    limits = strata.select(*(F.col(name).alias(f"stratum_{name}") for name in STRATUM), of_stratum.alias("rate"))
    is_same_stratum = [F.col(name).eqNullSafe(F.col(f"stratum_{name}")) for name in STRATUM]
    draw = F.pmod(F.xxhash64(F.col("transaction_id"), F.lit(seed)), F.lit(HASHES)) / HASHES
    chosen = keyed.join(F.broadcast(limits), is_same_stratum).where(draw < F.col("rate")).select(*sales.columns)
    return chosen, summary | {"rate": round(rate, 6), "kept_per_stratum": round(n_kept, 2)}


def sampling_rate(n_by_stratum: np.ndarray, max_rows: int) -> tuple[float, float]:
    """The rate of large strata, and the number of sales that small ones keep.

    With them `max_rows` is not exceeded, but for one case in 30,000. The number is not rounded: if it were, a larger
    `max_rows` could lower the rate.
    """
    expected = max_rows - 4 * math.sqrt(max_rows)
    n_kept = _largest(
        lambda n_kept: np.minimum(n_by_stratum, n_kept), expected * MAX_SHARE_KEPT, float(MIN_PER_STRATUM)
    )
    rate = _largest(lambda rate: np.maximum(rate * n_by_stratum, np.minimum(n_by_stratum, n_kept)), expected, 1.0)
    return rate, n_kept


def _largest(drawn: Callable[[float], np.ndarray], limit: float, high: float) -> float:
    """The largest number up to `high` for which no more than `limit` sales are drawn from all strata."""
    if drawn(high).sum() <= limit:
        return high
    low = 0.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if drawn(middle).sum() <= limit else (low, middle)
    return low
