"""Tables are byte-stable and swapped in whole."""

import datetime

import pandas as pd
import pytest

from homei import lake


def frame():
    return pd.DataFrame(
        {"place": ["b", "a", None], "price": [2.5, None, 1.0], "day": pd.to_datetime(["2024-01-31"] * 3)}
    )


def test_a_table_reads_back_in_its_stored_order(tmp_path):
    lake.write(frame(), tmp_path / "sales")
    back = lake.read(tmp_path / "sales")
    assert back["place"].tolist() == ["b", "a", None]
    assert lake.read(tmp_path / "sales", ["price"]).columns.tolist() == ["price"]


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        lake.write(frame(), tmp_path / name)
    assert lake.digest(tmp_path / "one") == lake.digest(tmp_path / "two")


def test_a_writer_that_fails_leaves_the_old_table(tmp_path):
    table = tmp_path / "sales"
    lake.write(frame(), table)
    before = lake.digest(table)
    with pytest.raises(RuntimeError), lake.replacing(table) as folder:
        (folder / "part-00000.parquet").write_text("half")
        raise RuntimeError
    assert lake.digest(table) == before
    assert [path.name for path in tmp_path.iterdir()] == ["sales"]


def test_a_killed_writer_does_not_disturb_the_next(tmp_path):
    side = tmp_path / ".sales.writing"
    side.mkdir()
    (side / "part-00000.parquet").write_text("half")
    lake.write(frame(), tmp_path / "sales")
    assert len(lake.read(tmp_path / "sales")) == 3
    assert not side.exists()


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(lake.MissingTableError, match="dvc repro"):
        lake.read(tmp_path / "sales")


def test_a_spark_table_has_stable_names_and_bytes_whatever_the_order_of_its_rows(spark, tmp_path):
    rows = [(f"id{number:03d}", float(number)) for number in range(200)]
    for name, given in (("one", rows), ("two", rows[::-1])):
        lake.write_spark(
            spark.createDataFrame(given, "id string, price double").repartition(3), tmp_path / name, ["id"]
        )
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["part-00000.parquet"]
    assert lake.digest(tmp_path / "one") == lake.digest(tmp_path / "two")
    assert lake.read_spark(spark, tmp_path / "one").count() == 200


def test_a_spark_table_may_lie_year_by_year(spark, tmp_path):
    days = [datetime.date(2024, 5, 1), datetime.date(2023, 1, 1), datetime.date(2024, 2, 1)]
    frame = spark.createDataFrame(zip(days, [24292, 24276, 24289], strict=True), "day date, month int")
    for years_of in ("day", "month"):
        lake.write_spark(frame, tmp_path / years_of, key=["day"], years_of=years_of)
        files = sorted((tmp_path / years_of).rglob("*.parquet"))
        assert [file.parent.name for file in files] == ["year=2023", "year=2024"]
        assert lake.read(tmp_path / years_of)["month"].tolist() == [24276, 24289, 24292]
        assert list(lake.read(tmp_path / years_of)) == ["day", "month"]
        assert lake.read_spark(spark, tmp_path / years_of).where("year = 2024").count() == 2
    lake.write_spark(frame.where("month < 0"), tmp_path / "none", key=["day"], years_of="day")
    assert lake.read(tmp_path / "none").empty


def test_a_digest_moves_with_any_byte_or_name(tmp_path):
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / "a.txt"
    file.write_text("x")
    first = lake.digest(tmp_path / "model")
    file.write_text("y")
    second = lake.digest(tmp_path / "model")
    file.rename(file.with_name("b.txt"))
    assert len({first, second, lake.digest(tmp_path / "model")}) == 3


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        lake.write_json({"mdape": float("nan")}, tmp_path / "metrics.json")
    assert not (tmp_path / "metrics.json").exists()
