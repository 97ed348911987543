"""What is offered in the simulated town: the listings of the portal and of a rival, each in its own words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from homei.demo.addresses import others_spelling
from homei.demo.city import METRES_PER_DEGREE
from homei.demo.town import DAY, RECORDED, Town, iso_times, office_hours

MONTHS = 30  # how far back the portal goes
LISTED_SHARE = 0.40  # of the sales at market prices, how many had been listed
WITHDRAWN_SHARE, OPEN_SHARE, UNREGISTERED_SHARE = 0.10, 0.13, 0.025  # for each listing that led to a sale
RIVAL_SHARE = 1 / 75  # for each sale of the register
SAME_SHARE = 0.6  # of the rival's listings, how many are of homes that the portal lists too
LISTED_DAYS = (15, 150)  # before the sale
CLOSED_DAYS = 10  # before the sale at most: what is agreed takes a while to be signed
QUIET_DAYS = 250  # since the last sale of a home that is up for sale
JITTER = 25.0  # metres
UNTOLD = 0.08  # of the listings, how many leave out an attribute, each


def portal_listings(rng: np.random.Generator, town: Town) -> pd.DataFrame:
    """The portal's listings in order of listed_on.

    listing_id, home (row of the town's), transaction_id (None where it didn't lead to a registered sale), status (open,
    sold or withdrawn), listed_on, closed_on (NaT while open), updated_at (UTC), price (asked), and what `_described`
    adds. Some are of homes that the register doesn't know.
    """
    last = _last_sales(town)
    sold = _led_to_sales(rng, town)
    shares = (WITHDRAWN_SHARE, OPEN_SHARE, UNREGISTERED_SHARE)
    withdrawn, unsold, unknown = (round(share * len(sold)) for share in shares)
    quiet = rng.permutation(np.flatnonzero(last < _start(town) - QUIET_DAYS * DAY))[:withdrawn]
    idle = np.flatnonzero(last < town.today - QUIET_DAYS * DAY)
    unregistered = rng.permutation(np.flatnonzero(np.isnat(last)))[:unknown]
    for_sale = np.concatenate([rng.permutation(np.setdiff1d(idle, quiet))[:unsold], unregistered[::3]])
    listings = pd.concat(
        [
            sold,
            _withdrawn(rng, town, quiet),
            _withdrawn(rng, town, unregistered[1::3]),
            _withdrawn(rng, town, unregistered[2::3]).assign(status="sold"),
            _open(rng, town, for_sale),
        ]
    ).sort_values(["listed_on", "home"], ignore_index=True)
    listings.insert(0, "listing_id", [f"L{number}" for number in 100_001 + np.arange(len(listings))])
    return _described(rng, town, listings)


def rival_listings(rng: np.random.Generator, town: Town, portal: pd.DataFrame) -> pd.DataFrame:
    """The rival's listings, all of them open: as the portal's, with same_as (the portal's listing_id, or None)."""
    count = round(RIVAL_SHARE * len(town.sales))
    offered = portal[portal["status"] == "open"]
    same = offered.iloc[np.sort(rng.permutation(len(offered))[: round(SAME_SHARE * count)])]
    days = rng.integers(-10, 11, len(same)) * DAY
    same = same[["home", "status", "listed_on", "closed_on", "price", "transaction_id"]].assign(
        listed_on=np.minimum(same["listed_on"].to_numpy() + days, town.today.astype("datetime64[s]")),
        price=_to_hundreds(same["price"] * rng.uniform(0.985, 1.015, len(same))),
        same_as=same["listing_id"],
    )
    idle = np.setdiff1d(np.flatnonzero(_last_sales(town) < town.today - QUIET_DAYS * DAY), portal["home"])
    own = _open(rng, town, rng.permutation(idle)[: count - len(same)]).assign(same_as=None)
    listings = pd.concat([same, own]).sort_values(["listed_on", "home"], ignore_index=True)
    numbers = 40_000 + rng.integers(1, 10, len(listings)).cumsum()
    listings.insert(0, "listing_id", [str(number) for number in numbers])
    return _described(rng, town, listings)


def portal_records(listings: pd.DataFrame) -> list[dict[str, Any]]:
    """The portal's listings as its REST API tells them, nested."""
    return [
        {
            "id": one["listing_id"],
            "url": f"https://portal.example/listing/{one['listing_id']}",
            "status": one["status"],
            "listed_on": one["listed_on"],
            "closed_on": one["closed_on"],
            "updated_at": one["updated_at"],
            "price": {"amount": one["price"], "currency": "EUR"},
            "address": {"line": one["address"], "district": one["location"]},
            "position": {"lat": one["latitude"], "lon": one["longitude"]},
            "home": {
                "type": one["property_type"],
                "area_m2": one["square_meters"],
                **{name: one[name] for name in RECORDED},
                "built": one["year_built"],
            },
        }
        for one in _plain(listings)
    ]


def rival_records(listings: pd.DataFrame) -> list[dict[str, Any]]:
    """The rival's listings, flat, as its site shows them."""
    shown = [
        "listing_id", "listed_on", "updated_at", "price", "address", "location", "property_type", "square_meters",
        *RECORDED, "year_built", "latitude", "longitude",
    ]  # fmt: skip
    return [{name: one[name] for name in shown} for one in _plain(listings)]


def listings_truth(town: Town, portal: pd.DataFrame, rival: pd.DataFrame) -> pd.DataFrame:
    """feed, listing_id, property_id (None where the register doesn't know the home), and same_as."""
    both = pd.concat([portal.assign(feed="portal", same_as=None), rival.assign(feed="rival")], ignore_index=True)
    registered = both["home"].isin(town.sales["home"])
    known = town.homes["property_id"].iloc[both["home"]].reset_index(drop=True)
    both["property_id"] = known.astype(object).where(registered, None)
    return both[["feed", "listing_id", "property_id", "same_as"]]


def _start(town: Town) -> np.datetime64:
    months = min(MONTHS, town.simulate.months)
    return (town.today.astype("datetime64[M]") - (months - 1)).astype("datetime64[D]")


def _last_sales(town: Town) -> np.ndarray:
    """The day of each home's last registered sale, NaT where it has none."""
    last = np.full(len(town.homes), np.datetime64("NaT", "D"))
    last[town.sales["home"]] = town.sales["sold_on"].to_numpy().astype("datetime64[D]")
    return last


def _led_to_sales(rng: np.random.Generator, town: Town) -> pd.DataFrame:
    """Listings of homes that sold, none put up before its seller had bought it."""
    sold_on = town.sales["sold_on"].to_numpy().astype("datetime64[D]")
    bought = town.sales.groupby("home")["sold_on"].shift().to_numpy().astype("datetime64[D]")
    owned = np.where(np.isnat(bought), LISTED_DAYS[1], (sold_on - bought).astype(np.int64) - 1)
    likely = town.sales["price"].notna() & (sold_on >= _start(town)) & (owned >= LISTED_DAYS[0])
    at = np.flatnonzero(likely & (rng.random(len(likely)) < LISTED_SHARE))
    days = rng.integers(LISTED_DAYS[0], np.minimum(owned[at], LISTED_DAYS[1]) + 1)
    asked = town.sales["price"].to_numpy()[at] * (1 + rng.uniform(0, 0.08, len(at)))
    return _offers(
        home=town.sales["home"].to_numpy()[at],
        transaction_id=town.sales["transaction_id"].to_numpy()[at],
        status="sold",
        listed_on=sold_on[at] - days * DAY,
        closed_on=sold_on[at] - rng.integers(0, CLOSED_DAYS + 1, len(at)) * DAY,
        price=np.ceil(asked / 100) * 100,
    )


def _withdrawn(rng: np.random.Generator, town: Town, home: np.ndarray) -> pd.DataFrame:
    """Listings of homes that were too dear to sell."""
    start, days = _start(town), rng.integers(20, 200, len(home))
    listed = start + rng.integers(0, (town.today - start).astype(np.int64) - days) * DAY
    worth = town.worth(home, listed) * np.exp(town.simulate.noise * rng.standard_normal(len(home)))
    return _offers(
        home=home,
        transaction_id=None,
        status="withdrawn",
        listed_on=listed,
        closed_on=listed + days * DAY,
        price=_to_hundreds(worth * rng.uniform(1.04, 1.20, len(home))),
    )


def _open(rng: np.random.Generator, town: Town, home: np.ndarray) -> pd.DataFrame:
    """Listings of homes that are still to sell."""
    listed = town.today - rng.integers(0, LISTED_DAYS[1], len(home)) * DAY
    worth = town.worth(home, listed) * np.exp(town.simulate.noise * rng.standard_normal(len(home)))
    return _offers(
        home=home,
        transaction_id=None,
        status="open",
        listed_on=listed,
        closed_on=np.full(len(home), np.datetime64("NaT", "D")),
        price=_to_hundreds(worth * rng.uniform(1.0, 1.08, len(home))),
    )


def _offers(**columns: Any) -> pd.DataFrame:
    days = dict.fromkeys(["listed_on", "closed_on"], "datetime64[s]")
    return pd.DataFrame(columns).astype({**days, "price": np.int64, "transaction_id": object})


def _described(rng: np.random.Generator, town: Town, listings: pd.DataFrame) -> pd.DataFrame:
    """The listings with updated_at, address, location, property_type, square_meters (rounded), bedrooms, bathrooms,
    floor and year_built (some left out), and latitude and longitude some metres off.
    """
    count, homes = len(listings), town.homes.iloc[listings["home"]].reset_index(drop=True)
    listed = listings["listed_on"].to_numpy().astype("datetime64[D]")
    # What is open may have become cheaper or been reworded since it was listed.
    reworded = listed + np.floor(rng.random(count) * ((town.today - listed) / DAY + 1)).astype(np.int64) * DAY
    updated = listings["closed_on"].to_numpy().astype("datetime64[D]")
    updated = np.where(np.isnat(updated), reworded, updated)
    far, angle = JITTER * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    parallel = METRES_PER_DEGREE * np.cos(np.radians(homes["latitude"]))
    told = {name: homes[name].where(rng.random(count) >= UNTOLD) for name in (*RECORDED, "year_built")}
    whole = rng.random(count) < 0.85
    return listings.assign(
        updated_at=iso_times(updated, office_hours(rng, count)),
        address=others_spelling(rng, homes),
        location=homes["location"],
        property_type=homes["property_type"],
        square_meters=homes["square_meters"].round().where(whole, homes["square_meters"]),
        **told,
        latitude=(homes["latitude"] + far * np.sin(angle) / METRES_PER_DEGREE).round(6),
        longitude=(homes["longitude"] + far * np.cos(angle) / parallel).round(6),
    )


def _plain(listings: pd.DataFrame) -> list[dict[str, Any]]:
    """The listings as JSON knows values: ISO dates, whole numbers where they are, None where nothing is told."""
    plain = listings.astype(object).where(listings.notna(), None)
    for name in ("listed_on", "closed_on"):
        days = np.datetime_as_string(listings[name].to_numpy(), unit="D")
        plain[name] = np.where(days == "NaT", None, days.astype(object))
    for name in ("square_meters", *RECORDED, "year_built"):
        whole = [int(value) if value is not None and value == int(value) else value for value in plain[name]]
        plain[name] = pd.Series(whole, dtype=object)
    return plain.to_dict("records")


def _to_hundreds(prices: Any) -> np.ndarray:
    return np.round(np.asarray(prices) / 100).astype(np.int64) * 100
