"""The stage `resolve` in Spark gives the same rows as on one machine."""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from homei.config.city import CityConfig
from homei.config.projection import Coordinates
from homei.ingestion import ingest
from homei.resolution import candidate_blocks, resolve
from homei.storage import lake
from homei.storage.config import StorageConfig
from homei.validation import validate

pytest.importorskip("pyspark")
sale_validation_in_spark = pytest.importorskip("homei.resolution.sale_validation_in_spark")

SALES_FEEDS, LISTING_FEEDS = ["register", "brokers", "agents"], ["portal", "rival"]
STREETS = ("Linden Street", "Oak Road", "Elm Avenue", "Birch Lane")


CITY = CityConfig(
    name="town", title="Town", currency="EUR", as_of=datetime.date(2024, 12, 31), folder="data/external/town",
    coordinates=Coordinates(system="plane"), truth="truth/sales.parquet",
)  # fmt: skip


def dwellings(random) -> pd.DataFrame:
    """Buildings with units of a few plans each, one of them a tower, and houses without units."""
    rows = []
    for building in range(24):
        east, north = (float(value) for value in random.integers(0, 1500, 2))
        n_units = 40 if building == 0 else 1 if building % 3 == 0 else 6
        for unit in range(n_units):
            kind = "house" if n_units == 1 else "flat"
            rows.append(
                {"street": STREETS[building % 4], "house": 1 + building // 4, "unit": unit + 1 if n_units > 1 else None,
                 "location": "East" if east < 700 else "West", "property_type": kind, "latitude": north,
                 "longitude": east, "square_meters": 60.0 + 10 * (unit % 3), "bedrooms": 1.0 + unit % 3,
                 "bathrooms": 1.0, "year_built": 1960.0 + building, "floor": float(unit // 3)}
            )  # fmt: skip
    homes = pd.DataFrame(rows)
    return homes.assign(property_id=[f"P{number}" for number in range(len(homes))])


def spellings(rows: pd.DataFrame, random) -> list[str | None]:
    """Addresses in several spellings, some without unit number, mistyped, or missing."""
    texts = []
    for row in rows.itertuples():
        unit = None if pd.isna(row.unit) or random.random() < 0.2 else int(row.unit)
        street = row.street.replace("i", "l", 1) if random.random() < 0.1 else row.street
        forms = [f"{row.house} {street}", f"{street.upper()} {row.house}"]
        if unit is not None:
            forms = [f"Flat {unit}, {row.house} {street}", f"{street.upper()} {row.house}/{unit}"]
        texts.append(None if random.random() < 0.03 else forms[random.integers(2)])
    return texts


def records(homes: pd.DataFrame, size: int, random) -> pd.DataFrame:
    """Records of random dwellings with gaps, as all tables of resolution have them."""
    rows = homes.iloc[random.integers(0, len(homes), size)].reset_index(drop=True)
    rows["address"] = spellings(rows, random)
    for name, share in {"year_built": 0.2, "floor": 0.1, "bedrooms": 0.1, "square_meters": 0.04}.items():
        rows[name] = rows[name].where(random.random(size) > share)
    is_placed = random.random(size) > 0.1
    return rows.assign(latitude=rows["latitude"].where(is_placed), longitude=rows["longitude"].where(is_placed))


def town_sales(homes: pd.DataFrame, random) -> pd.DataFrame:
    """Sales of a register, of which two other feeds report some again; many on one day, some at odd prices."""
    size = 700
    rows = records(homes[: int(0.8 * len(homes))], size, random)
    rows["sale_date"] = pd.Timestamp("2021-01-01") + pd.to_timedelta(7 * random.integers(0, 200, size), unit="D")
    rows["price"] = (4000 * rows["square_meters"].fillna(70) * np.exp(random.normal(0, 0.08, size))).round(-3)
    rows.loc[random.random(size) < 0.05, "price"] *= 0.5
    rows.loc[:2, "price"] = 900.0
    rows["source_feed"] = random.choice(SALES_FEEDS, size, p=[0.8, 0.1, 0.1])
    again = rows[rows["source_feed"] == "register"].sample(120, random_state=1)
    for feed_name in SALES_FEEDS[1:]:
        rows = pd.concat([rows, again.assign(source_feed=feed_name, price=again["price"] * 1.001)])
    resold = rows[rows["source_feed"] == "register"].sample(20, random_state=2)
    soon = resold.assign(sale_date=resold["sale_date"] + pd.Timedelta(days=20), price=resold["price"] * 1.6)
    rows = pd.concat([rows, soon], ignore_index=True)
    is_registered = rows["source_feed"] == "register"
    people = pd.DataFrame({name: random.choice([*"abcdef", None], len(rows)) for name in ("seller", "buyer")})
    rows = rows.assign(**people, seller_family=people["seller"], buyer_family=people["buyer"])
    rows["property_id"] = rows["property_id"].where(is_registered)
    rows["transaction_id"] = [f"T{number}" for number in range(len(rows))]
    rows = rows.assign(source_file="sales.csv", source_line=np.arange(len(rows)))
    order = rows["source_feed"].map(SALES_FEEDS.index).sort_values(kind="stable").index
    return rows.loc[order].drop(columns=["street", "house", "unit"])


def town_listings(homes: pd.DataFrame, random) -> pd.DataFrame:
    size = 300
    rows = records(homes, size, random).assign(price=300_000.0)
    rows["listed_on"] = pd.Timestamp("2022-01-01") + pd.to_timedelta(random.integers(0, 300, size), unit="D")
    rows["closed_on"] = (rows["listed_on"] + pd.Timedelta(days=50)).where(random.random(size) < 0.8)
    rows["source_feed"] = np.repeat(LISTING_FEEDS, size // 2)
    rows["listing_id"] = [
        f"{'rival:' if feed == 'rival' else ''}L{row}" for row, feed in enumerate(rows["source_feed"])
    ]
    return rows.drop(columns=["street", "house", "unit"])


def write_truth(sales: pd.DataFrame, listings: pd.DataFrame) -> None:
    """The true property of each listing, and some sales that are no market sales, one of them in quarantine."""
    folder = Path(CITY.folder, CITY.truth).parent
    ids = listings["listing_id"].str.removeprefix("rival:")
    true = pd.DataFrame({"feed": listings["source_feed"], "listing_id": ids, "property_id": listings["property_id"]})
    register = sales.loc[sales["source_feed"] == "register", ["transaction_id", "price"]]
    odd = pd.concat([register[register["price"] < 2000], pd.DataFrame({"transaction_id": ["missing"]})])
    deeds = pd.concat([odd.assign(non_market="gift"), register.tail(50).assign(non_market=None)])
    for name, rows in {"sales": deeds.assign(fault=None), "listings": true}.items():
        lake.write_arrow(pa.Table.from_pandas(lake.typed(rows), preserve_index=False), folder / f"{name}.parquet")


@pytest.fixture
def valid(tmp_path, monkeypatch):
    """A project folder whose lake has the valid sales and listings of a town."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    homes = dwellings(random)
    sales, listings = town_sales(homes, random), town_listings(homes, random)
    write_truth(sales, listings)
    for table, rows in (("sales", sales), ("listings", listings.assign(property_id=None))):
        lake.write(lake.typed(rows).reset_index(drop=True), lake.VALID[table])
    feeds = [("sales", feed) for feed in SALES_FEEDS] + [("listings", feed) for feed in LISTING_FEEDS]
    lake.write(pd.DataFrame(feeds, columns=["table_name", "feed"]), lake.FEED_COLUMNS)
    # Small limits, so that a town has what only large cities have.
    monkeypatch.setattr(candidate_blocks, "MAX_BLOCK", 20)
    monkeypatch.setattr(sale_validation_in_spark, "MAX_GROUP", 250)
    monkeypatch.setattr(sale_validation_in_spark, "MIN_GROUP", 250)


def results() -> dict[str, object]:
    """The rows of each table in order of id, and the report."""
    keys = {
        lake.RESOLVED_SALES: "transaction_id",
        lake.MERGED_SALES: "transaction_id",
        lake.RESOLVED_PROPERTIES: "property_id",
        lake.RESOLVED_LISTINGS: "listing_id",
    }
    tables = {path: lake.read_arrow(path).sort_by(key) for path, key in keys.items()}
    return tables | {"report": lake.read_json(resolve.REPORT)}


@pytest.mark.slow
def test_spark_resolves_each_record_as_one_machine_does(valid, tmp_path, settings, spark, workspace, local_spark):
    resolve.run(CITY, settings, workspace, local_spark)
    expected = results()
    external = StorageConfig(uri=f"file://{tmp_path}/lake", uri_env=None, encryption=None)
    resolve.run(CITY, settings, external, local_spark)
    assert [path.name for path in lake.RESOLVED_SALES.iterdir()] == ["receipt.json"]
    for name, table in results().items():
        assert table == expected[name], name
    # The town has a case of everything.
    report = expected["report"]
    assert report["oversized_blocks"]["records"] > 0
    assert all(item["sales"] > 0 for item in report["reasons"])
    assert {item["feed"] for item in report["merged"]} == {"brokers", "agents"}
    assert all(item["duplicates"] > 0 for item in report["listings"][1:])
    accuracy = report["truth"]
    assert all(item["recall"] > 0.5 for item in accuracy["listings"])
    assert accuracy["sale_validation"]["recall"] > 0


@pytest.mark.nightly
def test_spark_resolves_sales_without_ids_addresses_or_listings(
    tmp_path, monkeypatch, settings, town, town_source, spark, workspace, local_spark
):
    monkeypatch.chdir(tmp_path)
    empty = ["property_id", "address", "seller", "buyer", "seller_family", "buyer_family"]
    sales = town.assign(**dict.fromkeys(empty), source_feed="main").astype(dict.fromkeys(empty, lake.TEXT))
    lake.write(lake.typed(sales), lake.VALID["sales"])
    raw = ingest.records(town_source, "listings").to_pandas()
    lake.write(validate.validate_records(raw, town_source, "listings").valid, lake.VALID["listings"])
    lake.write(validate.feed_columns(town_source), lake.FEED_COLUMNS)
    resolve.run(town_source.city, settings, workspace, local_spark)
    expected = results()
    external = StorageConfig(uri=f"file://{tmp_path}/lake", uri_env=None, encryption=None)
    resolve.run(town_source.city, settings, external, local_spark)
    for name, table in results().items():
        assert table == expected[name], name


def test_chunks_of_large_pools_are_as_long_as_their_halo_permits():
    counts = pd.DataFrame({"pool": ["big"] * 40 + ["small", "tiny"], "chunk": [*range(40), 3, 7],
                           "count": [5000] * 40 + [9000, 30]})  # fmt: skip
    plan = sale_validation_in_spark.chunks_of(counts, largest=40_000).set_index("pool")
    assert plan.loc["big", "weeks"] == 3 * sale_validation_in_spark.CHUNK_WEEKS
    assert plan.loc["small", "group"] == plan.loc["tiny", "group"] != plan.loc["big", "group"]
