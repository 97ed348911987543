"""Stage `simulate`: writes the demo city's register, its other feeds, and the truth behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei.config.city import CityConfig, Group
from homei.config.feeds import FeedsConfig
from homei.config.file_formats import PlacesFile
from homei.demo.brokers import broker_sales, brokers_truth, workbooks
from homei.demo.config import SimulateConfig
from homei.demo.crm import customers_and_leads
from homei.demo.indicators import indicators
from homei.demo.listings import listings_truth, portal_listings, portal_records, rival_listings, rival_records
from homei.demo.market import month_levels
from homei.demo.synthetic_geography import to_degrees
from homei.demo.synthetic_register import SimulatedCity, draw_city, spawn_generators
from homei.demo.text_formats import format_csv, format_json_lines, format_numbers
from homei.storage import lake

WORLD = "world"  # the folder below city.folder that the stage writes
INCOME_BANDS = ("low", "middle", "high")
TRUTH_COLUMNS = ["true_price", "fault", "non_market"]


def run(seed: int, simulate: SimulateConfig, city: CityConfig, feeds: FeedsConfig) -> None:
    """Writes the feeds to `city.folder`/world; raises ValueError for a city that is not simulated.

    sales.csv is the register, with places and income bands beside it; portal/, rival/, brokers/, crm/ and indicators/
    are the other feeds. truth/sales.parquet has for each line of the register: source_line (the header is line 1),
    transaction_id, true_price (without noise), fault (null if the row is clean) and non_market (null if the price is a
    market price). truth/listings.parquet and truth/brokers.parquet name the property, and the sale, of each record.
    truth/city.json describes what was drawn.
    """
    if not city.is_simulated:
        raise ValueError(f"city: {city.name} is not simulated, and its files are not overwritten: use city=demo")
    simulated, rows = draw_city(seed, simulate, city)
    with lake.replacing(Path(city.folder) / WORLD) as world:
        lake.write_text(format_csv(rows.drop(columns=TRUTH_COLUMNS)), world / "sales.csv")
        for places in feeds.places:
            lake.write_text(format_csv(place_table(simulated, places, city)), world / Path(places.file).name)
        for group in (group for group in city.groups if group.file):
            lake.write_text(format_csv(income_bands(simulated, group)), world / Path(group.file).name)
        lake.write(sales_truth(rows), world / "truth" / "sales.parquet")
        lake.write_json(city_facts(seed, simulated), world / "truth" / "city.json")
        _write_other_feeds(seed, simulated, world)


def _write_other_feeds(seed: int, city: SimulatedCity, world: Path) -> None:
    """Writes the portal and its rival, the brokers, the CRM and the indicators."""
    generators = spawn_generators(seed)
    portal = portal_listings(generators.portal, city)
    rival = rival_listings(generators.rival, city, portal)
    lake.write_text(format_json_lines(portal_records(portal)), world / "portal" / "listings.jsonl")
    lake.write_text(format_json_lines(rival_records(rival)), world / "rival" / "homes.jsonl")
    lake.write(listings_truth(city, portal, rival), world / "truth" / "listings.parquet")
    sales = broker_sales(generators.brokers, city)
    (world / "brokers").mkdir()
    for name, content in workbooks(generators.brokers, sales):
        (world / "brokers" / name).write_bytes(content)
    lake.write(brokers_truth(city, sales), world / "truth" / "brokers.parquet")
    customers, leads = customers_and_leads(generators.crm, city, portal)
    lake.write_text(format_csv(customers), world / "crm" / "customers.csv")
    lake.write_text(format_csv(leads), world / "crm" / "leads.csv")
    for name, series in indicators(generators.indicators, city.as_of).items():
        lake.write_text(format_csv(series), world / "indicators" / f"{name}.csv")


def place_table(simulated: SimulatedCity, file: PlacesFile, city: CityConfig) -> pd.DataFrame:
    places = simulated.geography.places
    places = places[places["kind"] == file.kind]
    latitude, longitude = to_degrees(
        simulated.tile.x + places["x"].to_numpy(), simulated.tile.y + places["y"].to_numpy(), city.coordinates
    )
    return pd.DataFrame(
        {
            file.name: places["name"],
            file.latitude: format_numbers(latitude, 6),
            file.longitude: format_numbers(longitude, 6),
        }
    )


def income_bands(simulated: SimulatedCity, group: Group) -> pd.DataFrame:
    """Thirds of the districts by their effect on prices: incomes are high where prices are high."""
    districts = simulated.geography.districts
    value = simulated.geography.location_value(districts["x"].to_numpy(), districts["y"].to_numpy())
    third = np.argsort(np.argsort(value + districts["effect"].to_numpy(), kind="stable")) * 3 // len(districts)
    key = group.key_column or group.key
    bands = pd.DataFrame({key: districts["name"], group.value: np.array(INCOME_BANDS)[third]})
    return bands.sort_values(key, ignore_index=True)


def sales_truth(rows: pd.DataFrame) -> pd.DataFrame:
    truth = rows[["transaction_id", *TRUTH_COLUMNS]]
    return truth.assign(source_line=np.arange(len(rows), dtype=np.int64) + 2)[["source_line", *truth.columns]]


def city_facts(seed: int, city: SimulatedCity) -> dict[str, Any]:
    """A description of what was drawn: noise, shifted districts and market levels by month."""
    simulate, last_month = city.simulate, city.as_of.year * 12 + city.as_of.month - 1
    first_month = last_month - simulate.months + 1
    levels = month_levels(simulate.months)
    return {
        "seed": seed,
        "noise": simulate.noise,
        "shifted_districts": sorted(city.geography.districts["name"].iloc[city.shifted_districts]),
        "shift_month": _month_name(last_month - simulate.shift.months + 1),
        "shift_change": simulate.shift.change,
        "market": {_month_name(first_month + month): round(float(level), 6) for month, level in enumerate(levels)},
    }


def _month_name(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"
