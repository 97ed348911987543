"""Sale validation: sales without a market price, each with the codes of the reasons.

An arm's-length sale is one between a willing buyer and a willing seller who are not related, after normal exposure to
the market (IAAO, Standard on Verification and Adjustment of Sales). The flag depends on the sale's own price: it
excludes sales from training and evaluation, and is never an input of a valuation. It depends on nothing later than the
sale, as training sets of earlier months must not depend on later prices.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from homei.config import projection
from homei.config.projection import Coordinates
from homei.resolution.config import MarketSaleConfig

CODES = ("nominal_price", "family_transfer", "bulk_transfer", "quick_resale", "ratio_outlier")  # in reported order
# Differences that count as a distance of 1 in the search for comparables.
METRES, MONTHS, LOG_SIZE, YEARS = 1000.0, 6.0, 0.25, 15.0
COMPARABLES, MIN_COMPARABLES = 24, 8
NEIGHBOURS = 4 * COMPARABLES  # searched, as about half of them are later sales
MAX_DISTANCE = 4.0  # in units of 1 as above
SALES_AT_ONCE = 50_000  # limits the memory of a search
MIN_SPREAD = 0.06  # of log price: a few comparables may agree by chance
MAD_TO_STD = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
DAYS_A_MONTH = 30.4


def flag_sales(sales: pd.DataFrame, coordinates: Coordinates, settings: MarketSaleConfig) -> pd.DataFrame:
    """`is_market` and `market_reasons` by the sales' index.

    Reasons are codes joined by "; ", empty for a market sale. Columns that a source does not have (seller, buyer,
    coordinates …) are null and give no reason.
    """
    ratio, spread = comparable_ratio(sales, coordinates)
    is_low = ratio < np.log(settings.low_ratio)
    flags = {
        "nominal_price": (sales["price"] <= settings.nominal_price).to_numpy(),
        "family_transfer": is_low & _is_same(sales["seller_family"], sales["buyer_family"]),
        "bulk_transfer": _is_bulk_transfer(sales, ratio, settings),
        "quick_resale": _is_quick_resale(sales, ratio, settings),
        "ratio_outlier": np.abs(ratio) > np.maximum(settings.deviations * spread, np.log(settings.min_outlier_ratio)),
    }
    by_sale = np.array([flags[code] for code in CODES]).T
    reasons = ["; ".join(code for code, is_flagged in zip(CODES, row, strict=True) if is_flagged) for row in by_sale]
    return pd.DataFrame({"is_market": ~by_sale.any(axis=1), "market_reasons": reasons}, index=sales.index)


def comparable_ratio(sales: pd.DataFrame, coordinates: Coordinates) -> tuple[np.ndarray, np.ndarray]:
    """Each sale's log price per m² minus its comparables' median, and the spread of the comparables.

    Comparables are the COMPARABLES nearest sales in location, time, size and age, of the same type (and location,
    without coordinates), up to the sale's day. The spread is MAD_TO_STD times their median absolute deviation.
    Both are NaN for fewer than MIN_COMPARABLES within MAX_DISTANCE.
    """
    log_price = np.log(sales["price"].to_numpy(float) / sales["square_meters"].to_numpy(float))
    ratio, spread = np.full(len(sales), np.nan), np.full(len(sales), np.nan)
    x, y = projection.project(sales["latitude"].to_numpy(float), sales["longitude"].to_numpy(float), coordinates)
    days = pd.to_datetime(sales["sale_date"]).to_numpy("datetime64[D]").astype(float)
    size = np.log(sales["square_meters"].to_numpy(float))
    built = sales["year_built"].astype(float)
    built = built.fillna(built.quantile()).fillna(0.0).to_numpy()
    space = np.column_stack([x / METRES, y / METRES, days / DAYS_A_MONTH / MONTHS, size / LOG_SIZE, built / YEARS])
    has_no_position = np.isnan(space).any(axis=1)
    space[has_no_position, :2] = 0.0
    pool = sales["property_type"].astype(str) + np.where(has_no_position, "|" + sales["location"].astype(str), "")
    for rows in pool.groupby(pool.to_numpy(), sort=True).indices.values():
        if len(rows) <= MIN_COMPARABLES:
            continue
        tree = cKDTree(space[rows])
        for start in range(0, len(rows), SALES_AT_ONCE):
            part = rows[start : start + SALES_AT_ONCE]
            median, spread[part] = _comparables(tree, log_price[rows], start)
            ratio[part] = log_price[part] - median
    return ratio, np.maximum(spread, MIN_SPREAD)


def _comparables(tree: cKDTree, log_price: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
    """The median and spread of the comparables of SALES_AT_ONCE sales from position `start` on."""
    space = tree.data[start : start + SALES_AT_ONCE]
    distance, neighbours = tree.query(space, k=min(NEIGHBOURS + 1, tree.n), distance_upper_bound=MAX_DISTANCE)
    is_itself = neighbours == start + np.arange(len(space))[:, None]
    neighbours = np.minimum(neighbours, tree.n - 1)  # beyond MAX_DISTANCE, SciPy returns n
    is_comparable = np.isfinite(distance) & ~is_itself & (tree.data[neighbours, 2] <= space[:, 2:3])
    is_comparable &= is_comparable.cumsum(axis=1) <= COMPARABLES
    is_enough = is_comparable.sum(axis=1) >= MIN_COMPARABLES
    prices = np.where(is_comparable, log_price[neighbours], np.nan)[is_enough]
    median, spread = np.full(len(space), np.nan), np.full(len(space), np.nan)
    median[is_enough] = np.nanmedian(prices, axis=1)
    spread[is_enough] = MAD_TO_STD * np.nanmedian(np.abs(prices - median[is_enough, None]), axis=1)
    return median, spread


def _is_same(a: pd.Series, b: pd.Series) -> np.ndarray:
    return (a.notna() & (a == b)).to_numpy()


def _is_bulk_transfer(sales: pd.DataFrame, ratio: np.ndarray, settings: MarketSaleConfig) -> np.ndarray:
    """Several properties with one buyer or seller and day, each cheap or at the total price of all."""
    is_bulk = np.zeros(len(sales), dtype=bool)
    for party in ("buyer", "seller"):
        is_same_day, is_same_price = (
            (sales.groupby(columns)["price"].transform("size") >= settings.bulk_properties).to_numpy()
            for columns in ([party, "sale_date"], [party, "sale_date", "price"])
        )
        is_bulk |= is_same_day & (ratio < np.log(settings.low_ratio))
        is_bulk |= is_same_price & (ratio > np.log(settings.min_outlier_ratio))
    return is_bulk


def _is_quick_resale(sales: pd.DataFrame, ratio: np.ndarray, settings: MarketSaleConfig) -> np.ndarray:
    """Sales soon after the property's previous one at a very different, less usual price.

    The previous sale is not flagged: its flag must not depend on a later one.
    """
    rows = pd.DataFrame(
        {
            "property": sales["property_id"].to_numpy(),
            "day": pd.to_datetime(sales["sale_date"]).to_numpy("datetime64[D]").astype(int),
            "price": np.log(sales["price"].to_numpy(float)),
            "deviation": np.abs(np.nan_to_num(ratio)),
            "row": np.arange(len(sales)),
        }
    )
    rows = rows[rows["property"].notna() & (sales["price"] > settings.nominal_price).to_numpy()]
    rows = rows.sort_values(["property", "day", "row"])
    previous = rows.groupby("property").shift()
    days = rows["day"] - previous["day"]
    is_soon = (days > 0) & (days <= settings.resale_days)
    is_different = (rows["price"] - previous["price"]).abs() > np.log(1 + settings.resale_change)
    is_quick = np.zeros(len(sales), dtype=bool)
    is_quick[rows.loc[is_soon & is_different & (rows["deviation"] >= previous["deviation"]), "row"]] = True
    return is_quick
