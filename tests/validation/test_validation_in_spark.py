"""The stage `validate` in Spark gives the rows, reasons and counts of a run in the workspace, for any division."""

import dataclasses

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import from_arrow_schema

from homei.config import params
from homei.config.feeds import FeedsConfig, Source
from homei.ingestion import ingest
from homei.storage import lake, spark_tables
from homei.storage.config import StorageConfig
from homei.storage.snapshot_writer import NewSnapshot
from homei.storage.snapshots import read_receipt
from homei.validation import validate
from homei.validation.config import ValidateConfig
from homei.validation.notations import NotationError
from homei.validation.part_in_spark import PartValidation
from homei.validation.quality import REPORTS, shared_prices
from homei.validation.tally import tally_of, total
from homei.validation.validate import validate_records
from homei.validation.validation_in_spark import ROW_KEY, columns_of, shared_prices_in_spark, validate_in_spark

TEXTS = {pa.string(): lake.TEXT, pa.date32(): lake.DAY}
NAMES = (
    "transaction_id", "property_id", "sale_date", "price", "square_meters", "property_type", "location", "bedrooms",
    "year_built", "floor", "latitude", "longitude", "address",
)  # fmt: skip
ROW = {
    "sale_date": "2024-05-17", "price": "250000", "square_meters": "80", "property_type": "flat", "location": "East",
    "bedrooms": "2", "year_built": "1990", "floor": "3", "latitude": "48.1", "longitude": "11.5",
}  # fmt: skip
# Faults of one row, each under an id of its own.
FAULTS = (
    {"price": None}, {"price": "x"}, {"price": " -7 "}, {"price": "$ 250000"}, {"price": "350.000,5"}, {"price": "NA"},
    {"square_meters": "80 sqft"}, {"square_meters": "5000"}, {"square_meters": "n/a"}, {"location": " "},
    {"sale_date": "17.05.2024"}, {"sale_date": "0201-05-17"}, {"sale_date": "2031-01-01"}, {"sale_date": None},
    {"property_type": ""}, {"transaction_id": None}, {"transaction_id": "1.4082E+13"}, {"property_id": "1.4E+13"},
    {"floor": "top"}, {"year_built": "19900"}, {"latitude": "0", "longitude": "0"}, {"latitude": "58.1"},
    {"latitude": "11.5", "longitude": "48.1"}, {"longitude": None}, {"bedrooms": "NA"}, {"bedrooms": "na"},
    {"source_fault": "row: 3 cells where the header has 4"}, {"source_excluded": "nature = exchange"},
    {"source_deleted": "status = D"}, {"price": "1", "square_meters": None}, {"price": "200000000"},
)  # fmt: skip
# Versions of one record, in files of which the last one is the latest.
VERSIONS = (
    ({}, {}),
    ({}, {"price": "260000"}),
    ({"price": "x"}, {}),
    ({}, {"price": "x"}),
    ({}, {"source_deleted": "status = D"}),
    ({"source_deleted": "status = D"}, {}),
    ({}, {"price": "1"}, {}),
    ({"transaction_id": "V 7"}, {"transaction_id": "\u00a0V 7 "}),
    ({"source_fault": "row: torn"}, {}),
)
DEEDS = (
    ({"square_meters": None}, {}),
    ({}, {"price": "260000"}),
    ({}, {"square_meters": "90"}),
    ({"price": "x"}, {}),
    ({}, {"property_type": None}, {"sale_date": "2024-05-18"}),
)


@pytest.fixture(scope="module")
def source():
    columns = {name: name for name in NAMES}
    files = {"kind": "files", "columns": columns}
    without_ids = {name: column for name, column in columns.items() if name != "transaction_id"}
    feeds = [
        {**files, "name": "register", "files": ["*.csv"], "deleted": {"column": "status", "values": ["D"]}},
        {**files, "name": "deeds", "files": ["d*.csv"], "deed": "act"},
        {**files, "name": "anonymous", "files": ["a*.csv"], "columns": without_ids, "missing": ["na"]},
    ]
    city = {
        "name": "town", "title": "A town", "currency": "EUR", "as_of": "2024-12-31", "folder": "data",
        "coordinates": {"origin": [48.1, 11.5]},
    }  # fmt: skip
    ranges = {"square_meters": [10, 1000], "price_per_square_meter": [10, 100_000], "year_built": [1000, 2030]}
    contract = {"required": ["square_meters"], "ranges": ranges}
    return params.source({"city": city, "feeds": {"sales": feeds}, "contract": contract})


def rows_of():
    """Rows of three feeds in five files: clean ones, and between them every fault, version and deed."""
    rows = []

    def add(feed, file, cells):
        rows.append({"source_feed": feed, "source_file": file, **dict.fromkeys(NAMES), **ROW, **cells})

    for number, fault in enumerate(FAULTS):
        add("register", "2023.csv", {"transaction_id": f"T{number}"})
        add("register", "2023.csv", {"transaction_id": f"F{number}", **fault})
    for file in range(3):
        for number, versions in enumerate(VERSIONS):
            if file < len(versions):
                address = {"address": f"{number} Main Street", "square_meters": str(80 + file)}
                name = ["2023.csv", "2024.csv", "corrections.csv"][file]
                add("register", name, {"transaction_id": f"V{number}", **address, **versions[file]})
    for number, deed in enumerate(DEEDS):
        for row, cells in enumerate(deed):
            add("deeds", "d.csv", {"transaction_id": f"deeds:{number}-{row}", "source_deed": f"A{number}", **cells})
    for number, cells in enumerate([*[{}] * 3, {"floor": None}, {"floor": None}, {"floor": "na"}, dict.fromkeys(ROW)]):
        add("anonymous", "a.csv", {"transaction_id": f"anonymous:{number}", **cells})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def raw():
    frame = rows_of()
    texts = frame.assign(source_fault=frame["source_fault"]).astype(lake.TEXT)
    return texts.assign(source_line=frame.groupby(["source_feed", "source_file"]).cumcount().to_numpy() + 2)


@pytest.fixture(scope="module")
def spark_frame(spark):
    """A raw table in Spark, in an order that says nothing, and its files in the order of the workspace."""

    def build(raw):
        files = list(dict.fromkeys(zip(raw["source_feed"], raw["source_file"], strict=True)))
        rows = pa.Table.from_pandas(raw.sample(frac=1, random_state=3), preserve_index=False)
        return spark.createDataFrame(rows.replace_schema_metadata()), files

    return build


@pytest.fixture(scope="module")
def batches_of_50(spark):
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(key)
    spark.conf.set(key, 50)
    yield
    spark.conf.set(key, before)


def in_raw_order(frame, files):
    rows = frame.toArrow().to_pandas(types_mapper=TEXTS.get)
    position = [files.index(file) for file in zip(rows["source_feed"], rows["source_file"], strict=True)]
    return rows.assign(at=position).sort_values(["at", "source_line"]).drop(columns="at").reset_index(drop=True)


def without_positions(tally):
    counts = {item.name: getattr(tally, item.name) for item in dataclasses.fields(tally)}
    return counts | {"examples": {key: example[1:] for key, example in tally.examples.items()}}


@pytest.fixture
def validated(spark, source, tmp_path, monkeypatch):
    """The valid and the quarantined rows and the tally of a frame in Spark, in parts of so many rows."""
    monkeypatch.chdir(tmp_path)
    storage = StorageConfig(uri=(tmp_path / "lake").as_uri(), uri_env=None, encryption=None)

    def validate_frame(frame, files, rows_a_part):
        valid, quarantine = (NewSnapshot.of(path, storage) for path in (lake.VALID["sales"], lake.QUARANTINE))
        types = columns_of(frame, source, "sales")
        parts = validate_in_spark(
            frame, PartValidation(source, "sales", files, valid, quarantine, types[1]), rows_a_part
        )
        valid.commit((part.valid for part in parts if part.valid), from_arrow_schema(types[0]), ROW_KEY)
        quarantine.commit(
            (part.quarantined for part in parts if part.quarantined), from_arrow_schema(types[1]), ROW_KEY
        )
        rows = (spark_tables.read(spark, path) for path in (lake.VALID["sales"], lake.QUARANTINE))
        return *rows, total(part.tally for part in parts)

    return validate_frame


@pytest.mark.usefixtures("batches_of_50")
@pytest.mark.slow
def test_spark_and_workspace_agree_row_for_row_on_every_kind_of_fault(spark_frame, raw, source, validated):
    frame, files = spark_frame(raw)
    in_workspace = validate_records(raw, source)
    valid, quarantined, tally = validated(frame, files, 25)
    pd.testing.assert_frame_equal(in_raw_order(valid, files), in_workspace.valid)
    expected = lake.typed(in_workspace.quarantined.assign(source_table="sales"))
    pd.testing.assert_frame_equal(in_raw_order(quarantined, files), expected)
    assert without_positions(tally) == without_positions(tally_of(raw, in_workspace, source, "sales"))
    assert shared_prices_in_spark(valid, source) == shared_prices(in_workspace.valid, source)
    kinds = {kind.split(":")[0] for _, kind in tally.reasons} | {*tally.set_aside_reasons}
    assert kinds >= {"row", "price", "square_meters", "sale_date", "location", "duplicate", "deed"}
    assert kinds >= {"replaced", "deleted", "excluded", "deed: further row"}


def test_notations_are_judged_over_whole_feeds(spark_frame, raw, validated):
    frame, files = spark_frame(raw.assign(price=[f"{100 + row}.000" for row in range(len(raw))]))
    with pytest.raises(NotationError, match=r"\(register\): columns\.price: all .* have three digits behind it"):
        validated(frame, files, 9)
    frame, files = spark_frame(
        raw.assign(sale_date=[f"2024-05-{1 + row % 28:02}T22:00:00Z" for row in range(len(raw))])
    )
    with pytest.raises(NotationError, match=r"columns\.sale_date: 28 of 28 different times are at 22:00 UTC"):
        validated(frame, files, 9)
    frame, files = spark_frame(raw.assign(latitude="11.5", longitude="48.1"))
    with pytest.raises(NotationError, match=r"\(register\): 81 of 81 coordinates are swapped with longitude"):
        validated(frame, files, 9)


@pytest.mark.slow
def test_both_stages_write_the_same_tables_to_an_external_lake(spark, local_spark, source, raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    for (feed, file), rows in raw.groupby(["source_feed", "source_file"], sort=False):
        named = rows.rename(columns={"source_deed": "act", "source_deleted": "status", "source_excluded": "nature"})
        named[[*NAMES, "act", "status"]].to_csv(folder / f"{feed[0]}-{file}", index=False)
    patterns = {"register": ["r-*.csv"], "deeds": ["d-*.csv"], "anonymous": ["a-*.csv"]}
    feeds = [feed.model_copy(update={"files": patterns[feed.name]}) for feed in source.feeds.sales]
    town = Source(source.city, FeedsConfig(sales=feeds), source.contract)
    limit = ValidateConfig(max_rejected_share=0.9)
    external = StorageConfig(uri=(tmp_path / "lake").as_uri(), uri_env=None, encryption=None)
    tables, quality = {}, {}
    for storage in (None, external):
        for table in lake.RAW:
            ingest.run(table, town.city, town.feeds, storage, local_spark)
        validate.run(*town, limit, storage, local_spark)
        tables[storage] = {path: lake.read_text_columns(path) for path in (lake.VALID["sales"], lake.QUARANTINE)}
        quality[storage] = lake.read_json(REPORTS / "quality.json")
    assert read_receipt(lake.VALID["sales"]).rows == len(tables[None][lake.VALID["sales"]]) > 50
    assert quality[external] == quality[None]
    for path, rows in tables[None].items():
        key = ["source_feed", "source_file", "source_line"]
        same = tables[external][path][[*rows]].sort_values(key, ignore_index=True)
        pd.testing.assert_frame_equal(same, rows.sort_values(key, ignore_index=True))
