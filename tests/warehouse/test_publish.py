"""Publishing: the warehouse is what the lake is, however often, and what a service wrote there stays."""

import datetime
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, insert, select, update

from homei.storage import lake
from homei.training.config import IntervalsConfig
from homei.warehouse.connection import WarehouseError, reading, writing
from homei.warehouse.publish import StaleError, check, forget_contents, run
from homei.warehouse.receipt import RECEIPT
from homei.warehouse.search_sql import CoordinateScale, PropertySearch, SearchFilters
from homei.warehouse.tables import (
    audit,
    feedback,
    market_analytics,
    predictions,
    property_analytics,
    property_history,
    publication,
)

INTERVALS = IntervalsConfig(level=0.9, folds=4)
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def rows(engine, table):
    with reading(engine) as connection:
        return connection.execute(select(table).order_by(*table.primary_key)).mappings().all()


def test_a_property_is_published_with_its_valuation_and_its_asking_price(settings, engine, city, town):
    town(3)
    run(city, INTERVALS, settings)
    silent, listed, _ = rows(engine, property_analytics)
    assert (silent["price"], silent["valued_price"], silent["is_listed"]) == (201_000.25, 201_000.25, False)
    assert (listed["price"], listed["valued_price"], listed["is_listed"]) == (250_000.0, 201_001.25, True)
    assert (silent["floor"], listed["floor"]) == (None, 3.0)
    assert silent["first_sale_date"] == datetime.date(2021, 5, 1)
    assert listed["features"] == {"heating": "gas", "park_distance": 1 / 3}
    assert (listed["address"], listed["strip"]) == ("2 Mill Lane", 2)


def test_the_market_is_published_by_month_and_location_with_the_indicator_series(settings, engine, city, town):
    town()
    run(city, INTERVALS, settings)
    may, june = rows(engine, market_analytics)
    assert (may["month"], may["location"], may["indicators"]) == (datetime.date(2021, 5, 1), "north", {"rate": 1.25})
    assert (june["market_sales"], june["median_price"], june["indicators"]) == (0, None, {})


def test_only_a_terminal_gets_a_progress_bar(settings, city, town, monkeypatch, capfd):
    town(3)
    run(city, INTERVALS, settings)
    assert check(settings) == []
    assert capfd.readouterr() == ("", "")
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    town(4)
    run(city, INTERVALS, settings)
    assert "property_analytics: 100%" in terminal.getvalue()
    terminal.truncate(0)
    assert check(settings) == []
    assert "property_analytics: 4.00 rows" in terminal.getvalue()


def test_publishing_again_changes_nothing(settings, engine, city, town):
    town()
    run(city, INTERVALS, settings)
    slip, before = RECEIPT.read_bytes(), rows(engine, property_analytics)
    with writing(engine) as connection:
        marks = _row_marks(connection)
    run(city, INTERVALS, settings)
    assert RECEIPT.read_bytes() == slip
    assert rows(engine, property_analytics) == before
    with writing(engine) as connection:
        assert _row_marks(connection) == marks, "rows that did not change were written again"


def _row_marks(connection):
    """What tells whether PostgreSQL has written a row; SQLite doesn't tell."""
    if connection.dialect.name == "sqlite":
        return None
    return connection.exec_driver_sql("select property_id, ctid, xmin from property_analytics order by 1").all()


def test_a_publication_replaces_adds_and_removes(settings, engine, city, town):
    town(6)
    run(city, INTERVALS, settings)
    town(4, model="m2", valued_price=[1.0, 2.0, np.nan, 4.0])
    run(city, INTERVALS, settings)
    stored = rows(engine, property_analytics)
    assert [row["property_id"] for row in stored] == ["p00000", "p00001", "p00002", "p00003"]
    assert [row["valued_price"] for row in stored] == [1.0, 2.0, None, 4.0]
    assert [row["price"] for row in stored] == [1.0, 250_000.0, None, 4.0]
    assert len(rows(engine, property_history)) == 5  # of four homes' sales and one offer
    (published,) = rows(engine, publication)
    assert (published["model_version"], published["source"], published["as_of"]) == ("m2", "town", city.as_of)
    assert published["digest"] == lake.read_json(RECEIPT)["digest"]


def test_the_history_of_a_property_has_each_listing_once_and_no_names(settings, engine, city, town):
    town(3)
    run(city, INTERVALS, settings)
    stored = rows(engine, property_history)
    assert [(row["event"], row["event_id"], row["property_id"]) for row in stored] == [
        ("listing", "l1", "p00001"), ("sale", "t0", "p00000"), ("sale", "t1", "p00001"), ("sale", "t2", "p00002"),
    ]  # fmt: skip
    assert not {"seller", "buyer", "5e11e7", "b04e7"} & {*stored[0], *map(str, stored[1].values())}


def test_service_tables_keep_their_rows_in_a_publication(settings, engine, city, town):
    town()
    valuation = {
        "prediction_id": "a1", "predicted_at": NOW, "property_id": "p00005", "inputs": {"square_meters": 55.0},
        "price": 2.0, "low": 1.0, "high": 3.0, "level": 0.9, "confidence": 0.9, "flags": [], "variant": "champion",
        "model_version": "m1", "data_version": "d1", "latency_ms": 1.5,
    }  # fmt: skip
    reported = {
        "client": "broker",
        "key": "k1",
        "received_at": NOW,
        "prediction_id": "a1",
        "sold_on": NOW.date(),
        "price": 2.5,
    }
    entry = {
        "number": 1, "happened_at": NOW, "actor": "broker", "action": "predict", "outcome": "done", "details": {},
        "previous_hash": "", "hash": "h1",
    }  # fmt: skip
    with writing(engine) as connection:
        for table, row in ((predictions, valuation), (feedback, reported), (audit, entry)):
            connection.execute(insert(table).values(row))
    before = [rows(engine, table) for table in (predictions, feedback, audit)]
    run(city, INTERVALS, settings)
    town(2)  # the property that was valued vanishes
    run(city, INTERVALS, settings)
    assert [rows(engine, table) for table in (predictions, feedback, audit)] == before
    assert all(before)


def test_the_receipt_has_the_same_bytes_on_each_database(settings, city, town, request):
    town()
    run(city, INTERVALS, settings)
    known = request.config.stash.setdefault(SLIPS, {})
    known[settings.address] = RECEIPT.read_bytes()
    assert len({*known.values()}) == 1
    assert check(settings) == []


SLIPS = pytest.StashKey[dict]()


def test_check_names_each_difference_from_the_receipt(settings, engine, city, town):
    town()
    run(city, INTERVALS, settings)
    with writing(engine) as connection:
        connection.execute(update(property_analytics).values(valued_price=1.0).where(_is("p00002")))
        connection.execute(delete(property_history).where(property_history.c.event_id == "t1"))
    assert check(settings) == [
        "property_analytics has other contents: its digest is not the receipt's",
        "property_history has 6 rows, not 7",
    ]
    forget_contents(settings)
    run(city, INTERVALS, settings)
    assert check(settings) == []


def _is(property_id):
    return property_analytics.c.property_id == property_id


def test_check_of_an_empty_warehouse_says_what_to_run(settings, engine, city, town):
    town()
    run(city, INTERVALS, settings)
    with writing(engine) as connection:
        connection.execute(delete(publication))
    with pytest.raises(WarehouseError, match="has no publication: run `homei publish`"):
        check(settings)


def test_valuations_of_another_model_than_the_packaged_one_are_not_published(settings, engine, city, town):
    town()
    run(city, INTERVALS, settings)
    town(model="m2")
    lake.write_json({"model_version": "m3", "data_version": "d1"}, Path("models/bento.json"))
    with pytest.raises(StaleError, match=r"has model_version m2, .* has m3: run `dvc repro publish`"):
        run(city, INTERVALS, settings)
    (published,) = rows(engine, publication)
    assert published["model_version"] == "m1"


def test_words_find_the_properties_with_the_newest_addresses(settings, engine, city, town):
    town()
    run(city, INTERVALS, settings)
    assert found_by(engine, "mill", "3") == ["p00002"]
    places = lake.read(lake.RESOLVED_PROPERTIES)
    places.loc[2, "address"] = "3 Éclair Square"
    lake.write(places, lake.RESOLVED_PROPERTIES)
    run(city, INTERVALS, settings)
    assert found_by(engine, "mill", "3") == []
    assert found_by(engine, "écl") == ["p00002"]
    town(2)
    run(city, INTERVALS, settings)
    assert found_by(engine, "mil") == ["p00000", "p00001"]


def found_by(engine, *words):
    search = PropertySearch(SearchFilters(address=" ".join(words)), CoordinateScale("plane", 1.0, 1.0), "area")
    with reading(engine) as connection:
        return [row["property_id"] for row in search.page(connection, 10).rows]
