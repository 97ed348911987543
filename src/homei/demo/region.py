"""A simulated region: any number of sales, written town by town in bounded memory."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from homei.config.city import CityConfig
from homei.config.feeds import FeedsConfig
from homei.demo.brokers import broker_sales, brokers_truth, handwritten
from homei.demo.config import SimulateConfig
from homei.demo.crm import customers_and_leads
from homei.demo.faults import plant_late_corrections
from homei.demo.indicators import indicators
from homei.demo.listings import listings_truth, portal_listings, rival_listings
from homei.demo.parties import COMPANIES
from homei.demo.place_names import qualified_name
from homei.demo.simulate import TRUTH_COLUMNS, WORLD, city_facts, income_bands, place_table, sales_truth
from homei.demo.synthetic_register import INCOMPLETE_ATTRIBUTES, SimulatedCity, draw_city, spawn_generators
from homei.demo.text_formats import format_csv
from homei.demo.tiles import Tile, region_tiles, shares, tile_seed
from homei.storage import lake

FileType = Literal["parquet", "csv"]
ENTRIES_PER_TILE = 10_000_000  # more than the register's entries of a tile
IDS = (
    "transaction_id", "property_id", "listing_id", "same_as", "customer_id", "lead_id", "file_number",
)  # fmt: skip
LISTING_COLUMNS = [
    "listing_id", "status", "listed_on", "closed_on", "updated_at", "price", "address", "location", "property_type",
    "square_meters", *INCOMPLETE_ATTRIBUTES, "year_built", "latitude", "longitude",
]  # fmt: skip
BROKER_COLUMNS = [
    "file_number", "address", "location", "property_type", "square_meters", "bedrooms", "year_built", "sold_on",
    "price",
]  # fmt: skip
TYPED_IN_TEXT = (0.0, 0.0, 0.0)  # the draw for which `handwritten` writes all values as text


class TileTask(NamedTuple):
    """What a process needs to write one tile to the folder `world`."""

    tile: Tile
    seed: int
    simulate: SimulateConfig
    city: CityConfig
    feeds: FeedsConfig
    world: Path
    file_format: FileType


class TileResult(NamedTuple):
    """What the files of the whole region need from a tile: small tables by file, and facts."""

    small_tables: dict[str, pd.DataFrame]
    facts: dict[str, Any]


def write_region(
    seed: int,
    simulate: SimulateConfig,
    city: CityConfig,
    feeds: FeedsConfig,
    *,
    n_sales: int,
    file_format: FileType = "parquet",
    workers: int = 1,
) -> int:
    """Writes a region to `city.folder`/world, and returns its number of towns.

    Each town is like the city that `simulate` describes, with at most `simulate.sales` sales, and is drawn from the
    seed and its number alone, so that workers change no byte. sales/, corrections/ (later entries of the register),
    brokers/, portal/, rival/, customers/ and leads/ have one file a town, part-00000 and so on. truth/ has the demo
    city's tables with one file a town, and source_file beside source_line. Places, income bands and indicators are
    single files, as those of the demo city.
    """
    count = -(-n_sales // simulate.sales)
    with lake.replacing(Path(city.folder) / WORLD) as world:
        tasks = [
            TileTask(tile, tile_seed(seed, tile.number), _of_size(simulate, size), city, feeds, world, file_format)
            for tile, size in zip(region_tiles(count, city.coordinates.origin[0]), shares(n_sales, count), strict=True)
        ]
        results = list(tqdm(_written(tasks, workers), desc="towns", total=count, unit="town", disable=None))
        for name in results[0].small_tables:
            table = pd.concat([result.small_tables[name] for result in results], ignore_index=True)
            lake.write_text(format_csv(table), world / name)
        for name, series in indicators(spawn_generators(seed).indicators, city.as_of).items():
            lake.write_text(format_csv(series), world / "indicators" / f"{name}.csv")
        shifted = sorted(name for result in results for name in result.facts["shifted_districts"])
        facts = results[0].facts | {"seed": seed, "shifted_districts": shifted}
        lake.write_json(facts, world / "truth" / "city.json")
    return count


def _of_size(simulate: SimulateConfig, n_sales: int) -> SimulateConfig:
    """The section with so many sales, and properties in proportion."""
    properties = max(100, -(-n_sales * simulate.properties // simulate.sales))
    return simulate.model_copy(update={"sales": n_sales, "properties": properties})


def _written(tasks: list[TileTask], workers: int) -> Iterator[TileResult]:
    """Writes all tiles; the results come in order of tiles."""
    if min(workers, len(tasks)) < 2:
        yield from map(write_tile, tasks)
        return
    # A forked process would inherit the locks of Arrow's threads.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(write_tile, tasks)


def write_tile(task: TileTask) -> TileResult:
    """Draws one tile and writes its files."""
    simulated, rows = draw_city(task.seed, task.simulate, task.city, task.tile)
    for folder, table in _tables(task, simulated, rows):
        is_truth = folder.startswith("truth/")
        _write(table, task.world / folder / _part_name(task.tile, "parquet" if is_truth else task.file_format))
    small_tables = {Path(places.file).name: place_table(simulated, places, task.city) for places in task.feeds.places}
    groups = [group for group in task.city.groups if group.file]
    small_tables |= {Path(group.file).name: income_bands(simulated, group) for group in groups}
    return TileResult(small_tables, city_facts(task.seed, simulated))


def _tables(task: TileTask, city: SimulatedCity, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The folder and the rows of each table of a tile, with ids that are unique in the region."""
    tile, generators = task.tile, spawn_generators(task.seed)
    entries, corrections = plant_late_corrections(generators.corrections, rows, task.city.as_of)
    register = {"sales": entries, "corrections": corrections}
    for folder, of_folder in register.items():
        yield folder, _register(of_folder, tile)
    truth = pd.concat(_in_part(sales_truth(of_folder), folder, task) for folder, of_folder in register.items())
    yield "truth/sales.parquet", _with_unique_ids(truth, tile)
    portal = portal_listings(generators.portal, city)
    rival = rival_listings(generators.rival, city, portal)
    for feed, listings in {"portal": portal, "rival": rival}.items():
        whole_numbers = dict.fromkeys([*INCOMPLETE_ATTRIBUTES, "year_built"], "Int64")
        yield feed, _with_unique_ids(listings[LISTING_COLUMNS].astype(whole_numbers), tile)
    yield "truth/listings.parquet", _with_unique_ids(listings_truth(city, portal, rival), tile)
    sales = broker_sales(generators.brokers, city)
    records = [handwritten(sale, TYPED_IN_TEXT) for sale in sales[BROKER_COLUMNS].to_dict("records")]
    yield "brokers", _with_unique_ids(pd.DataFrame(records).astype({"bedrooms": "Int64"}), tile)
    true_sales = brokers_truth(city, sales).drop(columns="file")
    yield "truth/brokers.parquet", _with_unique_ids(_in_part(true_sales, "brokers", task), tile)
    customers, leads = customers_and_leads(generators.crm, city, portal)
    yield "customers", _with_unique_ids(customers, tile)
    yield "leads", _with_unique_ids(leads, tile)


def _register(rows: pd.DataFrame, tile: Tile) -> pd.DataFrame:
    """The register's own columns as text, with null for empty cells."""
    companies = {company: qualified_name(company, tile.number) for company in COMPANIES}
    register = rows.drop(columns=TRUTH_COLUMNS)
    for party in ("seller", "buyer"):
        register[party] = [companies.get(name, name) for name in register[party]]
    entry_no = rows["entry_no"].astype("int64") + tile.number * ENTRIES_PER_TILE
    return _with_unique_ids(register.where(register != "", None).assign(entry_no=entry_no), tile)


def _in_part(truth: pd.DataFrame, folder: str, task: TileTask) -> pd.DataFrame:
    """The truth of a feed's file, with its name."""
    truth = truth.copy()
    truth.insert(0, "source_file", f"{WORLD}/{folder}/{_part_name(task.tile, task.file_format)}")
    return truth


def _with_unique_ids(rows: pd.DataFrame, tile: Tile) -> pd.DataFrame:
    ids = [name for name in IDS if name in rows]
    return rows.assign(**{name: rows[name].map(tile.unique, na_action="ignore") for name in ids})


def _part_name(tile: Tile, file_format: FileType) -> str:
    return f"part-{tile.number:05d}.{file_format}"


def _write(rows: pd.DataFrame, file: Path) -> None:
    if file.suffix == ".csv":
        lake.write_text(format_csv(rows), file)
    else:
        lake.write_arrow(pa.Table.from_pandas(lake.typed(rows), preserve_index=False), file)
