"""The noise floor: how well a valuation could do that knew everything but the noise of a single sale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei import lake
from homei.model.ratio import STATISTICS, ratio_study
from homei.source import Source

KNOWN_NOISE, TWINS = "known noise", "twins"
FEWEST_TWINS = 100  # below this the spread of twins says too little


def truth_of(source: Source) -> pd.DataFrame | None:
    """The true prices of a simulated city (transaction_id, true_price, fault, oddity); None where nobody knows them."""
    return lake.read(Path(source.folder) / source.truth) if source.truth else None


def noise_floor(sales: pd.DataFrame, held: pd.DataFrame, truth: pd.DataFrame | None = None) -> dict[str, Any]:
    """The ratio study that no valuation can better, with its `basis`.

    With `truth` (basis "known noise") it compares the true price of each held-out sale with what was paid. Else
    (basis "twins") it compares prices of the same property within a quarter: in the hold-out, or in all `sales` where
    that has fewer than FEWEST_TWINS; every number is None where these are too few as well.
    """
    if truth is not None:
        shows_market = truth[["fault", "oddity"]].isna().all(axis=1)
        clean = truth.loc[shows_market, ["transaction_id", "true_price"]].drop_duplicates("transaction_id")
        known = held[["transaction_id", "price"]].merge(clean, on="transaction_id", validate="one_to_one")
        return {**ratio_study(known["true_price"], known["price"]), "basis": KNOWN_NOISE}
    for period in (held, sales):
        twins = twin_values(period)
        if len(twins) >= FEWEST_TWINS:
            return {**ratio_study(twins["value"], twins["price"]), "basis": TWINS}
    return {"n": 0, **dict.fromkeys(STATISTICS), "basis": TWINS}


def twin_values(sales: pd.DataFrame) -> pd.DataFrame:
    """price and value of each sale whose property sold again in the same quarter.

    The value is the price without its noise, as far as the twins tell: with d the distance of its logarithm to the
    mean of the n twins', price · exp(−d · √(n ÷ (n − 1))). The root makes up for the mean having followed the sale.
    """
    named = sales.loc[sales["property_id"].notna(), ["property_id", "month", "price"]]
    log_price = np.log(named["price"])
    twins = log_price.groupby([named["property_id"], named["month"] // 3])
    count, deviation = twins.transform("size"), log_price - twins.transform("mean")
    several = count > 1
    stretch = np.sqrt(count[several] / (count[several] - 1))
    price = named.loc[several, "price"]
    return pd.DataFrame({"price": price, "value": price * np.exp(-deviation[several] * stretch)})
