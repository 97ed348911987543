"""The simulated city with all its properties and sales, and the public register of those sales."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd

from homei.config.city import CityConfig
from homei.demo.addresses import draw_addresses, register_spelling
from homei.demo.config import SimulateConfig
from homei.demo.faults import Limits, plant_faults
from homei.demo.market import draw_sales, draw_shifted_districts, price_sales, true_prices
from homei.demo.non_market_sales import plant_non_market_sales
from homei.demo.parties import draw_parties
from homei.demo.synthetic_geography import Geography, draw_geography, to_degrees
from homei.demo.synthetic_properties import draw_properties
from homei.demo.text_formats import format_numbers, format_times, office_hours
from homei.demo.tiles import WHOLE_CITY, Tile
from homei.demo.unobserved_value import UnobservedValue, draw_unobserved_value

DAY = np.timedelta64(1, "D")
INCOMPLETE_ATTRIBUTES = ("bedrooms", "bathrooms", "floor")
REGISTERED_WITHIN = 30  # days after the sale
# Each part has a random generator of its own, so that a change of one part leaves all others as they are.
PARTS = (
    "geography", "properties", "sales", "prices", "shift", "faults", "addresses", "non_market_sales", "parties",
    "portal", "rival", "brokers", "crm", "indicators", "unobserved", "corrections",
)  # fmt: skip


@dataclass(frozen=True)
class SimulatedCity:
    """The geography, the properties and their sales.

    properties: as `draw_properties` and `draw_addresses` return them, with location, latitude and longitude. sales: one
    row for each transaction of the register in order of date, with transaction_id, property_row (row of properties),
    sold_on, seller, buyer, and price (NaN if the register's row is faulty or shows no market price).
    shifted_districts: rows of geography.districts.
    """

    geography: Geography
    properties: pd.DataFrame
    sales: pd.DataFrame
    unobserved: UnobservedValue
    shifted_districts: list[int]
    simulate: SimulateConfig
    as_of: datetime.date
    tile: Tile

    @property
    def last_day(self) -> np.datetime64:
        return np.datetime64(self.as_of, "D")

    def first_day(self, months: int) -> np.datetime64:
        """The first day of the last so many months."""
        return (self.last_day.astype("datetime64[M]") - (months - 1)).astype("datetime64[D]")

    def true_prices(self, property_row: np.ndarray, day: np.ndarray) -> np.ndarray:
        """The prices without noise of properties (rows of `properties`) on days of the simulated months."""
        calendar_month = day.astype("datetime64[M]")
        first = self.last_day.astype("datetime64[M]") - (self.simulate.months - 1)
        year = calendar_month.astype("datetime64[Y]").astype(np.int64) + 1970
        month = (calendar_month - first).astype(np.int64)
        return true_prices(
            self.properties, property_row, month, year, self.unobserved, self.shifted_districts, self.simulate
        )

    def draw_prices(self, rng: np.random.Generator, property_row: np.ndarray, day: np.ndarray) -> np.ndarray:
        """The true prices with the noise of a single sale."""
        return self.true_prices(property_row, day) * np.exp(self.simulate.noise * rng.standard_normal(len(day)))


def spawn_generators(seed: int) -> SimpleNamespace:
    """A random generator for each of PARTS; each part must draw from its own only once."""
    return SimpleNamespace(
        **dict(zip(PARTS, np.random.Generator(np.random.PCG64(seed)).spawn(len(PARTS)), strict=True))
    )


def draw_city(
    seed: int, simulate: SimulateConfig, city: CityConfig, tile: Tile = WHOLE_CITY
) -> tuple[SimulatedCity, pd.DataFrame]:
    """The simulated city, or one tile of a region, and the rows of its register as strings in file order.

    Beside the register's own columns the rows have true_price, fault (None if clean) and non_market (None if the price
    is a market price). Without faults and non-market sales the city stays the same, and without the shift so do its
    prices before it.
    """
    if not 0 <= simulate.shift.months < simulate.months:
        raise ValueError(f"simulate.shift.months: {simulate.shift.months} is not between 0 and simulate.months")
    generators = spawn_generators(seed)
    geography = draw_geography(generators.geography, simulate.districts, tile)
    first_month = city.as_of.year * 12 + city.as_of.month - simulate.months
    properties = draw_properties(generators.properties, geography, simulate.properties, first_month, simulate.months)
    properties = pd.concat([properties, draw_addresses(generators.addresses, properties, tile)], axis=1)
    latitude, longitude = to_degrees(
        tile.x + properties["x"].to_numpy(), tile.y + properties["y"].to_numpy(), city.coordinates
    )
    location = geography.districts["name"].to_numpy()[properties["district"]]
    properties = properties.assign(location=location, latitude=latitude, longitude=longitude)
    shifted = draw_shifted_districts(generators.shift, properties["district"].to_numpy(), simulate.shift)
    unobserved = draw_unobserved_value(generators.unobserved, properties, simulate)
    sales = draw_sales(generators.sales, properties, simulate.sales, city.as_of, simulate.months)
    sales = price_sales(generators.prices, sales, properties, unobserved, shifted, simulate)
    limits = Limits(city.as_of, tile.displacement)
    rows = plant_faults(generators.faults, _deeds(sales, properties), simulate.faults, limits)
    rows = plant_non_market_sales(generators.non_market_sales, rows, simulate.non_market_sales, city.as_of)
    transactions = _transactions(generators.parties, rows)
    register = _with_entries(generators.parties, rows, transactions, city.as_of)
    in_order = transactions.sort_values(["sold_on", "transaction_id"], ignore_index=True)
    return SimulatedCity(geography, properties, in_order, unobserved, shifted, simulate, city.as_of, tile), register


def _deeds(sales: pd.DataFrame, properties: pd.DataFrame) -> pd.DataFrame:
    """The sales as strings, each with the attributes of its property as far as they are recorded."""
    sold = properties.iloc[sales["property_row"]].reset_index(drop=True)
    recorded = {name: sold[name].mask(sold[f"hides_{name}"]) for name in INCOMPLETE_ATTRIBUTES}
    return pd.DataFrame(
        {
            "transaction_id": [f"T{number:06d}" for number in range(1, len(sales) + 1)],
            "property_id": sold["property_id"],
            "sale_date": np.datetime_as_string(sales["sold_on"].to_numpy(), unit="D"),
            "price": sales["price"].astype(str),
            "square_meters": format_numbers(sold["square_meters"], 1),
            "property_type": sold["property_type"],
            "district": sold["location"],
            **{name: format_numbers(values, 0) for name, values in recorded.items()},
            "year_built": sold["year_built"].astype(str),
            "latitude": format_numbers(sold["latitude"], 6),
            "longitude": format_numbers(sold["longitude"], 6),
            "address": register_spelling(sold),
            "true_price": sales["true_price"],
            "sold_on": sales["sold_on"],
        }
    )


def _transactions(rng: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """The transactions behind the rows, as `SimulatedCity.sales` but in order of transaction_id."""
    sales = rows.drop_duplicates("transaction_id").sort_values("transaction_id", ignore_index=True)
    is_market = (sales["fault"].isna() & sales["non_market"].isna()).to_numpy()
    return pd.DataFrame(
        {
            "transaction_id": sales["transaction_id"],
            "property_row": sales["property_id"].str[1:].astype(np.int64) - 1,
            "sold_on": sales["sold_on"],
            "price": pd.to_numeric(sales["price"].where(is_market)),
            **draw_parties(rng, sales),
        }
    )


def _with_entries(
    rng: np.random.Generator, rows: pd.DataFrame, transactions: pd.DataFrame, as_of: datetime.date
) -> pd.DataFrame:
    """The rows with entry_no, seller, buyer, and changed_at (UTC), some days after the sale."""
    sold_on, last_day = transactions["sold_on"].to_numpy().astype("datetime64[D]"), np.datetime64(as_of, "D")
    day, hour = rng.spawn(2)
    delay = day.integers(1, REGISTERED_WITHIN + 1, len(transactions)) * DAY
    changed_at = format_times(np.minimum(sold_on + delay, last_day), office_hours(hour, len(transactions)))
    entries = transactions[["transaction_id", "seller", "buyer"]].assign(changed_at=changed_at)
    entries = entries.set_index("transaction_id").loc[rows["transaction_id"]].reset_index(drop=True)
    register = pd.concat([rows.drop(columns=["sold_on", "bulk_deal"]), entries], axis=1)
    register.insert(0, "entry_no", np.arange(1, len(register) + 1).astype(str))
    return register
