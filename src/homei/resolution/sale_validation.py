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
MAX_DISTANCE = 4.0  # in units of 1 as above
MIN_SPREAD = 0.06  # of log price: a few comparables may agree by chance
MAD_TO_STD = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
DAYS_A_MONTH = 30.4
WEEKS = MAX_DISTANCE * MONTHS * DAYS_A_MONTH // 7 + 2  # earlier sales are farther than MAX_DISTANCE


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

    Comparables are the COMPARABLES nearest sales before the sale's week, in location, time, size and age, of the same
    type (and location, without coordinates). Sales without an area are compared with each other by their whole price.
    The spread is MAD_TO_STD times the median absolute deviation. Both are NaN for fewer than MIN_COMPARABLES within
    MAX_DISTANCE.
    """
    ratio, spread = np.full((2, len(sales)), np.nan)
    if sales.empty:
        return ratio, spread
    area = sales["square_meters"].to_numpy(float)
    has_area = np.isfinite(area)
    area = np.where(has_area, area, 1.0)
    log_price, size = np.log(sales["price"].to_numpy(float) / area), np.log(area)
    x, y = projection.project(sales["latitude"].to_numpy(float), sales["longitude"].to_numpy(float), coordinates)
    days = pd.to_datetime(sales["sale_date"]).to_numpy("datetime64[D]").astype(float)
    built = sales["year_built"].to_numpy(float)
    space = np.column_stack([x / METRES, y / METRES, days / DAYS_A_MONTH / MONTHS, size / LOG_SIZE, built / YEARS])
    has_no_position = np.isnan(space[:, :2]).any(axis=1)
    space[has_no_position, :2] = 0.0
    pool = sales["property_type"].astype(str) + np.where(has_no_position, "|" + sales["location"].astype(str), "")
    pool += np.where(has_area, "", "|without area")
    # In order of id, so that ties between equally near sales do not depend on the order of the table.
    ordered = pd.DataFrame({"pool": pool, "week": days // 7, "id": sales["transaction_id"]})
    ordered = ordered.reset_index(drop=True).sort_values(["pool", "week", "id"])
    for _, members in ordered.groupby("pool"):
        rows, weeks = members.index.to_numpy(), members["week"].to_numpy()
        for week in np.unique(weeks):
            first, start, end = np.searchsorted(weeks, [week - WEEKS, week, week + 1])
            if start - first >= MIN_COMPARABLES:
                earlier, valued = rows[first:start], rows[start:end]
                median, spread[valued] = _comparables(space[earlier], space[valued], log_price[earlier])
                ratio[valued] = log_price[valued] - median
    return ratio, np.maximum(spread, MIN_SPREAD)


def _comparables(earlier: np.ndarray, valued: np.ndarray, log_price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The median and spread of the `log_price` of the nearest `earlier` sales.

    An unknown year of building counts as the median one.
    """
    years = earlier[:, -1]
    typical = np.nanmedian(years) if np.isfinite(years).any() else 0.0
    earlier, valued = (np.where(np.isnan(part), typical, part) for part in (earlier, valued))
    ranks = range(1, COMPARABLES + 1)
    distance, neighbours = cKDTree(earlier).query(valued, k=ranks, distance_upper_bound=MAX_DISTANCE)
    is_comparable = np.isfinite(distance)
    is_enough = is_comparable.sum(axis=1) >= MIN_COMPARABLES
    # Beyond MAX_DISTANCE, SciPy returns a row that does not exist.
    prices = np.where(is_comparable, np.append(log_price, np.nan)[neighbours], np.nan)[is_enough]
    median, spread = np.full((2, len(valued)), np.nan)
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
            "id": sales["transaction_id"].to_numpy(),
        }
    )
    rows = rows[rows["property"].notna() & (sales["price"] > settings.nominal_price).to_numpy()]
    rows = rows.sort_values(["property", "day", "id"])
    previous = rows.groupby("property").shift()
    days = rows["day"] - previous["day"]
    is_soon = (days > 0) & (days <= settings.resale_days)
    is_different = (rows["price"] - previous["price"]).abs() > np.log(1 + settings.resale_change)
    is_quick = np.zeros(len(sales), dtype=bool)
    is_quick[rows.loc[is_soon & is_different & (rows["deviation"] >= previous["deviation"]), "row"]] = True
    return is_quick
