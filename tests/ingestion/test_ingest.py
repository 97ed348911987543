"""The stage `ingest`: a source's rows in the lake, each with its file and line."""

import gzip
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from homei.config.params import ParamsError
from homei.ingestion import ingest
from homei.ingestion.connectors.text_rows import SourceError
from homei.storage import lake

COLUMNS = {
    "sale_date": "date", "price": "price", "square_meters": "area", "property_type": "type", "location": "town",
}  # fmt: skip
HEADER = "date,price,area,type,town"


def write(name, *lines):
    path = Path("data") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def test_rows_of_all_files_are_in_order_under_canonical_names(source_of):
    write("b.csv", HEADER, "2024-01-02,1,50,flat,East")
    write("a.csv", HEADER + ",more", "2024-01-01,2,60,flat,West,x", "", "2024-01-03,3,70,house,West,y")
    ingest.run("sales", *source_of({"files": ["b.csv", "*.csv"]})[:2])
    raw = lake.read(lake.RAW["sales"])
    assert raw["price"].tolist() == ["2", "3", "1"]
    assert list(zip(raw["source_file"], raw["source_line"], strict=True)) == [("a.csv", 2), ("a.csv", 4), ("b.csv", 2)]


def test_files_are_read_in_the_order_of_patterns(source_of):
    for name, price in (("corrections.csv", 3), ("deeds-2.csv", 2), ("deeds-1.csv", 1)):
        write(name, HEADER, f"2024-01-02,{price},50,flat,East")
    for patterns in (["deeds-*.csv", "corrections.csv"], ["*.csv", "corrections.csv"]):
        ingest.run("sales", *source_of({"files": patterns})[:2])
        assert lake.read(lake.RAW["sales"])["price"].tolist() == ["1", "2", "3"]


def ids_by_price(source):
    ingest.run("sales", *source[:2])
    raw = lake.read(lake.RAW["sales"])
    return raw.groupby("price")["transaction_id"].agg(sorted).to_dict()


def test_ids_come_from_the_content_whatever_the_order_of_rows_columns_and_files(source_of):
    rows = ["2024-01-02,1,50,flat,East", "2024-01-03,2,60,flat,West", "2024-01-02,1,50,flat,East"]
    write("a.csv", HEADER, *rows)
    first = ids_by_price(source_of({"files": ["*.csv"]}))
    (once,), (other,) = {name.partition("-")[0] for name in first["1"]}, first["2"]
    assert first["1"] == [once, f"{once}-2"]
    assert once != other
    write("a.csv", f"note,{HEADER}", *(f"x,{row}" for row in rows[:2]))
    write("0.csv", HEADER, rows[2].replace("East", " East "))
    reordered = dict(reversed(COLUMNS.items()))
    assert ids_by_price(source_of({"files": ["*.csv"], "columns": reordered})) == first


def test_a_lookup_file_does_not_change_ids(source_of):
    write("sales.csv", HEADER, "2024-01-02,1,50,flat,East")
    lookup = {"file": "where.csv", "key": "town", "template": "{town}"}
    source = source_of({"columns": {**COLUMNS, "latitude": {"lookup": "lat"}}, "lookup": lookup})
    ids = []
    for latitude in (48, 49):
        write("where.csv", "town,lat", f"East,{latitude}")
        ids.append(ids_by_price(source))
    assert ids[0] == ids[1]


def test_deeds_and_marks_of_deleted_records_are_kept_beside_the_mapped_columns(source_of):
    write("sales.csv", HEADER + ",act,status", "2024-01-02,1,50,flat,East,A1, D ", "2024-01-02,1,60,flat,East,A1,C")
    ingest.run("sales", *source_of({"deed": "act", "deleted": {"column": "status", "values": ["D"]}})[:2])
    raw = lake.read(lake.RAW["sales"])
    assert raw["source_deed"].tolist() == ["A1", "A1"]
    assert raw["source_deleted"].tolist() == ["status = D", None]


def test_any_value_of_a_column_can_mark_a_deleted_record(source_of):
    write("sales.csv", HEADER + ",deleted_at", "2024-01-02,1,50,flat,East,2024-02-01", "2024-01-02,1,60,flat,East,")
    ingest.run("sales", *source_of({"deleted": {"column": "deleted_at"}})[:2])
    assert lake.read(lake.RAW["sales"])["source_deleted"].tolist() == ["deleted_at = 2024-02-01", None]


def test_a_sources_own_ids_are_not_changed(source_of):
    write("sales.csv", HEADER + ",id", "2024-01-02,1,50,flat,East,007")
    ingest.run("sales", *source_of({"columns": {**COLUMNS, "transaction_id": "id"}})[:2])
    assert lake.read(lake.RAW["sales"])["transaction_id"].tolist() == ["007"]


@pytest.mark.parametrize(
    ("parts", "remedy"),
    [
        ({"simulated": ["town"]}, "run `homei simulate`"),
        ({}, "run `homei fetch town`, or correct its name or city.folder in params/city/town.yaml"),
    ],
)
def test_a_missing_file_is_an_error_with_a_remedy(source_of, parts, remedy):
    with pytest.raises(SourceError, match=rf"data/sales\.csv: no such file: .*{remedy}"):
        ingest.run("sales", *source_of(**parts)[:2])


def test_lock_files_and_incomplete_downloads_are_ignored(source_of):
    write("~$sales.csv", "lock")
    write("sales.csv.part", "half")
    with pytest.raises(SourceError, match="no such file"):
        ingest.run("sales", *source_of({"files": ["*"]})[:2])


@pytest.mark.parametrize("lock", ["~$b.xlsx", ".~lock.b.xlsx#"])
def test_a_file_open_in_another_program_is_left_for_the_next_run(source_of, capsys, lock):
    write("a.csv", HEADER, "2024-01-02,1,50,flat,East")
    write(lock, "someone")
    pd.DataFrame([["2024-01-03", 2, 60, "flat", "West"]], columns=HEADER.split(",")).to_excel(
        "data/b.xlsx", index=False
    )
    source = source_of({"files": ["*"]})
    ingest.run("sales", *source[:2])
    raw = lake.read(lake.RAW["sales"])
    assert raw["price"].tolist() == ["1", None]
    assert raw.loc[1, ["source_file", "source_line", "source_fault"]].tolist() == [
        "b.xlsx",
        0,
        "file: data/b.xlsx: is open in another program",
    ]
    assert "data/b.xlsx: is open in another program; the file is left for the next run" in capsys.readouterr().err
    (Path("data") / lock).unlink()
    ingest.run("sales", *source[:2])
    assert lake.read(lake.RAW["sales"])["price"].tolist() == ["1", "2"]


def test_a_truncated_file_is_skipped_unless_it_is_the_only_one(source_of):
    whole = gzip.compress("\n".join([HEADER, *["2024-01-02,1,50,flat,East"] * 300]).encode())
    (Path("data") / "a.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(SourceError, match=r"data/a\.csv\.gz: can't be read as csv"):
        ingest.run("sales", *source_of({"files": ["*"]})[:2])
    write("b.csv", HEADER, "2024-01-02,2,50,flat,East")
    ingest.run("sales", *source_of({"files": ["*"]})[:2])
    assert lake.read(lake.RAW["sales"])["price"].tolist() == [None, "2"]
    (Path("data") / "a.csv.gz").write_bytes(whole)
    ingest.run("sales", *source_of({"files": ["*"]})[:2])
    assert lake.read(lake.RAW["sales"])["price"].tolist() == [*["1"] * 300, "2"]


def test_rows_of_a_zip_name_the_file_in_it(source_of):
    with zipfile.ZipFile("data/deeds.zip", "w") as packed:
        packed.writestr("may.csv", f"{HEADER}\n2024-05-02,1,50,flat,East\n")
        packed.writestr("june.csv", f"{HEADER}\n2024-06-02,2,50,flat,East\n")
    ingest.run("sales", *source_of({"files": ["*.zip"]})[:2])
    raw = lake.read(lake.RAW["sales"])
    assert raw["source_file"].tolist() == ["deeds.zip/june.csv", "deeds.zip/may.csv"]


def test_a_missing_optional_lookup_warns_and_leaves_nulls(source_of, capsys):
    write("sales.csv", HEADER, "2024-01-02,1,50,flat,East")
    lookup = {"file": "where.csv", "key": "town", "template": "{town}"}
    sales = {"columns": {**COLUMNS, "latitude": {"lookup": "lat"}}, "lookup": lookup}
    ingest.run("sales", *source_of(sales)[:2])
    assert lake.read(lake.RAW["sales"])["latitude"].tolist() == [None]
    assert capsys.readouterr().err == "homei: data/where.csv: no such file; continuing without it\n"
    with pytest.raises(SourceError, match=r"data/where\.csv: no such file"):
        ingest.run("sales", *source_of({**sales, "lookup": {**lookup, "required": True}})[:2])


def test_places_have_the_kind_that_the_source_declares(source_of, capsys):
    write("parks.csv", "id;Y;X", "1;1.5;2.5")
    write("stations.csv", "n,lat,lon", "Main,1,2", "West,3,")
    places = [
        {"kind": "station", "file": "stations.csv", "name": "n", "latitude": "lat", "longitude": "lon"},
        {"kind": "park", "file": "parks.csv", "name": "id", "latitude": "Y", "longitude": "X", "delimiter": ";"},
        {"kind": "mall", "file": "malls.csv", "name": "n", "latitude": "lat", "longitude": "lon"},
    ]
    ingest.run("places", *source_of(places=places)[:2])
    raw = lake.read(lake.RAW["places"])
    assert raw[["kind", "name", "latitude", "longitude"]].to_numpy().tolist() == [
        ["station", "Main", "1", "2"],
        ["station", "West", "3", None],
        ["park", "1", "1.5", "2.5"],
    ]
    assert raw["source_line"].tolist() == [2, 3, 2]
    assert "malls.csv: no such file" in capsys.readouterr().err


def test_a_source_without_places_has_an_empty_table(source_of):
    ingest.run("places", *source_of()[:2])
    raw = lake.read(lake.RAW["places"])
    assert raw.empty
    assert list(raw) == [*ingest.PLACE_COLUMNS, "source_file", "source_line", "source_fault"]


def test_an_extra_column_may_not_have_the_name_of_another(source_of):
    with pytest.raises(ParamsError, match=r"city\.attributes: price is the name of another column already"):
        source_of(attributes={"numeric": ["price"]})


def test_a_second_run_writes_the_same_bytes(source_of):
    write("sales.csv", HEADER, "2024-01-02,1,50,flat,East")
    ingest.run("sales", *source_of()[:2])
    before = lake.digest(lake.RAW["sales"])
    ingest.run("sales", *source_of()[:2])
    assert lake.digest(lake.RAW["sales"]) == before


def test_rows_that_are_no_sales_are_marked(source_of, capsys):
    header = f"{HEADER},nature,status"
    rows = [
        "2024-01-02,1,50,flat,East,Vente,",
        "2024-01-02,2,50,flat,East, Échange,A",
        "2024-01-02,3,50,flat,East,Vente,D",
    ]
    write("sales.csv", header, *rows)
    exclude = {"status": ["D", "X"]}
    ingest.run("sales", *source_of({"include": {"nature": ["Vente", "Adjudication"]}, "exclude": exclude})[:2])
    raw = lake.read(lake.RAW["sales"])
    assert raw["source_excluded"].tolist() == [None, "nature = Échange", "status = D"]
    assert capsys.readouterr().err == "homei: feed main: exclude.status: no row has X\n"
    ingest.run("sales", *source_of({"exclude": {"status": [""]}})[:2])
    assert lake.read(lake.RAW["sales"])["source_excluded"].tolist() == ["status = ", None, None]
    with pytest.raises(SourceError, match="has no column 'state' \\(for exclude\\)"):
        ingest.run("sales", *source_of({"exclude": {"state": ["D"]}})[:2])
