"""How right the joining of records is, where the truth is known: in a simulated city."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from homei import lake
from homei.source import Source


def score(sales: pd.DataFrame, listings: pd.DataFrame, registered: set[str], source: Source) -> dict[str, Any] | None:
    """Shares as fractions, for resolve.json; None for a source without a truth.

    `sale_validation`: the recall among sales that show no market price, and the share of usual ones that are flagged.
    `listings`, by feed: the precision of their matches with the `registered` properties, and the recall of those.
    """
    if source.truth is None:
        return None
    truth = Path(source.folder) / source.truth
    known = lake.read(truth.with_name("listings.parquet"))
    return {
        "sale_validation": _of_flags(sales[sales["source_feed"] == source.sales[0].name], lake.read(truth)),
        "listings": [
            {"feed": feed.name, **_of_matches(listings, known, registered, feed.name, led=place > 0)}
            for place, feed in enumerate(source.listings)
        ],
    }


def _of_flags(sales: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float | None]:
    oddity = truth[truth["fault"].isna()].drop_duplicates("transaction_id").set_index("transaction_id")["oddity"]
    market = sales.set_index("transaction_id")["is_market"]
    # What the contract has set aside goes no further either.
    odd = market.reindex(oddity.index[oddity.notna()], fill_value=False)
    usual = market[~market.index.isin(odd.index)]
    return {"recall": _share((~odd).sum(), len(odd)), "false_share": _share((~usual).sum(), len(usual))}


def _of_matches(
    listings: pd.DataFrame, truth: pd.DataFrame, registered: set[str], feed: str, led: bool
) -> dict[str, float | None]:
    known = truth[truth["feed"] == feed].set_index("listing_id")["property_id"]
    known.index = f"{feed}:" + known.index if led else known.index
    said = listings.set_index("listing_id")["property_id"].reindex(known.index)
    said = said.where(said.isin(registered))
    right = int((said == known).sum())
    return {"precision": _share(right, said.notna().sum()), "recall": _share(right, known.notna().sum())}


def _share(part: int, whole: int) -> float | None:
    return round(float(part / whole), 6) if whole else None
