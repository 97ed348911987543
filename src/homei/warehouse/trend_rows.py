"""Rows of market_trends: the market by month, quarter and year, location and type."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from homei.warehouse.tables import ALL

PANDAS_PERIODS = {"month": "M", "quarter": "Q", "year": "Y"}
CENTS = 100  # money is summed in whole cents, so that the order of summation does not matter
KEYS = ("location", "property_type")
LISTING_COUNTS = ("new_listings", "closed_listings")


def trend_rows(sales: Iterable[pd.DataFrame], markets: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """A row for each frequency, period, location and type with market sales, and for ALL of them.

    `sales` are RESOLVED_SALES in one or more frames of whole years, `markets` MARKET_ANALYTICS, which defines the
    months, `index` MARKET_INDEX. Each location, and all together, have rows without sales too. Prices are the period's
    own; price index and inventory are those of its last month. The index of all locations is 100 in its first month.
    """
    markets = markets.assign(month=pd.to_datetime(markets["month"]))
    months = markets["month"].drop_duplicates().sort_values()
    years = [_year_prices(_market_sales(year, months)) for year in sales]
    locations = pd.concat([markets, _all_locations(markets, months, index)], ignore_index=True)
    parts = []
    for frequency, period in PANDAS_PERIODS.items():
        prices = pd.concat([year[frequency] for year in years], ignore_index=True)
        rows = _index_and_listings(locations, period).merge(prices, on=["period", *KEYS], how="outer")
        parts.append(rows.assign(frequency=frequency, market_sales=rows["market_sales"].fillna(0)))
    return pd.concat(parts, ignore_index=True)


def _market_sales(sales: pd.DataFrame, months: pd.Series) -> pd.DataFrame:
    """Day, price and price per square metre (in cents) of the market sales in the given months."""
    day = pd.to_datetime(sales["sale_date"])
    month = day.dt.to_period("M").dt.start_time
    market_sales = sales[sales["is_market"].fillna(False).astype(bool) & month.isin(months)]
    price = market_sales["price"].astype("f8")
    return pd.DataFrame(
        {
            **{key: market_sales[key].astype(object) for key in KEYS},
            "day": day[market_sales.index],
            "price": price,
            "cents": np.rint(price / market_sales["square_meters"].astype("f8") * CENTS),
        }
    ).dropna(subset=list(KEYS))


def _year_prices(market_sales: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Numbers of sales and prices by frequency. No period reaches into another year."""
    groupings = ((), KEYS[:1], KEYS[1:], KEYS)
    return {
        frequency: pd.concat([_prices(market_sales, period, keys) for keys in groupings], ignore_index=True)
        for frequency, period in PANDAS_PERIODS.items()
    }


def _prices(market_sales: pd.DataFrame, period: str, keys: tuple[str, ...]) -> pd.DataFrame:
    """Number of sales and prices by period and `keys`; the other keys are ALL."""
    periods = market_sales["day"].dt.to_period(period).dt.start_time.rename("period")
    grouped = market_sales.groupby([periods, *(market_sales[key] for key in keys)], sort=True)
    prices = pd.DataFrame(
        {
            "market_sales": grouped["price"].size(),
            "median_price": grouped["price"].median().round(2),
            "average_price_per_square_meter": (grouped["cents"].sum() / grouped["cents"].count() / CENTS).round(2),
        }
    ).reset_index()
    return prices.assign(**{key: ALL for key in KEYS if key not in keys})


def _all_locations(markets: pd.DataFrame, months: pd.Series, index: pd.DataFrame) -> pd.DataFrame:
    """Listings and inventory of all locations together, and the city's price index, by month."""
    counts = markets.groupby("month")[["inventory", *LISTING_COUNTS]].sum(min_count=1).reset_index()
    # MARKET_INDEX has the level before each month: a month's closing level is in the next month's row.
    closing = pd.Series(index["market_level"].to_numpy("f8"), index=index["month"].astype("int64").to_numpy() - 1)
    level = (months.dt.year * 12 + months.dt.month - 1).map(closing)
    levels = level.dropna()
    price_index = np.round(100 * np.exp(level - (levels.iloc[0] if len(levels) else np.nan)), 2)
    return counts.merge(pd.DataFrame({"month": months, "price_index": price_index}), on="month").assign(location=ALL)


def _index_and_listings(locations: pd.DataFrame, period: str) -> pd.DataFrame:
    """Price index, inventory and listings by period and location, of all types."""
    ordered = locations.sort_values(["location", "month"], kind="stable")
    ordered = ordered.assign(period=ordered["month"].dt.to_period(period).dt.start_time)
    grouped = ordered.groupby(["period", "location"], sort=True)
    # The last month's own value: `last` would take an earlier one where it is missing.
    closing = grouped.tail(1)[["period", "location", "price_index", "inventory"]]
    listings = grouped[list(LISTING_COUNTS)].sum(min_count=1).reset_index()
    return closing.merge(listings, on=["period", "location"]).assign(property_type=ALL)
