"""Properties for sale in the simulated city: the listings of the portal and of a rival."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from homei.demo.addresses import feed_spellings
from homei.demo.synthetic_geography import METRES_PER_DEGREE
from homei.demo.synthetic_register import DAY, INCOMPLETE_ATTRIBUTES, SimulatedCity
from homei.demo.text_formats import format_times, office_hours

MONTHS = 30  # before the last day, in which listings begin
LISTED_SHARE = 0.40  # of the market sales
WITHDRAWN_SHARE, OPEN_SHARE, UNREGISTERED_SHARE = 0.10, 0.13, 0.025  # relative to the listings that led to a sale
RIVAL_SHARE = 1 / 75  # relative to the sales of the register
SAME_SHARE = 0.6  # of the rival's listings, those of properties that the portal lists too
LISTED_DAYS = (15, 150)  # before the sale
CLOSED_DAYS = 10  # at most, before the sale: deeds are signed some days after the agreement
DAYS_SINCE_SALE = 250  # from a property's last sale to its listing
LARGEST_DISPLACEMENT = 25.0  # metres
OMITTED_SHARE = 0.08  # of the listings, for each attribute that may be missing


def portal_listings(rng: np.random.Generator, city: SimulatedCity) -> pd.DataFrame:
    """The portal's listings in order of listed_on.

    listing_id, property_row, transaction_id (None if there is no registered sale), status (open, sold or withdrawn),
    listed_on, closed_on (NaT while open), updated_at (UTC), price (asking price), and the columns of
    `_with_descriptions`. Some are of properties that the register does not contain.
    """
    last = _last_sales(city)
    sold = _sold_listings(rng, city)
    shares = (WITHDRAWN_SHARE, OPEN_SHARE, UNREGISTERED_SHARE)
    n_withdrawn, n_open, n_unregistered = (round(share * len(sold)) for share in shares)
    withdrawn = rng.permutation(np.flatnonzero(last < _start(city) - DAYS_SINCE_SALE * DAY))[:n_withdrawn]
    idle = np.flatnonzero(last < city.last_day - DAYS_SINCE_SALE * DAY)
    unregistered = rng.permutation(np.flatnonzero(np.isnat(last)))[:n_unregistered]
    for_sale = np.concatenate([rng.permutation(np.setdiff1d(idle, withdrawn))[:n_open], unregistered[::3]])
    listings = pd.concat(
        [
            sold,
            _withdrawn_listings(rng, city, withdrawn),
            _withdrawn_listings(rng, city, unregistered[1::3]),
            _withdrawn_listings(rng, city, unregistered[2::3]).assign(status="sold"),
            _open_listings(rng, city, for_sale),
        ]
    ).sort_values(["listed_on", "property_row"], ignore_index=True)
    listings.insert(0, "listing_id", [f"L{number}" for number in 100_001 + np.arange(len(listings))])
    return _with_descriptions(rng, city, listings)


def rival_listings(rng: np.random.Generator, city: SimulatedCity, portal: pd.DataFrame) -> pd.DataFrame:
    """The rival's listings, all open: the portal's columns and same_as (the portal's listing_id, or None)."""
    count = round(RIVAL_SHARE * len(city.sales))
    offered = portal[portal["status"] == "open"]
    same = offered.iloc[np.sort(rng.permutation(len(offered))[: round(SAME_SHARE * count)])]
    days = rng.integers(-10, 11, len(same)) * DAY
    same = same[["property_row", "status", "listed_on", "closed_on", "price", "transaction_id"]].assign(
        listed_on=np.minimum(same["listed_on"].to_numpy() + days, city.last_day.astype("datetime64[s]")),
        price=_to_hundreds(same["price"] * rng.uniform(0.985, 1.015, len(same))),
        same_as=same["listing_id"],
    )
    idle = np.setdiff1d(
        np.flatnonzero(_last_sales(city) < city.last_day - DAYS_SINCE_SALE * DAY), portal["property_row"]
    )
    others = _open_listings(rng, city, rng.permutation(idle)[: count - len(same)]).assign(same_as=None)
    listings = pd.concat([same, others]).sort_values(["listed_on", "property_row"], ignore_index=True)
    numbers = 40_000 + rng.integers(1, 10, len(listings)).cumsum()
    listings.insert(0, "listing_id", [str(number) for number in numbers])
    return _with_descriptions(rng, city, listings)


def portal_records(listings: pd.DataFrame) -> list[dict[str, Any]]:
    """The portal's listings as the nested records of its REST API."""
    return [
        {
            "id": listing["listing_id"],
            "url": f"https://portal.example/listing/{listing['listing_id']}",
            "status": listing["status"],
            "listed_on": listing["listed_on"],
            "closed_on": listing["closed_on"],
            "updated_at": listing["updated_at"],
            "price": {"amount": listing["price"], "currency": "EUR"},
            "address": {"line": listing["address"], "district": listing["location"]},
            "position": {"lat": listing["latitude"], "lon": listing["longitude"]},
            "home": {
                "type": listing["property_type"],
                "area_m2": listing["square_meters"],
                **{name: listing[name] for name in INCOMPLETE_ATTRIBUTES},
                "built": listing["year_built"],
            },
        }
        for listing in _json_values(listings)
    ]


def rival_records(listings: pd.DataFrame) -> list[dict[str, Any]]:
    """The rival's listings as the flat records that its web site shows."""
    shown = [
        "listing_id", "listed_on", "updated_at", "price", "address", "location", "property_type", "square_meters",
        *INCOMPLETE_ATTRIBUTES, "year_built", "latitude", "longitude",
    ]  # fmt: skip
    return [{name: listing[name] for name in shown} for listing in _json_values(listings)]


def listings_truth(city: SimulatedCity, portal: pd.DataFrame, rival: pd.DataFrame) -> pd.DataFrame:
    """feed, listing_id, property_id (None if the register does not contain the property), and same_as."""
    both = pd.concat([portal.assign(feed="portal", same_as=None), rival.assign(feed="rival")], ignore_index=True)
    registered = both["property_row"].isin(city.sales["property_row"])
    property_id = city.properties["property_id"].iloc[both["property_row"]].reset_index(drop=True)
    both["property_id"] = property_id.astype(object).where(registered, None)
    return both[["feed", "listing_id", "property_id", "same_as"]]


def _start(city: SimulatedCity) -> np.datetime64:
    return city.first_day(min(MONTHS, city.simulate.months))


def _last_sales(city: SimulatedCity) -> np.ndarray:
    """The day of each property's last registered sale, NaT if there is none."""
    last = np.full(len(city.properties), np.datetime64("NaT", "D"))
    last[city.sales["property_row"]] = city.sales["sold_on"].to_numpy().astype("datetime64[D]")
    return last


def _sold_listings(rng: np.random.Generator, city: SimulatedCity) -> pd.DataFrame:
    """Listings that led to a sale; none begins before its seller bought the property."""
    sold_on = city.sales["sold_on"].to_numpy().astype("datetime64[D]")
    bought = city.sales.groupby("property_row")["sold_on"].shift().to_numpy().astype("datetime64[D]")
    owned = np.where(np.isnat(bought), LISTED_DAYS[1], (sold_on - bought).astype(np.int64) - 1)
    may_be_listed = city.sales["price"].notna() & (sold_on >= _start(city)) & (owned >= LISTED_DAYS[0])
    at = np.flatnonzero(may_be_listed & (rng.random(len(may_be_listed)) < LISTED_SHARE))
    days = rng.integers(LISTED_DAYS[0], np.minimum(owned[at], LISTED_DAYS[1]) + 1)
    asking_price = city.sales["price"].to_numpy()[at] * (1 + rng.uniform(0, 0.08, len(at)))
    return _listings_table(
        property_row=city.sales["property_row"].to_numpy()[at],
        transaction_id=city.sales["transaction_id"].to_numpy()[at],
        status="sold",
        listed_on=sold_on[at] - days * DAY,
        closed_on=sold_on[at] - rng.integers(0, CLOSED_DAYS + 1, len(at)) * DAY,
        price=np.ceil(asking_price / 100) * 100,
    )


def _withdrawn_listings(rng: np.random.Generator, city: SimulatedCity, property_row: np.ndarray) -> pd.DataFrame:
    """Listings whose asking price was too high to sell."""
    start, days = _start(city), rng.integers(20, 200, len(property_row))
    listed = start + rng.integers(0, (city.last_day - start).astype(np.int64) - days) * DAY
    return _unsold(rng, city, property_row, "withdrawn", listed, listed + days * DAY, (1.04, 1.20))


def _open_listings(rng: np.random.Generator, city: SimulatedCity, property_row: np.ndarray) -> pd.DataFrame:
    """Listings that are still open."""
    listed = city.last_day - rng.integers(0, LISTED_DAYS[1], len(property_row)) * DAY
    return _unsold(
        rng, city, property_row, "open", listed, np.full(len(listed), np.datetime64("NaT", "D")), (1.0, 1.08)
    )


def _unsold(
    rng: np.random.Generator,
    city: SimulatedCity,
    property_row: np.ndarray,
    status: str,
    listed_on: np.ndarray,
    closed_on: np.ndarray,
    premium: tuple[float, float],
) -> pd.DataFrame:
    """Listings without a sale; `premium` are the limits of the asking price relative to the value."""
    price = _to_hundreds(city.draw_prices(rng, property_row, listed_on) * rng.uniform(*premium, len(property_row)))
    days = {"listed_on": listed_on, "closed_on": closed_on}
    return _listings_table(property_row=property_row, transaction_id=None, status=status, **days, price=price)


def _listings_table(**columns: Any) -> pd.DataFrame:
    days = dict.fromkeys(["listed_on", "closed_on"], "datetime64[s]")
    return pd.DataFrame(columns).astype({**days, "price": np.int64, "transaction_id": object})


def _with_descriptions(rng: np.random.Generator, city: SimulatedCity, listings: pd.DataFrame) -> pd.DataFrame:
    """The listings with updated_at, address and the property's attributes.

    Areas are rounded, coordinates are displaced, and some attributes are missing.
    """
    count, properties = len(listings), city.properties.iloc[listings["property_row"]].reset_index(drop=True)
    listed = listings["listed_on"].to_numpy().astype("datetime64[D]")
    # Open listings may have been edited since they began.
    edited = listed + np.floor(rng.random(count) * ((city.last_day - listed) / DAY + 1)).astype(np.int64) * DAY
    updated = listings["closed_on"].to_numpy().astype("datetime64[D]")
    updated = np.where(np.isnat(updated), edited, updated)
    distance, angle = LARGEST_DISPLACEMENT * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    metres_per_degree = METRES_PER_DEGREE * np.cos(np.radians(properties["latitude"]))
    incomplete = {
        name: properties[name].where(rng.random(count) >= OMITTED_SHARE)
        for name in (*INCOMPLETE_ATTRIBUTES, "year_built")
    }
    is_rounded = rng.random(count) < 0.85
    return listings.assign(
        updated_at=format_times(updated, office_hours(rng, count)),
        address=feed_spellings(rng, properties),
        location=properties["location"],
        property_type=properties["property_type"],
        square_meters=properties["square_meters"].round().where(is_rounded, properties["square_meters"]),
        **incomplete,
        latitude=(properties["latitude"] + distance * np.sin(angle) / METRES_PER_DEGREE).round(6),
        longitude=(properties["longitude"] + distance * np.cos(angle) / metres_per_degree).round(6),
    )


def _json_values(listings: pd.DataFrame) -> list[dict[str, Any]]:
    """The listings as JSON values: ISO dates, whole numbers where possible, None for missing values."""
    values = listings.astype(object).where(listings.notna(), None)
    for name in ("listed_on", "closed_on"):
        days = np.datetime_as_string(listings[name].to_numpy(), unit="D")
        values[name] = np.where(days == "NaT", None, days.astype(object))
    for name in ("square_meters", *INCOMPLETE_ATTRIBUTES, "year_built"):
        whole = [int(value) if value is not None and value == int(value) else value for value in values[name]]
        values[name] = pd.Series(whole, dtype=object)
    return values.to_dict("records")


def _to_hundreds(prices: Any) -> np.ndarray:
    return np.round(np.asarray(prices) / 100).astype(np.int64) * 100
