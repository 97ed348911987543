"""Stage `simulate`: the demo city's outside world, its register of sales first, and the truth behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei import lake
from homei.config import Simulate
from homei.demo.city import degrees
from homei.demo.market import month_levels
from homei.demo.town import Town, as_csv, build_town, written
from homei.source import PlacesFile, Source

WORLD = "world"  # the folder within the source's own that all of it is written into


def run(seed: int, simulate: Simulate, source: Source) -> None:
    """Write the simulated world to `source.folder`/world; raises ValueError for a source that is not simulated.

    sales.csv is the register, with places beside it. truth/sales.parquet holds for each of the register's lines:
    source_line (the header is line 1), transaction_id, true_price (without the noise), fault (null where the row is
    clean) and oddity (null where the price is the market's); truth/city.json holds what was drawn.
    """
    if source.name not in source.simulated:
        raise ValueError(f"source: {source.name} is not simulated, and its files are not overwritten: use source=demo")
    town, rows, facts = simulate_city(seed, simulate, source)
    with lake.replacing(Path(source.folder) / WORLD) as world:
        lake.write_text(as_csv(rows.drop(columns=["true_price", "fault", "oddity"])), world / "sales.csv")
        for declared in source.places:
            lake.write_text(as_csv(_places(town, declared, source)), world / Path(declared.file).name)
        lake.write(_truth(rows), world / "truth" / "sales.parquet")
        lake.write_json(facts, world / "truth" / "city.json")


def simulate_city(seed: int, simulate: Simulate, source: Source) -> tuple[Town, pd.DataFrame, dict[str, Any]]:
    """The town, the register's rows as strings in file order (with true_price, fault and oddity), and what was drawn.

    Each part draws from a generator of its own: the city stays the same without its faults and oddities, and its
    prices before the shift stay the same without the shift.
    """
    if not 0 <= simulate.shift.months < simulate.months:
        raise ValueError(f"simulate.shift.months: {simulate.shift.months} is not between 0 and simulate.months")
    town, rows = build_town(seed, simulate, source)
    return town, rows, _facts(seed, town)


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
