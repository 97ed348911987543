"""The simulated customers: who looked for a home, what they asked about, and what they bought in the end."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.demo.people import is_person, parties
from homei.demo.town import DAY, Town, iso_times, office_hours

CUSTOMERS_SHARE = 1 / 12  # for each sale of the register
BOUGHT_SHARE = 0.30  # of the customers, how many bought a home that the portal had listed
INQUIRIES = 3.0  # for each customer, beside those that led to a purchase
VIEWED, OFFERED = 0.28, 0.35  # of the inquiries, how many led to a viewing, and of these to an offer
ACTIVITIES = ("inquiry", "viewing", "offer", "purchase")


def customers_and_leads(
    rng: np.random.Generator, town: Town, listings: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The customers, and what each of them did about the portal's listings.

    customers: customer_id, name, email, phone, location (wanted), registered_on, changed_at. leads, in order of day:
    lead_id, customer_id, listing_id, transaction_id (of purchases), activity, happened_on, budget, changed_at. A
    purchase is a sale of the register, and the customer its buyer.
    """
    count = round(CUSTOMERS_SHARE * len(town.sales))
    bought = _purchases(rng, town, listings, round(BOUGHT_SHARE * count))
    others = np.array([name for name in parties(rng, 2 * count) if is_person(name)], dtype=object)
    names = np.concatenate([bought["buyer"].to_numpy(), others])[:count]
    places = town.city.districts["name"].to_numpy()
    wanted = np.concatenate([bought["location"].to_numpy(), places[rng.integers(0, len(places), count - len(bought))]])
    steps = pd.concat([_way_to_purchase(rng, bought), _inquiries(rng, town, listings, wanted)], ignore_index=True)
    steps = _in_order(rng, steps, len(wanted))
    customers = _customers(rng, town, names, wanted, steps)
    leads = _leads(rng, steps, customers["customer_id"].to_numpy())
    return customers.sort_values("customer_id", ignore_index=True), leads


def _purchases(rng: np.random.Generator, town: Town, listings: pd.DataFrame, count: int) -> pd.DataFrame:
    """Listings that people of the town bought: the listing's columns, buyer, sold_on, and customer from 0 on."""
    sales = town.sales[["transaction_id", "buyer", "sold_on"]]
    sold = listings.dropna(subset="transaction_id").merge(sales, on="transaction_id")
    people = np.flatnonzero(sold["buyer"].map(is_person))
    bought = sold.iloc[np.sort(rng.permutation(people)[:count])].reset_index(drop=True)
    return bought.assign(customer=np.arange(len(bought)))


def _way_to_purchase(rng: np.random.Generator, bought: pd.DataFrame) -> pd.DataFrame:
    """The four steps of each purchase, between the day it was listed and the day it was sold."""
    span = (bought["sold_on"] - bought["listed_on"]).dt.days.to_numpy()
    at = np.sort(rng.random((len(bought), 3)), axis=1) * 0.9
    days = np.column_stack([np.floor(at * span[:, None]).astype(np.int64), span])
    return pd.concat(
        _step(bought, activity, bought["listed_on"] + pd.to_timedelta(days[:, step], unit="D"))
        for step, activity in enumerate(ACTIVITIES)
    )


def _inquiries(rng: np.random.Generator, town: Town, listings: pd.DataFrame, wanted: np.ndarray) -> pd.DataFrame:
    """Inquiries that led to no purchase, and the viewings and offers among what followed them."""
    count = round(INQUIRIES * len(wanted))
    asked = listings.iloc[rng.integers(0, len(listings), count)].reset_index(drop=True)
    # Half of the people ask where they want to live, as far as anything is listed there.
    at_home = {place: np.flatnonzero(wanted == place) for place in np.unique(wanted)}
    anyone, choosy, luck = rng.integers(0, len(wanted), count), rng.random(count) < 0.5, rng.random(count)
    near = [at_home.get(place, anyone[:1]) for place in asked["location"]]
    local = np.array([people[int(share * len(people))] for people, share in zip(near, luck, strict=True)])
    asked["customer"] = np.where(choosy, local, anyone)
    end = asked["closed_on"].fillna(pd.Timestamp(town.as_of).as_unit("s"))
    span = (end - asked["listed_on"]).dt.days.to_numpy()
    days = np.floor(rng.random(count) * (span + 1)).astype(np.int64)
    steps, going = [], np.ones(count, dtype=bool)
    for activity, share in zip(ACTIVITIES[:3], (1.0, VIEWED, OFFERED), strict=True):
        going &= (rng.random(count) < share) & (days <= span)
        happened = asked["listed_on"] + pd.to_timedelta(days, unit="D")
        steps.append(_step(asked[going].assign(transaction_id=None), activity, happened[going]))
        days = days + rng.integers(1, 11, count)
    return pd.concat(steps)


def _step(about: pd.DataFrame, activity: str, happened_on: pd.Series) -> pd.DataFrame:
    transaction = about["transaction_id"] if activity == ACTIVITIES[-1] else None
    columns = about[["customer", "listing_id", "price"]]
    return columns.assign(activity=activity, transaction_id=transaction, happened_on=happened_on)


def _in_order(rng: np.random.Generator, steps: pd.DataFrame, customers: int) -> pd.DataFrame:
    """The steps in order of day, with a budget (whole thousands) that the person has around what is asked."""
    means = rng.uniform(0.9, 1.15, customers)[steps["customer"]]
    budget = np.round(steps["price"] * means / 1000).astype(np.int64) * 1000
    rank = steps["activity"].map({activity: step for step, activity in enumerate(ACTIVITIES)})
    ordered = steps.assign(budget=budget, rank=rank)
    return ordered.sort_values(["happened_on", "listing_id", "customer", "rank"], ignore_index=True)


def _customers(
    rng: np.random.Generator, town: Town, names: np.ndarray, wanted: np.ndarray, steps: pd.DataFrame
) -> pd.DataFrame:
    """The customers, numbered in the order in which they registered: before they first asked, if they did."""
    count = len(wanted)
    first, last = (
        steps.groupby("customer")["happened_on"].agg(which).reindex(range(count)) for which in ("min", "max")
    )
    unasked = pd.Series(town.today - rng.integers(30, 900, count) * DAY, dtype="datetime64[s]")
    registered = (first.fillna(unasked) - pd.to_timedelta(rng.integers(0, 30, count), unit="D")).to_numpy()
    changed = np.where(last.isna(), registered, last.to_numpy())
    number = np.empty(count, dtype=np.int64)
    number[np.argsort(registered, kind="stable")] = np.arange(1, count + 1)
    return pd.DataFrame(
        {
            "customer_id": [f"C{one:05d}" for one in number],
            **_reached(rng, names),
            "location": wanted,
            "registered_on": np.datetime_as_string(registered, unit="D"),
            "changed_at": iso_times(changed.astype("datetime64[D]"), office_hours(rng, count)),
        }
    )


def _leads(rng: np.random.Generator, steps: pd.DataFrame, customer_ids: np.ndarray) -> pd.DataFrame:
    days = steps["happened_on"].to_numpy().astype("datetime64[D]")
    return pd.DataFrame(
        {
            "lead_id": [f"E{one:06d}" for one in range(1, len(steps) + 1)],
            "customer_id": customer_ids[steps["customer"]],
            **steps[["listing_id", "transaction_id", "activity"]],
            "happened_on": np.datetime_as_string(days, unit="D"),
            "budget": steps["budget"],
            "changed_at": iso_times(days, office_hours(rng, len(steps))),
        }
    )


def _reached(rng: np.random.Generator, names: np.ndarray) -> dict[str, list[str]]:
    """name as people write it themselves, and an email and a phone number that nobody has."""
    halves = [name.split(", ") for name in names]
    numbers = rng.integers(10_000_000, 100_000_000, len(names)).tolist()
    nth = pd.Series(names).groupby(names).cumcount() + 1
    return {
        "name": [f"{given} {family}" for family, given in halves],
        "email": [
            f"{given}.{family}{n if n > 1 else ''}@example.org".lower()
            for (family, given), n in zip(halves, nth, strict=True)
        ],
        # +999 is no country's.
        "phone": [f"+999 {number // 1_000_000} {number % 1_000_000:06d}" for number in numbers],
    }
