"""`homei lineage` finds the raw records behind a row, wherever they came from."""

from pathlib import Path

import pytest

from homei.pipeline.lineage import LineageError, format_lineage, origins, stages_behind
from homei.storage import lake

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def lineage(demo_lake, demo_source, monkeypatch):
    monkeypatch.chdir(demo_lake)
    return lambda table, identity: origins(demo_source, table, identity)


def test_a_property_has_its_sales_and_its_listings_behind_it(lineage):
    listings = lake.read(lake.RESOLVED_LISTINGS)
    sales = lake.read(lake.RESOLVED_SALES).query("source_feed == 'register'")
    both = sorted(set(listings.query("source_feed == 'rival'")["property_id"]) & set(sales["property_id"]))
    records = lineage("property_analytics", both[0])
    assert records == lineage("properties", both[0])
    feeds = {(record.table, record.feed) for record in records}
    assert ("sales", "register") in feeds
    assert ("listings", "rival") in feeds
    assert sum(record.table == "sales" for record in records) >= (sales["property_id"] == both[0]).sum()


def test_a_sale_names_the_row_of_its_database_its_hash_and_its_time(lineage, demo_source):
    (record,) = lineage("sales", "T000017")
    register = (Path(demo_source.city.folder) / "world" / "sales.csv").read_text().splitlines()
    line = next(number for number, row in enumerate(register) if ",T000017," in row)
    assert record.row == line
    assert record.came_from == "deeds of sqlite:///$HOMEI_DEMO_REGISTER"
    assert record.time == f"changed {register[line].split(',')[-1]}"
    assert len(record.sha256) == 64


def test_a_report_that_was_merged_is_behind_the_sale_with_its_file(lineage):
    merged = lake.read(lake.MERGED_SALES).iloc[0]
    records = lineage("sales", merged["merged_into"])
    report = next(record for record in records if record.feed == "brokers")
    assert report.came_from.startswith("world/brokers/")
    assert report.row == merged["source_line"]


def test_a_customer_has_the_leads_behind_it(lineage):
    customer = lake.read(lake.VALID["leads"])["customer_id"].iloc[0]
    records = lineage("customers", customer)
    assert [record.table for record in records].count("customers") == 1
    assert [record.table for record in records].count("leads") == (
        lake.read(lake.VALID["leads"])["customer_id"] == customer
    ).sum()


def test_a_table_and_a_row_that_are_not_there_are_named(lineage):
    with pytest.raises(
        LineageError, match="homes: there is no such table; choose one of property_analytics, customer_analytics"
    ):
        lineage("homes", "P1")
    with pytest.raises(LineageError, match="resolved/sales has no row whose transaction_id is 'X'"):
        lineage("sales", "X")


def test_the_stages_behind_a_table_come_from_the_graph(lineage):
    stages = list(stages_behind("sales", PROJECT / "dvc.lock"))
    names = [name for name, _, _ in stages]
    assert names[:2] == ["resolve", "validate"]
    assert names[-2:] == ["fetch@demo", "simulate@demo"]
    assert {"ingest@sales", "fetch@demo", "simulate@demo"} <= set(names)
    assert not {"features", "train"} & set(names)
    assert stages[0][1] == "homei resolve"
    assert "resolve" in stages[0][2]
    text = format_lineage(lineage("sales", "T000017"), iter(stages))
    assert "sales · register · row" in text
    assert "resolve: homei resolve, with " in text
