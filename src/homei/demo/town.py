"""The simulated town: its homes with their addresses and what each is worth, and the register of their sales."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from homei.config import Simulate
from homei.demo import faults, oddities
from homei.demo.addresses import give_addresses, official
from homei.demo.city import City, build_city, degrees
from homei.demo.homes import build_homes
from homei.demo.market import draw_sales, price_sales, shifted_districts, true_prices
from homei.demo.people import name_parties
from homei.source import Source

DAY = np.timedelta64(1, "D")
RECORDED = ("bedrooms", "bathrooms", "floor")
REGISTERED_WITHIN = 30  # days after the sale


class Generators(NamedTuple):
    """A generator for each part, in order of birth: a part drawn differently leaves all others as they are."""

    ground: np.random.Generator
    building: np.random.Generator
    selling: np.random.Generator
    pricing: np.random.Generator
    shifting: np.random.Generator
    spoiling: np.random.Generator
    addressing: np.random.Generator
    oddities: np.random.Generator
    naming: np.random.Generator
    portal: np.random.Generator
    rival: np.random.Generator
    brokers: np.random.Generator
    crm: np.random.Generator
    economy: np.random.Generator


@dataclass(frozen=True)
class Town:
    """The ground, the homes and their sales.

    homes: as `build_homes` and `give_addresses` tell, with location, latitude and longitude. sales: one row for each of
    the register's transactions in order of date, with transaction_id, home (row of homes), sold_on, seller, buyer, and
    price: what the market paid, NaN where the register's row is faulty or odd. shifted: the districts that shift.
    """

    city: City
    homes: pd.DataFrame
    sales: pd.DataFrame
    shifted: list[int]
    simulate: Simulate
    as_of: datetime.date

    @property
    def today(self) -> np.datetime64:
        return np.datetime64(self.as_of, "D")

    def worth(self, home: np.ndarray, day: np.ndarray) -> np.ndarray:
        """What homes (rows of `homes`) are worth on days of the simulated months, without noise, in money."""
        month = day.astype("datetime64[M]")
        first = self.today.astype("datetime64[M]") - (self.simulate.months - 1)
        year = month.astype("datetime64[Y]").astype(np.int64) + 1970
        homes = self.homes.iloc[home].reset_index(drop=True)
        return true_prices(homes, (month - first).astype(np.int64), year, self.shifted, self.simulate)


def generators(seed: int) -> Generators:
    """The generators of a seed; each part must be drawn only once from them."""
    return Generators(*np.random.Generator(np.random.PCG64(seed)).spawn(len(Generators._fields)))


def build_town(seed: int, simulate: Simulate, source: Source) -> tuple[Town, pd.DataFrame]:
    """The town, and the register's rows as strings in file order.

    Beside the register's own columns the rows have true_price, fault (None where clean) and oddity (None where the
    price is the market's).
    """
    draws = generators(seed)
    city = build_city(draws.ground, simulate.districts)
    first_month = source.as_of.year * 12 + source.as_of.month - simulate.months
    homes = build_homes(draws.building, city, simulate.properties, first_month, simulate.months)
    homes = pd.concat([homes, give_addresses(draws.addressing, homes)], axis=1)
    homes["location"] = city.districts["name"].to_numpy()[homes["district"]]
    homes["latitude"], homes["longitude"] = degrees(homes["x"].to_numpy(), homes["y"].to_numpy(), source.coordinates)
    shifted = shifted_districts(draws.shifting, city, simulate.shift)
    sales = draw_sales(draws.selling, homes, simulate.sales, source.as_of, simulate.months)
    sales = price_sales(draws.pricing, sales, homes, shifted, simulate)
    rows = faults.plant(draws.spoiling, _register(sales, homes), simulate.faults, source.as_of)
    rows = oddities.plant(draws.oddities, rows, simulate.oddities, source.as_of)
    sales = _sales(draws.naming, rows)
    register = _entered(draws.naming, rows, sales, source.as_of)
    in_order = sales.sort_values(["sold_on", "transaction_id"], ignore_index=True)
    return Town(city, homes, in_order, shifted, simulate, source.as_of), register


def _register(sales: pd.DataFrame, homes: pd.DataFrame) -> pd.DataFrame:
    sold = homes.iloc[sales["home"]].reset_index(drop=True)
    recorded = {name: sold[name].mask(sold[f"hides_{name}"]) for name in RECORDED}
    return pd.DataFrame(
        {
            "transaction_id": [f"T{number:06d}" for number in range(1, len(sales) + 1)],
            "property_id": sold["property_id"],
            "sale_date": np.datetime_as_string(sales["sale_date"].to_numpy(), unit="D"),
            "price": sales["price"].astype(str),
            "square_meters": written(sold["square_meters"], 1),
            "property_type": sold["property_type"],
            "district": sold["location"],
            **{name: written(values, 0) for name, values in recorded.items()},
            "year_built": sold["year_built"].astype(str),
            "latitude": written(sold["latitude"], 6),
            "longitude": written(sold["longitude"], 6),
            "address": official(sold),
            "true_price": sales["true_price"],
            "sold_on": sales["sale_date"],
        }
    )


def _sales(rng: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """The sales that the rows are about, as `Town` has them but in order of transaction_id."""
    sales = rows.drop_duplicates("transaction_id").sort_values("transaction_id", ignore_index=True)
    market = (sales["fault"].isna() & sales["oddity"].isna()).to_numpy()
    return pd.DataFrame(
        {
            "transaction_id": sales["transaction_id"],
            "home": sales["property_id"].str[1:].astype(np.int64) - 1,
            "sold_on": sales["sold_on"],
            "price": pd.to_numeric(sales["price"].where(market)),
            **name_parties(rng, sales),
        }
    )


def _entered(rng: np.random.Generator, rows: pd.DataFrame, sales: pd.DataFrame, as_of: datetime.date) -> pd.DataFrame:
    """The rows as they are entered: numbered, with seller and buyer, and the time of the last change (in UTC)."""
    sold_on, today = sales["sold_on"].to_numpy().astype("datetime64[D]"), np.datetime64(as_of, "D")
    day, hour = rng.spawn(2)
    days = np.minimum(sold_on + day.integers(1, REGISTERED_WITHIN + 1, len(sales)) * DAY, today)
    told = sales[["transaction_id", "seller", "buyer"]].assign(
        changed_at=iso_times(days, office_hours(hour, len(days)))
    )
    # A row repeated by mistake tells the same.
    told = told.set_index("transaction_id").loc[rows["transaction_id"]].reset_index(drop=True)
    register = pd.concat([rows.drop(columns=["sold_on", "deal"]), told], axis=1)
    register.insert(0, "entry_no", np.arange(1, len(register) + 1).astype(str))
    return register


def office_hours(rng: np.random.Generator, count: int) -> np.ndarray:
    """Seconds of the day at which people work."""
    return rng.integers(7 * 3600, 19 * 3600, count)


def iso_times(days: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Times of day in UTC as ISO 8601 text: `2025-03-04T09:12:33Z`."""
    times = days.astype("datetime64[s]") + seconds * np.timedelta64(1, "s")
    return np.char.add(np.datetime_as_string(times, unit="s"), "Z")


def written(values: np.ndarray | pd.Series, decimals: int) -> list[str]:
    """Numbers as text with so many decimals, empty for NaN."""
    return ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in values]


def as_csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, lineterminator="\n")
