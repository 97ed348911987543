"""Stage `simulate`: the demo city's register of sales, its places, and the truth behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei import lake
from homei.config import Simulate
from homei.demo.city import City, build_city, degrees
from homei.demo.faults import plant
from homei.demo.homes import build_homes
from homei.demo.market import draw_sales, month_levels, price_sales, shifted_districts
from homei.source import Coordinates, PlacesFile, Source


def run(seed: int, simulate: Simulate, source: Source) -> None:
    """Write sales.csv, the places and truth/ to `source.folder`; raises ValueError for a source that is not simulated.

    truth/sales.parquet holds for each line of sales.csv: source_line (the header is line 1), transaction_id,
    true_price (without the noise) and fault (null where the row is clean); truth/city.json holds what was drawn.
    """
    if source.name not in source.simulated:
        raise ValueError(f"source: {source.name} is not simulated, and its files are not overwritten: use source=demo")
    city, rows, facts = simulate_city(seed, simulate, source)
    with lake.replacing(Path(source.folder)) as folder:
        lake.write_text(_csv(rows.drop(columns=["true_price", "fault"])), folder / "sales.csv")
        for declared in source.places:
            lake.write_text(_csv(_places(city, declared, source.coordinates)), folder / declared.file)
        lake.write(_truth(rows), folder / "truth" / "sales.parquet")
        lake.write_json(facts, folder / "truth" / "city.json")


def simulate_city(seed: int, simulate: Simulate, source: Source) -> tuple[City, pd.DataFrame, dict[str, Any]]:
    """The city, the register's rows as strings in file order (with true_price and fault), and what was drawn.

    Ground, homes, sales, prices and faults draw from generators of their own: the city stays the same without its
    faults, and its prices before the shift stay the same without the shift.
    """
    ground, building, selling, pricing, shifting, spoiling = np.random.Generator(np.random.PCG64(seed)).spawn(6)
    last_month = source.as_of.year * 12 + source.as_of.month - 1
    if not 0 <= simulate.shift.months < simulate.months:
        raise ValueError(f"simulate.shift.months: {simulate.shift.months} is not between 0 and simulate.months")
    city = build_city(ground, simulate.districts)
    homes = build_homes(building, city, simulate.properties, last_month - simulate.months + 1, simulate.months)
    shifted = shifted_districts(shifting, city, simulate.shift)
    sales = draw_sales(selling, homes, simulate.sales, source.as_of, simulate.months)
    sales = price_sales(pricing, sales, homes, shifted, simulate)
    register = _register(sales, homes, city, source.coordinates)
    rows = plant(spoiling, register, simulate.faults, source.as_of)
    return city, rows, _facts(seed, simulate, city, shifted, last_month)


def _register(sales: pd.DataFrame, homes: pd.DataFrame, city: City, coordinates: Coordinates) -> pd.DataFrame:
    sold = homes.iloc[sales["home"]].reset_index(drop=True)
    latitude, longitude = degrees(sold["x"].to_numpy(), sold["y"].to_numpy(), coordinates)
    recorded = {name: sold[name].mask(sold[f"hides_{name}"]) for name in ("bedrooms", "bathrooms", "floor")}
    return pd.DataFrame(
        {
            "transaction_id": [f"T{number:06d}" for number in range(1, len(sales) + 1)],
            "property_id": sold["property_id"],
            "sale_date": sales["sale_date"].dt.strftime("%Y-%m-%d"),
            "price": sales["price"].astype(str),
            "square_meters": _written(sold["square_meters"], 1),
            "property_type": sold["property_type"],
            "district": city.districts["name"].to_numpy()[sold["district"]],
            **{name: _written(values, 0) for name, values in recorded.items()},
            "year_built": sold["year_built"].astype(str),
            "latitude": _written(latitude, 6),
            "longitude": _written(longitude, 6),
            "true_price": sales["true_price"],
        }
    )


def _places(city: City, declared: PlacesFile, coordinates: Coordinates) -> pd.DataFrame:
    places = city.places[city.places["kind"] == declared.kind]
    latitude, longitude = degrees(places["x"].to_numpy(), places["y"].to_numpy(), coordinates)
    return pd.DataFrame(
        {
            declared.name: places["name"],
            declared.latitude: _written(latitude, 6),
            declared.longitude: _written(longitude, 6),
        }
    )


def _truth(rows: pd.DataFrame) -> pd.DataFrame:
    truth = rows[["transaction_id", "true_price", "fault"]]
    return truth.assign(source_line=np.arange(len(rows), dtype=np.int64) + 2)[["source_line", *truth.columns]]


def _facts(seed: int, simulate: Simulate, city: City, shifted: list[int], last_month: int) -> dict[str, Any]:
    first_month = last_month - simulate.months + 1
    levels = month_levels(simulate.months)
    return {
        "seed": seed,
        "noise": simulate.noise,
        "shifted_districts": sorted(city.districts["name"].iloc[shifted]),
        "shift_month": _month_name(last_month - simulate.shift.months + 1),
        "shift_change": simulate.shift.change,
        "market": {_month_name(first_month + step): round(float(level), 6) for step, level in enumerate(levels)},
    }


def _month_name(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def _written(values: np.ndarray | pd.Series, decimals: int) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in values]


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, lineterminator="\n")
