"""Noise floor: the error of an ideal valuation that is wrong only by the noise of single sales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei.config.city import CityConfig
from homei.evaluation.ratio_study import NO_STUDY, ratio_study
from homei.storage import lake

KNOWN_NOISE, TWINS = "known noise", "twins"
MIN_TWINS = 100  # fewer twins do not estimate the spread


def read_true_prices(city: CityConfig) -> pd.DataFrame | None:
    """transaction_id, true_price, fault and non_market of a simulated city; None for a real one."""
    return lake.read(Path(city.folder) / city.truth) if city.truth else None


def noise_floor(sales: pd.DataFrame, holdout: pd.DataFrame, truth: pd.DataFrame | None = None) -> dict[str, Any]:
    """The ratio study of the ideal valuation, with its `basis`.

    With `truth` (basis "known noise"), it compares the true price of each hold-out sale with the price paid. Otherwise
    (basis "twins"), it compares sales of the same property within a quarter: in the hold-out, or in all `sales` if the
    hold-out has fewer than MIN_TWINS. Every statistic is None if these are too few as well.
    """
    if truth is not None:
        is_market_sale = truth[["fault", "non_market"]].isna().all(axis=1)
        true_prices = truth.loc[is_market_sale, ["transaction_id", "true_price"]].drop_duplicates("transaction_id")
        pairs = holdout[["transaction_id", "price"]].merge(true_prices, on="transaction_id", validate="one_to_one")
        return {**ratio_study(pairs["true_price"], pairs["price"]), "basis": KNOWN_NOISE}
    for period in (holdout, sales):
        twins = twin_values(period)
        if len(twins) >= MIN_TWINS:
            return {**ratio_study(twins["value"], twins["price"]), "basis": TWINS}
    return {**NO_STUDY, "basis": TWINS}


def twin_values(sales: pd.DataFrame) -> pd.DataFrame:
    """price and value of each sale whose property was sold again in the same quarter.

    The value is an estimate of the price without noise: price · exp(−d · √(n ÷ (n − 1))), where d is the deviation of
    the log price from the mean of the n twins. The root corrects for the sale's own share in that mean.
    """
    identified = sales.loc[sales["property_id"].notna(), ["property_id", "month", "price"]]
    log_price = np.log(identified["price"])
    twins = log_price.groupby([identified["property_id"], identified["month"] // 3])
    count, deviation = twins.transform("size"), log_price - twins.transform("mean")
    has_twin = count > 1
    stretch = np.sqrt(count[has_twin] / (count[has_twin] - 1))
    price = identified.loc[has_twin, "price"]
    return pd.DataFrame({"price": price, "value": price * np.exp(-deviation[has_twin] * stretch)})
