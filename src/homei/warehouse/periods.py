"""The rows of market_trends: the market by month, quarter and year, by location and type and over all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.warehouse.tables import ALL

FREQUENCIES = {"month": "M", "quarter": "Q", "year": "Y"}  # and what pandas calls such a period
CENTS = 100  # money is added in whole cents: exact, whatever the order
KEYS = ("location", "property_type")
OFFERS = ("new_listings", "closed_listings")


def trends(sales: pd.DataFrame, markets: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """A row for each frequency, period, location and type with any market sale, ALL standing for all of one kind.

    `sales` are RESOLVED_SALES, `markets` MARKET_ANALYTICS, whose months are those told, `index` MARKET_INDEX. Each
    location, and all together, have rows without sales too. Prices are the period's own; index and inventory are
    those of its last month, and the index of all locations is 100 in the first month that has one.
    """
    markets = markets.assign(month=pd.to_datetime(markets["month"]))
    months = markets["month"].drop_duplicates().sort_values()
    sold = _sold(sales, months)
    places = pd.concat([markets, _together(markets, months, index)], ignore_index=True)
    parts = []
    for frequency, period in FREQUENCIES.items():
        paid = pd.concat([_paid(sold, period, keys) for keys in ((), KEYS[:1], KEYS[1:], KEYS)], ignore_index=True)
        around = _around(places, period)
        found = around.merge(paid, on=["period", *KEYS], how="outer").assign(frequency=frequency)
        parts.append(found.assign(market_sales=found["market_sales"].fillna(0)))
    return pd.concat(parts, ignore_index=True)


def _sold(sales: pd.DataFrame, months: pd.Series) -> pd.DataFrame:
    """Market sales of the given months."""
    day = pd.to_datetime(sales["sale_date"])
    month = day.dt.to_period("M").dt.start_time
    sold = sales[sales["is_market"].fillna(False).astype(bool) & month.isin(months)]
    price = sold["price"].astype("f8")
    return pd.DataFrame(
        {
            **{key: sold[key].astype(object) for key in KEYS},
            "day": day[sold.index],
            "price": price,
            "cents": np.rint(price / sold["square_meters"].astype("f8") * CENTS),
        }
    ).dropna(subset=list(KEYS))


def _paid(sold: pd.DataFrame, period: str, keys: tuple[str, ...]) -> pd.DataFrame:
    """Sales and prices by period and `keys`; the other keys are ALL."""
    by = [sold["day"].dt.to_period(period).dt.start_time.rename("period"), *(sold[key] for key in keys)]
    grouped = sold.groupby(by, sort=True)
    found = pd.DataFrame(
        {
            "market_sales": grouped["price"].size(),
            "median_price": grouped["price"].median().round(2),
            "average_price_per_square_meter": (grouped["cents"].sum() / grouped["cents"].count() / CENTS).round(2),
        }
    ).reset_index()
    return found.assign(**{key: ALL for key in KEYS if key not in keys})


def _together(markets: pd.DataFrame, months: pd.Series, index: pd.DataFrame) -> pd.DataFrame:
    """Offers and inventory of all locations, and the city's own index, month by month."""
    counts = markets.groupby("month")[["inventory", *OFFERS]].sum(min_count=1).reset_index()
    # The index tells of each month what was known before it: a month's close stands in the next one's row.
    closing = pd.Series(index["market_level"].to_numpy("f8"), index=index["month"].astype("int64").to_numpy() - 1)
    level = (months.dt.year * 12 + months.dt.month - 1).map(closing)
    known = level.dropna()
    told = np.round(100 * np.exp(level - (known.iloc[0] if len(known) else np.nan)), 2)
    return counts.merge(pd.DataFrame({"month": months, "price_index": told}), on="month").assign(location=ALL)


def _around(places: pd.DataFrame, period: str) -> pd.DataFrame:
    """Index, inventory and offers by period and location, of all types."""
    ordered = places.sort_values(["location", "month"], kind="stable")
    ordered = ordered.assign(period=ordered["month"].dt.to_period(period).dt.start_time)
    grouped = ordered.groupby(["period", "location"], sort=True)
    # The last month's own value: `last` would take an earlier one where it is unknown.
    closing = grouped.tail(1)[["period", "location", "price_index", "inventory"]]
    offers = grouped[list(OFFERS)].sum(min_count=1).reset_index()
    return closing.merge(offers, on=["period", "location"]).assign(property_type=ALL)
