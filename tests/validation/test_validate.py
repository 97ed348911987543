"""The stage `validate`: valid rows, quarantine with reasons, and the limit of rejected sales."""

import re

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.config import params
from homei.ingestion import ingest
from homei.reporting import quality_page
from homei.storage import lake
from homei.validation.quality import REPORTS
from homei.validation.quality_errors import QualityError
from homei.validation.validate import run, validate_records

PLACES = [{"kind": "park", "file": "parks.csv", "name": "n", "latitude": "y", "longitude": "x"}]


def places_of(*rows):
    columns = ["kind", "name", "latitude", "longitude"]
    lines = range(2, len(rows) + 2)
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    return frame.assign(source_file="parks.csv", source_line=lines, source_fault=None)


@pytest.fixture
def validated(tmp_path, monkeypatch):
    """Runs the stage on raw tables in an empty project."""
    monkeypatch.chdir(tmp_path)

    def run_stage(raw, source, places=(), limit=0.5, listings=None):
        lake.write(raw, lake.RAW["sales"])
        for table in ("listings", "customers", "leads", "indicators"):
            lake.write(ingest.records(source, table) if listings is None else listings, lake.RAW[table])
            listings = None
        lake.write(places_of(*places), lake.RAW["places"])
        run(*source, params.section("validate", {"max_rejected_share": limit}))

    return run_stage


def test_valid_sales_are_typed_and_in_raw_order(validated, raw_of, source_of):
    validated(raw_of({}, {"price": "x"}, {"floor": None, "property_id": None}), source_of())
    sales = lake.read(lake.VALID["sales"])
    assert sales["transaction_id"].tolist() == ["T1", "T3"]
    assert sales["source_line"].tolist() == [2, 4]
    assert sales["sale_date"].dt.strftime("%Y-%m-%d").tolist() == ["2024-05-17"] * 2
    assert sales["floor"].isna().tolist() == [False, True]
    assert sales["rooms"].dtype == float


def test_the_columns_of_each_feed_are_written_and_whether_they_are_required(validated, raw_of, source_of):
    validated(raw_of({}), source_of(required=["floor"]))
    columns = lake.read(lake.FEED_COLUMNS).set_index("column_name")
    assert set(columns["feed"]) == {"main"}
    assert columns["is_required"][["price", "floor", "rooms"]].tolist() == [True, True, False]


def test_empty_columns_keep_their_types(validated, raw_of, source_of):
    validated(raw_of({"property_id": None, "energy": None}), source_of())
    types = {field.name: str(field.type) for field in pq.read_schema(lake.VALID["sales"] / "part-00000.parquet")}
    assert types["property_id"] == types["energy"] == types["transaction_id"] == "string"
    assert types["sale_date"] == "date32[day]"
    assert types["floor"] == "double"


def test_quarantined_rows_are_unchanged_and_have_reasons_file_and_line(validated, raw_of, source_of):
    validated(raw_of({}, {"price": " -7 ", "location": None}), source_of())
    (row,) = lake.read(lake.QUARANTINE).to_dict("records")
    assert row["price"] == " -7 "
    assert row["reasons"] == "price: outside (0, 100000000]; location: missing"
    assert (row["source_file"], row["source_line"]) == ("sales.csv", 3)


def test_the_quarantine_is_empty_if_no_row_is_rejected(validated, raw_of, source_of):
    validated(raw_of({}, {}), source_of())
    assert lake.read(lake.QUARANTINE).empty
    quality = lake.read_json(REPORTS / "quality.json")
    assert (quality["rows"], quality["valid"], quality["rejected"], quality["reasons"]) == (2, 2, 0, [])


def test_quality_json_counts_reasons_files_and_columns(validated, raw_of, source_of):
    duplicate = {"transaction_id": "T4", "price": "260000", "energy": None}
    raw = raw_of({"price": None, "location": " "}, {"price": None}, {}, {}, duplicate)
    validated(raw, source_of(), limit=0.6)
    quality = lake.read_json(REPORTS / "quality.json")
    assert quality["reasons"] == [
        {"reason": "price: missing", "rows": 2, "share": 0.4},
        {"reason": "duplicate", "rows": 1, "share": 0.2},
        {"reason": "location: missing", "rows": 1, "share": 0.2},
    ]
    assert quality["files"] == [{"file": "sales.csv", "rows": 5, "rejected": 3}]
    assert {"column": "energy", "present": 0.8} in quality["columns"]
    assert (quality["rows"], quality["valid"], quality["rejected"], quality["share"]) == (5, 2, 3, 0.6)
    assert (quality["limit"], quality["ok"]) == (0.6, True)


def test_too_many_rejected_sales_stop_the_stage_after_the_reports(validated, raw_of, source_of):
    raw = raw_of({}, {"price": "9 ?"}, {"price": "x"}, {"price": None})
    with pytest.raises(QualityError) as error:
        validated(raw, source_of())
    assert str(error.value) == (
        "sales: 3 of 4 records of feed main (75.0%) break the contract; validate.max_rejected_share "
        "(params/config.yaml) allows 0.5.\n"
        "  price: not a number (2 rows, such as '9 ?' in line 3 of sales.csv): declare its decimal, thousands or "
        "missing texts under feeds.sales.columns.price\n"
        "  price: missing (1 rows, first in line 5 of sales.csv): map another column under feeds.sales.columns.price, "
        "or exclude such rows by feeds.sales.exclude\n"
        "  If the data are right, set feeds.sales.max_rejected_share in params/city/town.yaml.\n"
        "The rows are in data/processed/quarantine; `homei render quality` writes reports/quality/quality.html"
    )
    assert len(lake.read(lake.QUARANTINE)) == 3
    assert lake.read_json(REPORTS / "quality.json")["ok"] is False
    assert not lake.VALID["sales"].exists()


LISTINGS = {
    "kind": "files", "name": "portal", "files": ["l.csv"],
    "columns": {name: name for name in ("listing_id", "listed_on", "property_type", "location", "price")},
}  # fmt: skip


def listings_of(source, *changes):
    rows = [
        {"listing_id": f"L{number}", "listed_on": "2024-05-01", "property_type": "flat", "location": "East", **change}
        for number, change in enumerate(changes)
    ]
    frame = pd.DataFrame(rows, columns=source.columns("listings"), dtype=object)
    origin = {"source_feed": "portal", "source_file": "l.csv", "source_line": range(2, len(rows) + 2)}
    return frame.assign(**origin, source_fault=None).astype({"source_fault": lake.TEXT})


def test_the_limit_of_rejected_records_holds_for_each_feed(validated, raw_of, source_of):
    source = source_of(listings=LISTINGS)
    listings = listings_of(source, {"listed_on": "May"}, {"listed_on": "June"})
    with pytest.raises(
        QualityError, match=r"(?s)^listings: 2 of 2 records of feed portal \(100.0%\) .*such as 'May' in "
    ):
        validated(raw_of(*[{}] * 100), source, listings=listings)
    sales, portal = lake.read_json(REPORTS / "quality.json")["tables"]
    assert (sales["share"], sales["ok"]) == (0.0, True)
    assert (portal["feed"], portal["rejected"], portal["share"], portal["ok"]) == ("portal", 2, 1.0, False)


def test_identifiers_that_begin_anew_in_each_file_are_an_error(validated, raw_of, source_of):
    prices = [{"transaction_id": f"T{number % 4}", "price": str(200_000 + number)} for number in range(8)]
    raw = raw_of(*prices).assign(source_file=["2023.csv"] * 4 + ["2024.csv"] * 4)
    with pytest.raises(
        QualityError, match=r"^sales: 4 of 8 records of feed main are replaced .* begin anew in each file"
    ):
        validated(raw, source_of(), limit=0.2)


def test_a_feed_may_have_a_limit_of_its_own(validated, raw_of, source_of):
    source = source_of(given={"max_rejected_share": 0.8})
    validated(raw_of({}, {"price": "x"}, {"price": "x"}), source)
    quality = lake.read_json(REPORTS / "quality.json")
    assert quality["limit"] == quality["tables"][0]["limit"] == 0.8
    with pytest.raises(QualityError, match=r"its limit \(params/city/town\.yaml\) allows 0\.1"):
        validated(raw_of({}, {"price": "x"}), source_of(given={"max_rejected_share": 0.1}))


def test_rows_that_are_set_aside_do_not_count_as_rejected(validated, raw_of, source_of):
    raw = raw_of({}, *[{"property_type": None}] * 4).assign(source_deed="A")
    validated(raw, source_of(given={"deed": "act"}), limit=0)
    quality = lake.read_json(REPORTS / "quality.json")
    assert (quality["valid"], quality["rejected"], quality["set_aside"], quality["share"]) == (1, 0, 4, 0.0)
    assert quality["set_aside_reasons"] == [{"reason": "deed: further row", "rows": 4, "share": 0.8}]
    assert len(lake.read(lake.QUARANTINE)) == 4


def test_lost_cells_and_texts_for_missing_values_are_counted_by_column(validated, raw_of, source_of):
    raw = raw_of({"floor": "top", "energy": "NA"}, {"floor": "x", "energy": "na"}, {"energy": "NA"}, {"energy": None})
    validated(raw, source_of())
    quality = lake.read_json(REPORTS / "quality.json")
    assert quality["cells"] == [{"table": "sales", "column": "floor", "reason": "not a number", "rows": 2}]
    assert warnings_of("floor") == [
        "2 of 4 cells are lost (not a number): correct the column's mapping, notation or range"
    ]
    assert quality["missing_texts"] == [
        {"table": "sales", "column": "energy", "text": "NA", "rows": 2},
        {"table": "sales", "column": "energy", "text": "na", "rows": 1},
    ]


@pytest.mark.parametrize("missing", [[], ["NA"]])
def test_a_column_may_be_empty_and_a_feed_without_texts_for_missing_values(validated, raw_of, source_of, missing):
    raw = raw_of({"energy": None, "floor": None}, {"energy": None, "floor": None})
    validated(raw.astype({"energy": lake.TEXT, "floor": lake.TEXT}), source_of(given={"missing": missing}))
    assert lake.read_json(REPORTS / "quality.json")["missing_texts"] == []
    assert len(lake.read(lake.VALID["sales"])) == 2


def warnings_of(about):
    quality = lake.read_json(REPORTS / "quality.json")
    return [warning["message"] for warning in quality["warnings"] if warning["about"] == about]


def test_empty_and_constant_columns_rounded_ids_and_the_last_sale_are_named(validated, raw_of, source_of):
    validated(raw_of(*({"rooms": None, "property_id": "1.4E+13", "floor": n} for n in "123")), source_of())
    assert warnings_of("rooms") == ["no sale has a value: remove the column or correct its mapping"]
    assert warnings_of("energy") == ["all sales have the same value, B"]
    assert warnings_of("floor") == []
    (message,) = warnings_of("property_id")
    assert message == (
        "3 identifiers are rounded by a spreadsheet (1.4082E+13) and count as unknown: export the column as text"
    )
    assert lake.read_json(REPORTS / "quality.json")["freshness"] == {"last_sale": "2024-05-17", "months": 7}


def test_sales_outside_a_default_range_and_feeds_without_records_are_named(validated, raw_of, source_of):
    source = source_of(listings=LISTINGS)
    validated(raw_of({}, {"price": "200000000"}), source, listings=listings_of(source))
    (message,) = warnings_of("price")[-1:]
    assert message == "1 sales are outside the default range (0, 100,000,000]: declare contract.ranges.price"
    assert warnings_of("portal") == ["feed portal has no records: check its address or that its files have rows"]


def test_rows_that_may_be_parts_of_one_deed_are_counted(validated, raw_of, source_of):
    raw = raw_of({}, {"square_meters": "90"}, {"price": "1"}, {"square_meters": "70", "sale_date": "2024-05-18"})
    source = source_of(columns={}, given={})
    columns = {**source.feeds.sales[0].columns, "address": source.feeds.sales[0].columns["location"]}
    feed = source.feeds.sales[0].model_copy(update={"columns": columns})
    source = source._replace(feeds=source.feeds.model_copy(update={"sales": [feed]}))
    validated(raw.assign(address="Main Street 1"), source)
    (message,) = warnings_of("main")
    assert message.startswith("2 rows share date, price and address with another of different area")


def test_a_source_without_sales_stops_the_stage(validated, raw_of, source_of):
    with pytest.raises(QualityError, match="the source has no sales"):
        validated(raw_of(), source_of())


def test_invalid_places_are_quarantined_with_reasons(validated, raw_of, source_of):
    rows = [
        ("park", "A", "48.1", "11.5"),
        ("park", "B", None, "x"),
        ("park", "C", "95", "11"),
        ("park", None, "48.2", "11.6"),
    ]
    validated(raw_of({}), source_of(places=PLACES), rows)
    assert lake.read(lake.VALID_PLACES).to_numpy().tolist() == [["park", "A", 48.1, 11.5], ["park", "", 48.2, 11.6]]
    quarantine = lake.read(lake.QUARANTINE)
    assert quarantine["reasons"].tolist() == [
        "latitude: missing; longitude: not a number",
        "latitude: outside [46.7525, 49.4475]",
    ]
    assert quarantine["source_line"].tolist() == [3, 4]
    assert lake.read_json(REPORTS / "quality.json")["places"] == [
        {"kind": "park", "rows": 4, "rejected": 2, "share": 0.5, "ok": True}
    ]
    with pytest.raises(QualityError, match=r"places: 2 of 4 places of kind park \(50.0%\) break the contract"):
        validated(raw_of({}), source_of(places=PLACES), rows, limit=0.4)


def test_places_on_a_plane_have_only_declared_limits(validated, raw_of, source_of):
    source = source_of(places=PLACES, coordinates={"system": "plane"})
    validated(raw_of({}), source, [("park", "A", "5000", "-7000")])
    assert len(lake.read(lake.VALID_PLACES)) == 1


def test_the_report_is_rendered_without_rejected_sales(validated, raw_of, source_of):
    validated(raw_of({}, {}), source_of())
    quality_page.run(source_of().city)
    assert "every sale meets the contract" in (REPORTS / "quality.html").read_text()


def test_the_report_shows_limits_of_years_without_thousands_separators(validated, raw_of, source_of):
    ranges = {"year_built": (1850, 2025), "price": (1000, 2_000_000)}
    validated(raw_of({}), source_of(ranges=ranges))
    quality_page.run(source_of().city)
    page = (REPORTS / "quality.html").read_text()
    assert "<td>year_built</td><td>1850</td><td>2025</td>" in page
    assert "<td>price</td><td>1,000</td><td>2,000,000</td>" in page


def test_headings_of_the_report_begin_with_a_capital(validated, raw_of, source_of):
    validated(raw_of({}), source_of(places=PLACES), [("park", "A", "48.1", "11.5")])
    quality_page.run(source_of().city)
    headings = re.findall("<th[^>]*>([^<]*)</th>", (REPORTS / "quality.html").read_text())
    assert "Verdict" in headings
    assert [heading for heading in headings if heading[:1].islower()] == []


def test_html_in_cells_is_escaped_in_the_report(validated, raw_of, source_of):
    validated(raw_of({}, {"price": "<script>alert(1)</script>"}), source_of())
    quality_page.run(source_of().city)
    page = (REPORTS / "quality.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_a_second_run_writes_the_same_bytes(validated, raw_of, source_of, tmp_path):
    raw = raw_of({}, {}, {"price": "x"})
    validated(raw, source_of())
    before = lake.digest(tmp_path)
    validated(raw, source_of())
    assert lake.digest(tmp_path) == before


CELL = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=10) | st.from_regex(r"-?[0-9.,]{1,9}")
CHANGES = st.dictionaries(
    st.sampled_from(["transaction_id", "sale_date", "price", "square_meters", "location", "floor", "rooms", "energy"]),
    CELL | st.sampled_from(["T1", "2024-05-17", "250000", "80", "NA", "1e999", "2024-13-01"]),
    max_size=3,
)


@settings(max_examples=30, deadline=None)
@given(changes=st.lists(CHANGES, max_size=6), faulty=st.sets(st.integers(0, 5)))
def test_every_row_is_valid_or_quarantined_for_any_cells(source, raw_of, changes, faulty):
    raw = raw_of(*changes)
    raw["source_fault"] = ["row: torn" if row in faulty else None for row in range(len(raw))]
    validated = validate_records(raw, source)
    lines = sorted([*validated.valid["source_line"], *validated.quarantined["source_line"]])
    assert lines == raw["source_line"].tolist()
    assert validated.quarantined["reasons"].str.len().gt(0).all()
    assert validated.valid["price"].gt(0).all()
    assert not validated.valid["transaction_id"].duplicated().any()


@pytest.fixture(scope="module")
def source():
    columns = dict.fromkeys(
        ["transaction_id", "sale_date", "price", "square_meters", "property_type", "location", "floor"]
    )
    sales = {"kind": "files", "files": ["x"], "columns": {name: name for name in columns}}
    sales["columns"] |= {"rooms": "rooms", "energy": "energy"}
    city = {
        "name": "town", "title": "A town", "currency": "EUR", "as_of": "2024-12-31", "folder": "data",
        "coordinates": {"origin": [48.1, 11.5]}, "attributes": {"numeric": ["rooms"], "categorical": ["energy"]},
    }  # fmt: skip
    contract = {"required": [], "ranges": {"floor": [0, 60]}}
    return params.source({"city": city, "feeds": {"sales": sales}, "contract": contract})
