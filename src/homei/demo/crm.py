"""The simulated customers, and their leads: inquiries, viewings, offers and purchases."""

from __future__ import annotations

import numpy as np
import pandas as pd

from homei.demo.parties import draw_names, is_person
from homei.demo.synthetic_register import DAY, SimulatedCity
from homei.demo.text_formats import format_times, office_hours

CUSTOMERS_SHARE = 1 / 12  # relative to the sales of the register
BOUGHT_SHARE = 0.30  # of the customers: bought a property that the portal had listed
INQUIRIES = 3.0  # per customer, without those that led to a purchase
VIEWED_SHARE, OFFERED_SHARE = 0.28, 0.35  # of the inquiries that led to a viewing, of the viewings to an offer
ACTIVITIES = ("inquiry", "viewing", "offer", "purchase")


def customers_and_leads(
    rng: np.random.Generator, city: SimulatedCity, listings: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The customers, and their leads on the portal's listings.

    customers: customer_id, name, email, phone, location (wanted), registered_on, changed_at. leads, in order of day:
    lead_id, customer_id, listing_id, transaction_id (of purchases), activity, happened_on, budget, changed_at. A
    purchase is a sale of the register, and the customer its buyer.
    """
    count = round(CUSTOMERS_SHARE * len(city.sales))
    purchases = _purchases(rng, city, listings, round(BOUGHT_SHARE * count))
    others = np.array([name for name in draw_names(rng, 2 * count) if is_person(name)], dtype=object)
    names = np.concatenate([purchases["buyer"].to_numpy(), others])[:count]
    locations = city.geography.districts["name"].to_numpy()
    others_wanted = locations[rng.integers(0, len(locations), count - len(purchases))]
    wanted = np.concatenate([purchases["location"].to_numpy(), others_wanted])
    leads = pd.concat([_purchase_leads(rng, purchases), _other_leads(rng, city, listings, wanted)], ignore_index=True)
    leads = _with_budgets(rng, leads, len(wanted))
    customers = _customer_table(rng, city, names, wanted, leads)
    lead_table = _lead_table(rng, leads, customers["customer_id"].to_numpy())
    return customers.sort_values("customer_id", ignore_index=True), lead_table


def _purchases(rng: np.random.Generator, city: SimulatedCity, listings: pd.DataFrame, count: int) -> pd.DataFrame:
    """Listings that persons bought: the listing's columns, buyer, sold_on, and customer (a number from 0)."""
    sales = city.sales[["transaction_id", "buyer", "sold_on"]]
    sold = listings.dropna(subset="transaction_id").merge(sales, on="transaction_id")
    people = np.flatnonzero(sold["buyer"].map(is_person))
    purchases = sold.iloc[np.sort(rng.permutation(people)[:count])].reset_index(drop=True)
    return purchases.assign(customer=np.arange(len(purchases)))


def _purchase_leads(rng: np.random.Generator, purchases: pd.DataFrame) -> pd.DataFrame:
    """The four leads of each purchase, between the day of the listing and that of the sale."""
    span = (purchases["sold_on"] - purchases["listed_on"]).dt.days.to_numpy()
    progress = np.sort(rng.random((len(purchases), 3)), axis=1) * 0.9
    days = np.column_stack([np.floor(progress * span[:, None]).astype(np.int64), span])
    return pd.concat(
        _lead(purchases, activity, purchases["listed_on"] + pd.to_timedelta(days[:, step], unit="D"))
        for step, activity in enumerate(ACTIVITIES)
    )


def _other_leads(
    rng: np.random.Generator, city: SimulatedCity, listings: pd.DataFrame, wanted: np.ndarray
) -> pd.DataFrame:
    """Inquiries without a purchase, and the viewings and offers that follow some of them."""
    count = round(INQUIRIES * len(wanted))
    inquired = listings.iloc[rng.integers(0, len(listings), count)].reset_index(drop=True)
    # Half of the inquiries come from customers who want that location, if there are any.
    customers_by_location = {location: np.flatnonzero(wanted == location) for location in np.unique(wanted)}
    anyone, is_local, draw = rng.integers(0, len(wanted), count), rng.random(count) < 0.5, rng.random(count)
    candidates = [customers_by_location.get(location, anyone[:1]) for location in inquired["location"]]
    local = np.array(
        [customers[int(share * len(customers))] for customers, share in zip(candidates, draw, strict=True)]
    )
    inquired["customer"] = np.where(is_local, local, anyone)
    end = inquired["closed_on"].fillna(pd.Timestamp(city.as_of).as_unit("s"))
    span = (end - inquired["listed_on"]).dt.days.to_numpy()
    days = np.floor(rng.random(count) * (span + 1)).astype(np.int64)
    leads, is_active = [], np.ones(count, dtype=bool)
    for activity, share in zip(ACTIVITIES[:3], (1.0, VIEWED_SHARE, OFFERED_SHARE), strict=True):
        is_active &= (rng.random(count) < share) & (days <= span)
        happened_on = inquired["listed_on"] + pd.to_timedelta(days, unit="D")
        leads.append(_lead(inquired[is_active].assign(transaction_id=None), activity, happened_on[is_active]))
        days = days + rng.integers(1, 11, count)
    return pd.concat(leads)


def _lead(listings: pd.DataFrame, activity: str, happened_on: pd.Series) -> pd.DataFrame:
    transaction = listings["transaction_id"] if activity == ACTIVITIES[-1] else None
    columns = listings[["customer", "listing_id", "price"]]
    return columns.assign(activity=activity, transaction_id=transaction, happened_on=happened_on)


def _with_budgets(rng: np.random.Generator, leads: pd.DataFrame, n_customers: int) -> pd.DataFrame:
    """The leads in order of day, each with the customer's budget: whole thousands around the asking price."""
    factor = rng.uniform(0.9, 1.15, n_customers)[leads["customer"]]
    budget = np.round(leads["price"] * factor / 1000).astype(np.int64) * 1000
    rank = leads["activity"].map({activity: position for position, activity in enumerate(ACTIVITIES)})
    ordered = leads.assign(budget=budget, rank=rank)
    return ordered.sort_values(["happened_on", "listing_id", "customer", "rank"], ignore_index=True)


def _customer_table(
    rng: np.random.Generator, city: SimulatedCity, names: np.ndarray, wanted: np.ndarray, leads: pd.DataFrame
) -> pd.DataFrame:
    """The customers, numbered in order of registration, which comes before their first lead."""
    count = len(wanted)
    first, last = (
        leads.groupby("customer")["happened_on"].agg(statistic).reindex(range(count)) for statistic in ("min", "max")
    )
    without_leads = pd.Series(city.last_day - rng.integers(30, 900, count) * DAY, dtype="datetime64[s]")
    registered = (first.fillna(without_leads) - pd.to_timedelta(rng.integers(0, 30, count), unit="D")).to_numpy()
    changed = np.where(last.isna(), registered, last.to_numpy())
    number = np.empty(count, dtype=np.int64)
    number[np.argsort(registered, kind="stable")] = np.arange(1, count + 1)
    return pd.DataFrame(
        {
            "customer_id": [f"C{value:05d}" for value in number],
            **_contact_details(rng, names),
            "location": wanted,
            "registered_on": np.datetime_as_string(registered, unit="D"),
            "changed_at": format_times(changed.astype("datetime64[D]"), office_hours(rng, count)),
        }
    )


def _lead_table(rng: np.random.Generator, leads: pd.DataFrame, customer_ids: np.ndarray) -> pd.DataFrame:
    days = leads["happened_on"].to_numpy().astype("datetime64[D]")
    return pd.DataFrame(
        {
            "lead_id": [f"E{value:06d}" for value in range(1, len(leads) + 1)],
            "customer_id": customer_ids[leads["customer"]],
            **leads[["listing_id", "transaction_id", "activity"]],
            "happened_on": np.datetime_as_string(days, unit="D"),
            "budget": leads["budget"],
            "changed_at": format_times(days, office_hours(rng, len(leads))),
        }
    )


def _contact_details(rng: np.random.Generator, names: np.ndarray) -> dict[str, list[str]]:
    """name as `First Family`, and an email and a phone number that cannot exist."""
    parts = [name.split(", ") for name in names]
    numbers = rng.integers(10_000_000, 100_000_000, len(names)).tolist()
    nth = pd.Series(names).groupby(names).cumcount() + 1
    return {
        "name": [f"{first} {family}" for family, first in parts],
        "email": [
            f"{first}.{family}{n if n > 1 else ''}@example.org".lower()
            for (family, first), n in zip(parts, nth, strict=True)
        ],
        # +999 is not assigned to any country.
        "phone": [f"+999 {number // 1_000_000} {number % 1_000_000:06d}" for number in numbers],
    }
