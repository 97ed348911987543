"""Accuracy of resolution against the truth of a simulated city."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from homei.config.city import CityConfig
from homei.storage import lake


def accuracy(
    sales: pd.DataFrame, listings: pd.DataFrame, registered: set[str], city: CityConfig
) -> dict[str, Any] | None:
    """Shares as fractions, for resolve.json; None for a city without a truth.

    `sale_validation`: the recall of sales without a market price, and the share of market sales that are flagged.
    `listings`, by feed: precision and recall of their matches with `registered` properties.
    """
    if city.truth is None:
        return None
    truth = Path(city.folder) / city.truth
    true_listings = lake.read(truth.with_name("listings.parquet"))
    register = sales[sales["source_feed"] == sales["source_feed"].iloc[0]]
    return {
        "sale_validation": _flag_accuracy(register, lake.read(truth)),
        "listings": [
            {"feed": feed, **_match_accuracy(listings, true_listings, registered, feed, has_prefix=position > 0)}
            for position, feed in enumerate(listings["source_feed"].unique())
        ],
    }


def _flag_accuracy(sales: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float | None]:
    clean = truth[truth["fault"].isna()].drop_duplicates("transaction_id")
    non_market = clean.set_index("transaction_id")["non_market"]
    is_market = sales.set_index("transaction_id")["is_market"]
    # Sales in quarantine are excluded from training too.
    odd = is_market.reindex(non_market.index[non_market.notna()], fill_value=False)
    usual = is_market[~is_market.index.isin(odd.index)]
    return {"recall": share((~odd).sum(), len(odd)), "false_share": share((~usual).sum(), len(usual))}


def _match_accuracy(
    listings: pd.DataFrame, truth: pd.DataFrame, registered: set[str], feed: str, has_prefix: bool
) -> dict[str, float | None]:
    true = truth[truth["feed"] == feed].set_index("listing_id")["property_id"]
    true.index = f"{feed}:" + true.index if has_prefix else true.index
    matched = listings.set_index("listing_id")["property_id"].reindex(true.index)
    matched = matched.where(matched.isin(registered))
    n_correct = int((matched == true).sum())
    return {"precision": share(n_correct, matched.notna().sum()), "recall": share(n_correct, true.notna().sum())}


def share(part: int, whole: int) -> float | None:
    """A fraction, None of nothing."""
    return round(float(part / whole), 6) if whole else None
