"""Sale validation: sales without a market price, each with the codes of the reasons.

An arm's-length sale is one between a willing buyer and a willing seller who are not related, after normal exposure to
the market (IAAO, Standard on Verification and Adjustment of Sales). The flag depends on the sale's own price: it
excludes sales from training and evaluation, and is never an input of a valuation. It depends on nothing later than the
sale, as training sets of earlier months must not depend on later prices.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

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
SPACE = ("east", "north", "time", "size", "built")  # each in units of 1 as above; `built` is null where unknown
BUILT = SPACE.index("built")
BLOCK_WEEKS = 8  # whose sales are valued by one tree of earlier sales
WEEKS = MAX_DISTANCE * MONTHS * DAYS_A_MONTH // 7 + 2  # earlier sales are farther than MAX_DISTANCE
PREVIOUS = ("previous_date", "previous_price", "previous_ratio")


def flag_sales(sales: pd.DataFrame, coordinates: Coordinates, settings: MarketSaleConfig) -> pd.DataFrame:
    """`is_market` and `market_reasons` by the sales' index.

    Reasons are codes joined by "; ", empty for a market sale. Columns that a source does not have (seller, buyer,
    coordinates …) are null and give no reason.
    """
    rows = comparison_rows(sales, coordinates)
    ratio, spread = comparable_ratio(rows)
    bulk = {
        name: _is_bulk(sales, [*columns], settings.bulk_properties)
        for name, columns in {"is_bulk_day": ["sale_date"], "is_bulk_price": ["sale_date", "price"]}.items()
    }
    compared = sales[["price", "sale_date", "seller_family", "buyer_family"]].assign(ratio=ratio, spread=spread, **bulk)
    return market_flags(compared.join(_previous_sales(sales, ratio, settings)), settings)


def market_flags(rows: pd.DataFrame, settings: MarketSaleConfig) -> pd.DataFrame:
    """The flags of sales from their comparables' ratio, bulk transfers and previous sale.

    Each row holds all that its flags need.
    """
    ratio, spread = rows["ratio"].to_numpy(float), rows["spread"].to_numpy(float)
    low, high = ratio_limits(settings)
    is_low = ratio < low
    is_bulk_day, is_bulk_price = (rows[name].to_numpy(bool) for name in ("is_bulk_day", "is_bulk_price"))
    flags = {
        "nominal_price": (rows["price"] <= settings.nominal_price).to_numpy(),
        "family_transfer": is_low & _is_same(rows["seller_family"], rows["buyer_family"]),
        # Several properties with one buyer or seller and day, each cheap or at the total price of all.
        "bulk_transfer": (is_bulk_day & is_low) | (is_bulk_price & (ratio > high)),
        "quick_resale": _is_quick_resale(rows, ratio, settings),
        "ratio_outlier": np.abs(ratio) > np.maximum(settings.deviations * spread, high),
    }
    by_sale = np.array([flags[code] for code in CODES]).T
    reasons = ["; ".join(code for code, is_flagged in zip(CODES, row, strict=True) if is_flagged) for row in by_sale]
    return pd.DataFrame({"is_market": ~by_sale.any(axis=1), "market_reasons": reasons}, index=rows.index)


def ratio_limits(settings: MarketSaleConfig) -> tuple[float, float]:
    """The lower and the absolute upper limit beyond which a sale's ratio can be a reason to flag it."""
    return float(np.log(settings.low_ratio)), float(np.log(settings.min_outlier_ratio))


def comparison_rows(sales: pd.DataFrame, coordinates: Coordinates) -> pd.DataFrame:
    """Columns of sales for a comparison: `pool`, `week`, `id`, SPACE and `log_price`.

    The index is that of the sales. Only sales of one pool are compared: of one type, and one location if there are no
    coordinates. Sales without an area are compared with each other by their whole price.
    """
    area = sales["square_meters"].to_numpy(float)
    has_area = np.isfinite(area)
    area = np.where(has_area, area, 1.0)
    x, y = projection.project(sales["latitude"].to_numpy(float), sales["longitude"].to_numpy(float), coordinates)
    has_no_position = np.isnan(x) | np.isnan(y)
    days = pd.to_datetime(sales["sale_date"]).to_numpy("datetime64[D]").astype(float)
    pool = sales["property_type"].astype(str) + np.where(has_no_position, "|" + sales["location"].astype(str), "")
    pool += np.where(has_area, "", "|without area")
    return pd.DataFrame(
        {
            "pool": pool,
            "week": days // 7,
            "id": sales["transaction_id"],
            "east": np.where(has_no_position, 0.0, x / METRES),
            "north": np.where(has_no_position, 0.0, y / METRES),
            "time": days / DAYS_A_MONTH / MONTHS,
            "size": np.log(area) / LOG_SIZE,
            "built": sales["year_built"].to_numpy(float) / YEARS,
            "log_price": np.log(sales["price"].to_numpy(float) / area),
        },
        index=sales.index,
    )


def comparable_ratio(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The log price per m² of each row minus its comparables' median, and the comparables' spread.

    Comparables are the COMPARABLES nearest sales of the pool before the sale's week; of equally near ones the earlier
    weeks' and lower ids are taken. The spread is MAD_TO_STD times the median absolute deviation. Both are NaN for fewer
    than MIN_COMPARABLES within MAX_DISTANCE, and for rows whose `is_valued`, if there is such a column, is false.
    """
    ratio, spread = np.full((2, len(rows)), np.nan)
    space, log_price = rows[[*SPACE]].to_numpy(float), rows["log_price"].to_numpy(float)
    is_valued = rows["is_valued"].to_numpy(bool) if "is_valued" in rows else np.ones(len(rows), dtype=bool)
    ordered = rows[["pool", "week", "id"]].reset_index(drop=True).sort_values(["pool", "week", "id"])
    for _, members in ordered.groupby("pool"):
        positions, weeks = members.index.to_numpy(), members["week"].to_numpy()
        built = space[positions, BUILT]
        for of_block, typical in _blocks(weeks, built, np.unique(weeks[is_valued[positions]])):
            first, start, end = np.searchsorted(weeks, [of_block[0] - WEEKS, of_block[0], of_block[-1] + 1])
            start_of_last = np.searchsorted(weeks, of_block[-1])
            valued = positions[start:end]
            earlier = positions[first:start_of_last]
            limits = np.searchsorted(weeks, weeks[start:end]) - first
            filled = [space[part].copy() for part in (earlier, valued)]
            for part in filled:
                part[np.isnan(part[:, BUILT]), BUILT] = typical
            median, spread[valued] = _comparables(*filled, log_price[earlier], limits)
            ratio[valued] = log_price[valued] - median
    ratio[~is_valued], spread[~is_valued] = np.nan, np.nan
    return ratio, np.maximum(spread, MIN_SPREAD)


def _blocks(weeks: np.ndarray, built: np.ndarray, valued: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Runs of at most BLOCK_WEEKS valued weeks with the same median building year of earlier sales.

    One tree of earlier sales serves all weeks of a block. The median stands for unknown years of building.
    """
    typical = []
    for week in valued:
        first, start = np.searchsorted(weeks, [week - WEEKS, week])
        years = built[first:start][np.isfinite(built[first:start])]
        typical.append(np.median(years) if len(years) else 0.0)
    numbers = valued // BLOCK_WEEKS
    is_first = np.append(True, (np.diff(numbers) != 0) | (np.diff(typical) != 0)) if len(valued) else []
    starts = [*np.flatnonzero(is_first), len(valued)]
    for start, end in itertools.pairwise(starts):
        yield valued[start:end], typical[start]


def _comparables(
    earlier: np.ndarray, valued: np.ndarray, log_price: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The median and spread of the `log_price` of the nearest `earlier` sales, for each of `valued`.

    Only the first `limits` rows of `earlier` were sold before each one's week.
    """
    median, spread = np.full((2, len(valued)), np.nan)
    if len(earlier) < MIN_COMPARABLES:
        return median, spread
    # Without median splits and tight boxes, a tree is built in half the time and searched in the same.
    neighbours = _nearest(cKDTree(earlier, leafsize=32, balanced_tree=False, compact_nodes=False), valued, limits)
    is_enough = (neighbours < len(earlier)).sum(axis=1) >= MIN_COMPARABLES
    prices = np.append(log_price, np.nan)[neighbours][is_enough]
    median[is_enough] = _row_medians(prices)
    spread[is_enough] = MAD_TO_STD * _row_medians(np.abs(prices - median[is_enough, None]))
    return median, spread


def _nearest(tree: cKDTree, points: np.ndarray, limits: np.ndarray, n_asked: int = 2 * COMPARABLES + 1) -> np.ndarray:
    """The rows of each point's COMPARABLES nearest among the first `limits`.

    `tree.n` stands for those beyond MAX_DISTANCE. Of equally near ones the first rows are taken: SciPy's choice depends
    on the layout of the tree.
    """
    distance, rows = tree.query(points, k=range(1, n_asked + 1), distance_upper_bound=MAX_DISTANCE)
    farthest = distance[:, -1].copy()  # rows that are not among these are as far or farther
    is_later = rows >= limits[:, None]
    distance[is_later], rows[is_later] = np.inf, tree.n
    order = np.argsort(is_later, axis=1, kind="stable")
    distance, rows = (np.take_along_axis(part, order, axis=1) for part in (distance, rows))
    last = distance[:, COMPARABLES - 1]
    is_tied = np.isfinite(last) & (distance[:, COMPARABLES] == last)
    if is_tied.any():
        order = np.lexsort((rows[is_tied], distance[is_tied]), axis=1)
        rows[is_tied] = np.take_along_axis(rows[is_tied], order, axis=1)
    nearest = rows[:, :COMPARABLES].copy()
    is_incomplete = np.isfinite(farthest) & (last >= farthest)
    if is_incomplete.any():
        nearest[is_incomplete] = _nearest(tree, points[is_incomplete], limits[is_incomplete], 4 * n_asked)
    return nearest


def _row_medians(values: np.ndarray) -> np.ndarray:
    """Each row's median without NaN; NumPy's nanmedian takes ten times as long for few columns."""
    ordered, count = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    low, high = (np.take_along_axis(ordered, place[:, None], axis=1)[:, 0] for place in ((count - 1) // 2, count // 2))
    return (low + high) / 2


def _is_same(a: pd.Series, b: pd.Series) -> np.ndarray:
    return (a.notna() & (a == b)).to_numpy()


def _is_bulk(sales: pd.DataFrame, columns: list[str], n_properties: int) -> np.ndarray:
    """Whether one buyer or seller has at least `n_properties` sales that agree in `columns`."""
    sizes = [sales.groupby([party, *columns])["price"].transform("size") for party in ("buyer", "seller")]
    return np.logical_or(*((size >= n_properties).to_numpy() for size in sizes))


def _previous_sales(sales: pd.DataFrame, ratio: np.ndarray, settings: MarketSaleConfig) -> pd.DataFrame:
    """PREVIOUS by the sales' index: the property's previous sale at more than a nominal price."""
    rows = sales[["property_id", "sale_date", "price", "transaction_id"]].assign(ratio=ratio)
    rows = rows[rows["property_id"].notna() & (rows["price"] > settings.nominal_price)]
    rows = rows.sort_values(["property_id", "sale_date", "transaction_id"])
    previous = rows.groupby("property_id")[["sale_date", "price", "ratio"]].shift()
    return previous.set_axis([*PREVIOUS], axis=1)


def _is_quick_resale(rows: pd.DataFrame, ratio: np.ndarray, settings: MarketSaleConfig) -> np.ndarray:
    """Sales soon after the property's previous one at a very different, less usual price.

    The previous sale is not flagged: its flag must not depend on a later one.
    """
    has_previous = (rows["previous_date"].notna() & (rows["price"] > settings.nominal_price)).to_numpy()
    days = (pd.to_datetime(rows["sale_date"]) - pd.to_datetime(rows["previous_date"])).dt.days.to_numpy(float)
    is_soon = (days > 0) & (days <= settings.resale_days)
    prices = (np.log(rows[name].to_numpy(float)) for name in ("price", "previous_price"))
    is_different = np.abs(np.subtract(*prices)) > np.log(1 + settings.resale_change)
    deviation, previous = (np.abs(np.nan_to_num(part)) for part in (ratio, rows["previous_ratio"].to_numpy(float)))
    return has_previous & is_soon & is_different & (deviation >= previous)
