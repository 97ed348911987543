"""Stage `simulate`: the demo city's outside world, its register of sales first, and the truth behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei import lake
from homei.config import Simulate
from homei.demo.brokers import broker_sales, brokers_truth, workbooks
from homei.demo.city import degrees
from homei.demo.crm import customers_and_leads
from homei.demo.indicators import indicators
from homei.demo.listings import listings_truth, portal_listings, portal_records, rival_listings, rival_records
from homei.demo.market import month_levels
from homei.demo.town import Generators, Town, as_csv, build_town, generators, written
from homei.groups import Group
from homei.source import PlacesFile, Source

WORLD = "world"  # the folder within the source's own that all of it is written into
BANDS = ("low", "middle", "high")  # of a district's income


def run(seed: int, simulate: Simulate, source: Source) -> None:
    """Write the simulated world to `source.folder`/world; raises ValueError for a source that is not simulated.

    sales.csv is the register, with places and income bands beside it; portal/, rival/, brokers/, crm/ and indicators/
    hold what others tell. truth/sales.parquet holds for each of the register's lines: source_line (the header is line
    1), transaction_id, true_price (without the noise), fault (null where the row is clean) and oddity (null where the
    price is the market's); truth/listings.parquet and truth/brokers.parquet tell which home, and which sale, is meant;
    truth/city.json holds what was drawn.
    """
    if source.name not in source.simulated:
        raise ValueError(f"source: {source.name} is not simulated, and its files are not overwritten: use source=demo")
    town, rows, facts = simulate_city(seed, simulate, source)
    with lake.replacing(Path(source.folder) / WORLD) as world:
        lake.write_text(as_csv(rows.drop(columns=["true_price", "fault", "oddity"])), world / "sales.csv")
        for declared in source.places:
            lake.write_text(as_csv(_places(town, declared, source)), world / Path(declared.file).name)
        for group in (group for group in source.groups if group.file):
            lake.write_text(as_csv(_income_bands(town, group)), world / Path(group.file).name)
        lake.write(_truth(rows), world / "truth" / "sales.parquet")
        lake.write_json(facts, world / "truth" / "city.json")
        _write_others(generators(seed), town, world)


def simulate_city(seed: int, simulate: Simulate, source: Source) -> tuple[Town, pd.DataFrame, dict[str, Any]]:
    """The town, the register's rows as strings in file order (with true_price, fault and oddity), and what was drawn.

    Each part draws from a generator of its own: the city stays the same without its faults and oddities, and its
    prices before the shift stay the same without the shift.
    """
    if not 0 <= simulate.shift.months < simulate.months:
        raise ValueError(f"simulate.shift.months: {simulate.shift.months} is not between 0 and simulate.months")
    town, rows = build_town(seed, simulate, source)
    return town, rows, _facts(seed, town)


def _write_others(draws: Generators, town: Town, world: Path) -> None:
    """What others than the register tell: the portal and its rival, brokers, the CRM and the statistical office."""
    portal = portal_listings(draws.portal, town)
    rival = rival_listings(draws.rival, town, portal)
    lake.write_text(_jsonl(portal_records(portal)), world / "portal" / "listings.jsonl")
    lake.write_text(_jsonl(rival_records(rival)), world / "rival" / "homes.jsonl")
    lake.write(listings_truth(town, portal, rival), world / "truth" / "listings.parquet")
    sold = broker_sales(draws.brokers, town)
    (world / "brokers").mkdir()
    for name, content in workbooks(draws.brokers, sold):
        (world / "brokers" / name).write_bytes(content)
    lake.write(brokers_truth(town, sold), world / "truth" / "brokers.parquet")
    customers, leads = customers_and_leads(draws.crm, town, portal)
    lake.write_text(as_csv(customers), world / "crm" / "customers.csv")
    lake.write_text(as_csv(leads), world / "crm" / "leads.csv")
    for name, series in indicators(draws.economy, town.as_of).items():
        lake.write_text(as_csv(series), world / "indicators" / f"{name}.csv")


def _jsonl(records: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)


def _places(town: Town, declared: PlacesFile, source: Source) -> pd.DataFrame:
    places = town.city.places[town.city.places["kind"] == declared.kind]
    latitude, longitude = degrees(places["x"].to_numpy(), places["y"].to_numpy(), source.coordinates)
    return pd.DataFrame(
        {
            declared.name: places["name"],
            declared.latitude: written(latitude, 6),
            declared.longitude: written(longitude, 6),
        }
    )


def _income_bands(town: Town, group: Group) -> pd.DataFrame:
    """Thirds of the districts by what they add to a price: people with more money live where homes are dear."""
    districts = town.city.districts
    spot = town.city.spot_value(districts["x"].to_numpy(), districts["y"].to_numpy())
    third = np.argsort(np.argsort(spot + districts["effect"].to_numpy(), kind="stable")) * 3 // len(districts)
    bands = pd.DataFrame({group.key_column or group.key: districts["name"], group.value: np.array(BANDS)[third]})
    return bands.sort_values(bands.columns[0], ignore_index=True)


def _truth(rows: pd.DataFrame) -> pd.DataFrame:
    truth = rows[["transaction_id", "true_price", "fault", "oddity"]]
    return truth.assign(source_line=np.arange(len(rows), dtype=np.int64) + 2)[["source_line", *truth.columns]]


def _facts(seed: int, town: Town) -> dict[str, Any]:
    simulate, last_month = town.simulate, town.as_of.year * 12 + town.as_of.month - 1
    first_month = last_month - simulate.months + 1
    levels = month_levels(simulate.months)
    return {
        "seed": seed,
        "noise": simulate.noise,
        "shifted_districts": sorted(town.city.districts["name"].iloc[town.shifted]),
        "shift_month": _month_name(last_month - simulate.shift.months + 1),
        "shift_change": simulate.shift.change,
        "market": {_month_name(first_month + step): round(float(level), 6) for step, level in enumerate(levels)},
    }


def _month_name(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"
