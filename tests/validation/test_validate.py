"""The stage `validate`: valid rows, quarantine with reasons, and the limit of rejected sales."""

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homei.config import params
from homei.ingestion import ingest
from homei.reporting import quality_page
from homei.storage import lake
from homei.validation import validate
from homei.validation.validate import QualityError, run, validate_records

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

    def run_stage(raw, source, places=(), limit=0.5):
        lake.write(raw, lake.RAW["sales"])
        for table in ("listings", "customers", "leads", "indicators"):
            lake.write(ingest.records(source, table), lake.RAW[table])
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
    quality = lake.read_json(validate.REPORTS / "quality.json")
    assert (quality["rows"], quality["valid"], quality["rejected"], quality["reasons"]) == (2, 2, 0, [])


def test_quality_json_counts_reasons_files_and_columns(validated, raw_of, source_of):
    raw = raw_of({"price": None, "floor": "x"}, {"price": None}, {}, {}, {"transaction_id": "T4", "energy": None})
    validated(raw, source_of(), limit=0.6)
    quality = lake.read_json(validate.REPORTS / "quality.json")
    assert quality["reasons"] == [
        {"reason": "price: missing", "rows": 2, "share": 0.4},
        {"reason": "duplicate", "rows": 1, "share": 0.2},
        {"reason": "floor: not a number", "rows": 1, "share": 0.2},
    ]
    assert quality["files"] == [{"file": "sales.csv", "rows": 5, "rejected": 3}]
    assert {"column": "energy", "present": 0.8} in quality["columns"]
    assert (quality["rows"], quality["valid"], quality["rejected"], quality["share"]) == (5, 2, 3, 0.6)
    assert (quality["limit"], quality["ok"]) == (0.6, True)


def test_too_many_rejected_sales_stop_the_stage_after_the_reports(validated, raw_of, source_of):
    raw = raw_of({}, {"price": "x", "floor": "x"}, {"price": "x"}, {"price": None})
    with pytest.raises(QualityError) as error:
        validated(raw, source_of())
    assert str(error.value) == (
        "3 of 4 sales (75.0%) break the contract, more than validate.max_rejected_share = 0.5 allows. "
        "Most frequent reasons: price: not a number (2 rows); floor: not a number (1 rows); price: missing (1 rows). "
        "The rows are in data/processed/quarantine; `homei render quality` writes reports/quality/quality.html"
    )
    assert len(lake.read(lake.QUARANTINE)) == 3
    assert lake.read_json(validate.REPORTS / "quality.json")["ok"] is False
    assert not lake.VALID["sales"].exists()


def test_a_source_without_sales_stops_the_stage(validated, raw_of, source_of):
    with pytest.raises(QualityError, match="the source has no sales"):
        validated(raw_of(), source_of())


def test_invalid_places_are_quarantined_with_reasons(validated, raw_of, source_of):
    rows = [
        ("park", "A", "48.1", "11.5"),
        ("park", "B", None, "x"),
        ("park", "C", "95", "11"),
        ("park", None, "1", "2"),
    ]
    validated(raw_of({}), source_of(places=PLACES), rows)
    assert lake.read(lake.VALID_PLACES).to_numpy().tolist() == [["park", "A", 48.1, 11.5], ["park", "", 1.0, 2.0]]
    quarantine = lake.read(lake.QUARANTINE)
    assert quarantine["reasons"].tolist() == [
        "latitude: missing; longitude: not a number",
        "latitude: outside [-90, 90]",
    ]
    assert quarantine["source_line"].tolist() == [3, 4]
    assert lake.read_json(validate.REPORTS / "quality.json")["places"] == [{"kind": "park", "rows": 4, "rejected": 2}]


def test_places_on_a_plane_have_only_declared_limits(validated, raw_of, source_of):
    source = source_of(places=PLACES, coordinates={"system": "plane"})
    validated(raw_of({}), source, [("park", "A", "5000", "-7000")])
    assert len(lake.read(lake.VALID_PLACES)) == 1


def test_the_report_is_rendered_without_rejected_sales(validated, raw_of, source_of):
    validated(raw_of({}, {}), source_of())
    quality_page.run(source_of().city)
    assert "every sale meets the contract" in (validate.REPORTS / "quality.html").read_text()


def test_html_in_cells_is_escaped_in_the_report(validated, raw_of, source_of):
    validated(raw_of({}, {"price": "<script>alert(1)</script>"}), source_of())
    quality_page.run(source_of().city)
    page = (validate.REPORTS / "quality.html").read_text()
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
        "coordinates": {}, "attributes": {"numeric": ["rooms"], "categorical": ["energy"]},
    }  # fmt: skip
    contract = {"required": [], "ranges": {"floor": [0, 60]}}
    return params.source({"city": city, "feeds": {"sales": sales}, "contract": contract})
