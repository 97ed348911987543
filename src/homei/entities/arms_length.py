"""Sale validation: sales that do not show a market price, each with the codes of why.

An arm's-length sale is one between a willing buyer and a willing seller who are not bound to each other, with time to
look around (IAAO, Standard on Verification and Adjustment of Sales). A flag looks at the sale's own price: it serves to
keep sales out of training and of measurement, and is nothing that a valuation may know. Nothing that is later than the
sale has a say: what is learnt from before a month must not depend on prices from then on.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from homei.config import Market
from homei.features import keys
from homei.source import Coordinates

# In the order in which they are told.
CODES = ("nominal_price", "family_transfer", "bulk_transfer", "quick_resale", "ratio_outlier")
# How far apart counts as 1 when the nearest comparables are sought.
METRES, MONTHS, LOG_SIZE, YEARS = 1000.0, 6.0, 0.25, 15.0
NEIGHBOURS, FEWEST = 24, 8
SEARCHED = 4 * NEIGHBOURS  # of which about half are later
AT_ONCE = 50_000  # sales whose neighbours fit into memory together
FARTHEST = 4.0  # in those units: what lies beyond compares with nothing
LEAST_SPREAD = 0.06  # of log price: even where a few comparables happen to agree
NORMAL = 1.4826  # times the median absolute deviation is a normal distribution's standard deviation
DAYS_A_MONTH = 30.4


def flags(sales: pd.DataFrame, coordinates: Coordinates, settings: Market) -> pd.DataFrame:
    """By the sales' index: `is_market`, and `market_reasons`, the codes joined by "; " (empty for a market sale).

    Columns that a source has not (seller, buyer, coordinates …) are null, and nothing is concluded from them.
    """
    ratio, spread = comparable_ratio(sales, coordinates)
    low = ratio < np.log(settings.low_ratio)
    found = {
        "nominal_price": (sales["price"] <= settings.nominal_price).to_numpy(),
        "family_transfer": low & _same(sales["seller_family"], sales["buyer_family"]),
        "bulk_transfer": _bulk(sales, ratio, settings),
        "quick_resale": _quick_resale(sales, ratio, settings),
        "ratio_outlier": np.abs(ratio) > np.maximum(settings.deviations * spread, np.log(settings.least_outlier)),
    }
    told = np.array([found[code] for code in CODES]).T
    reasons = ["; ".join(code for code, is_so in zip(CODES, row, strict=True) if is_so) for row in told]
    return pd.DataFrame({"is_market": ~told.any(axis=1), "market_reasons": reasons}, index=sales.index)


def comparable_ratio(sales: pd.DataFrame, coordinates: Coordinates) -> tuple[np.ndarray, np.ndarray]:
    """How far the log price per m² of each sale lies above its comparables' median, and their spread around it.

    Comparables are the nearest NEIGHBOURS in place, time, size and age among sales of the same type (and, without
    coordinates, of the same location) up to the sale's day, other than the sale itself; the spread is NORMAL times
    their median absolute deviation. Both are NaN where fewer than FEWEST lie within reach.
    """
    log_price = np.log(sales["price"].to_numpy(float) / sales["square_meters"].to_numpy(float))
    ratio, spread = np.full(len(sales), np.nan), np.full(len(sales), np.nan)
    x, y = keys.project(sales["latitude"].to_numpy(float), sales["longitude"].to_numpy(float), coordinates)
    days = pd.to_datetime(sales["sale_date"]).to_numpy("datetime64[D]").astype(float)
    size = np.log(sales["square_meters"].to_numpy(float))
    built = sales["year_built"].astype(float)
    built = built.fillna(built.quantile()).fillna(0.0).to_numpy()
    space = np.column_stack([x / METRES, y / METRES, days / DAYS_A_MONTH / MONTHS, size / LOG_SIZE, built / YEARS])
    unplaced = np.isnan(space).any(axis=1)
    space[unplaced, :2] = 0.0
    pool = sales["property_type"].astype(str) + np.where(unplaced, "|" + sales["location"].astype(str), "")
    for rows in pool.groupby(pool.to_numpy(), sort=True).indices.values():
        if len(rows) > FEWEST:
            ratio[rows], spread[rows] = _against_neighbours(space[rows], log_price[rows])
    return ratio, spread


def _against_neighbours(space: np.ndarray, log_price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tree = cKDTree(space)
    parts = [_centre(tree, log_price, first) for first in range(0, len(space), AT_ONCE)]
    centre, spread = (np.concatenate(part) for part in zip(*parts, strict=True))
    return log_price - centre, np.maximum(spread, LEAST_SPREAD)


def _centre(tree: cKDTree, log_price: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    """The median and spread of the comparables of AT_ONCE sales from the `first` on."""
    space = tree.data[first : first + AT_ONCE]
    distance, near = tree.query(space, k=min(SEARCHED + 1, tree.n), distance_upper_bound=FARTHEST)
    found = np.minimum(near, tree.n - 1)  # what is out of reach has the number after the last
    # Among homes at one spot the sale itself may not be the nearest, nor be found at all.
    itself = near == first + np.arange(len(space))[:, None]
    usable = np.isfinite(distance) & ~itself & (tree.data[found, 2] <= space[:, 2:3])
    usable &= usable.cumsum(axis=1) <= NEIGHBOURS
    prices = np.where(usable, log_price[found], np.nan)[enough := usable.sum(axis=1) >= FEWEST]
    centre, spread = np.full(len(space), np.nan), np.full(len(space), np.nan)
    centre[enough] = np.nanmedian(prices, axis=1)
    spread[enough] = NORMAL * np.nanmedian(np.abs(prices - centre[enough, None]), axis=1)
    return centre, spread


def _same(one: pd.Series, other: pd.Series) -> np.ndarray:
    return (one.notna() & (one == other)).to_numpy()


def _bulk(sales: pd.DataFrame, ratio: np.ndarray, settings: Market) -> np.ndarray:
    """Several homes that one buyer takes or one seller gives in a day for little, or each at the price of them all."""
    found = np.zeros(len(sales), dtype=bool)
    for party in ("buyer", "seller"):
        together, at_one_price = (
            (sales.groupby(columns)["price"].transform("size") >= settings.bulk_homes).to_numpy()
            for columns in ([party, "sale_date"], [party, "sale_date", "price"])
        )
        found |= together & (ratio < np.log(settings.low_ratio))
        found |= at_one_price & (ratio > np.log(settings.least_outlier))
    return found


def _quick_resale(sales: pd.DataFrame, ratio: np.ndarray, settings: Market) -> np.ndarray:
    """Sales soon after the property's last one at a very different price, and no nearer to their comparables than it.

    Of the last one its own comparables tell: what came after it must not.
    """
    rows = pd.DataFrame(
        {
            "property": sales["property_id"].to_numpy(),
            "day": pd.to_datetime(sales["sale_date"]).to_numpy("datetime64[D]").astype(int),
            "price": np.log(sales["price"].to_numpy(float)),
            "off": np.abs(np.nan_to_num(ratio)),
            "row": np.arange(len(sales)),
        }
    )
    rows = rows[rows["property"].notna() & (sales["price"] > settings.nominal_price).to_numpy()]
    rows = rows.sort_values(["property", "day", "row"])
    before = rows.groupby("property").shift()
    days = rows["day"] - before["day"]
    soon = (days > 0) & (days <= settings.resale_days)
    apart = (rows["price"] - before["price"]).abs() > np.log(1 + settings.resale_change)
    found = np.zeros(len(sales), dtype=bool)
    found[rows.loc[soon & apart & (rows["off"] >= before["off"]), "row"]] = True
    return found
