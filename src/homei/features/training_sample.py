"""A stratified sample of a large city's sales: the training set of a city with more sales than models need.

Every table of market history, comparables and previous sales is built from all sales; only the rows that models are
trained and evaluated on are sampled.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

STRATUM = ["location", "property_type", "year"]
MIN_PER_STRATUM = 30  # sales of a stratum that are all kept, so that rare types and small places stay known
HASHES = 2**32


def training_sample(sales: DataFrame, max_rows: int, seed: int) -> tuple[DataFrame, dict[str, Any]]:
    """At most `max_rows` of the sales, and how they were chosen; all sales if there are no more.

    A sale is chosen by a hash of its transaction_id and the seed, at the rate of its stratum (STRATUM). The rate is
    the same for all strata but small ones, which keep MIN_PER_STRATUM sales. A larger `max_rows` chooses the same
    sales and more. Needs the column month.
    """
    n_sales = sales.count()
    summary = {"market_sales": n_sales, "max_training_rows": max_rows, "is_sampled": n_sales > max_rows}
    if n_sales <= max_rows:
        return sales, summary | {"rate": 1.0}
    keyed = sales.withColumn("year", F.floor(F.col("month") / 12))
    strata = keyed.groupBy(*STRATUM).agg(F.count(F.lit(1)).alias("n"))
    n_by_stratum = np.array([n for (n,) in strata.select("n").collect()], dtype=float)
    rate = sampling_rate(n_by_stratum, max_rows)
    of_stratum = F.greatest(F.lit(rate), F.lit(float(MIN_PER_STRATUM)) / F.col("n"))
    limits = strata.select(*(F.col(name).alias(f"stratum_{name}") for name in STRATUM), of_stratum.alias("rate"))
    is_same_stratum = [F.col(name).eqNullSafe(F.col(f"stratum_{name}")) for name in STRATUM]
    draw = F.pmod(F.xxhash64(F.col("transaction_id"), F.lit(seed)), F.lit(HASHES)) / HASHES
    chosen = keyed.join(F.broadcast(limits), is_same_stratum).where(draw < F.col("rate")).select(*sales.columns)
    return chosen, summary | {"rate": round(rate, 6)}


def sampling_rate(n_by_stratum: np.ndarray, max_rows: int) -> float:
    """The rate at which strata are sampled so that `max_rows` is not exceeded, but for one case in 30,000."""
    expected = max_rows - 4 * math.sqrt(max_rows)

    def drawn(rate: float) -> float:
        return float(np.maximum(rate * n_by_stratum, np.minimum(n_by_stratum, MIN_PER_STRATUM)).sum())

    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if drawn(middle) <= expected else (low, middle)
    return low
