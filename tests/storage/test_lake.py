"""Tables have stable bytes and are replaced atomically."""

import datetime

import pandas as pd
import pytest

from homei.storage import lake, spark_tables
from homei.storage.spark_tables import SparkTable


def frame():
    return pd.DataFrame(
        {"place": ["b", "a", None], "price": [2.5, None, 1.0], "day": pd.to_datetime(["2024-01-31"] * 3)}
    )


def test_a_table_keeps_the_order_of_its_rows(tmp_path):
    lake.write(frame(), tmp_path / "sales")
    back = lake.read(tmp_path / "sales")
    assert back["place"].tolist() == ["b", "a", None]
    assert lake.read(tmp_path / "sales", ["price"]).columns.tolist() == ["price"]


def test_equal_rows_are_written_as_equal_bytes(tmp_path):
    for name in ("one", "two"):
        lake.write(frame(), tmp_path / name)
    assert lake.digest(tmp_path / "one") == lake.digest(tmp_path / "two")


def test_a_failed_write_leaves_the_old_table(tmp_path):
    table = tmp_path / "sales"
    lake.write(frame(), table)
    before = lake.digest(table)
    with pytest.raises(RuntimeError), lake.replacing(table) as folder:
        (folder / "part-00000.parquet").write_text("half")
        raise RuntimeError
    assert lake.digest(table) == before
    assert [path.name for path in tmp_path.iterdir()] == ["sales"]


def test_reading_a_missing_table_names_it_and_the_command_to_run(tmp_path):
    with pytest.raises(lake.MissingTableError, match=r"sales does not exist: run `dvc repro`"):
        lake.read(tmp_path / "sales")


def test_a_spark_table_has_the_same_file_names_and_bytes_for_any_order_of_its_rows(spark, workspace, tmp_path):
    prices = [(f"id{number:03d}", float(number)) for number in range(200)]
    for name, rows in (("one", prices), ("two", prices[::-1])):
        frame = spark.createDataFrame(rows, "id string, price double").repartition(3)
        spark_tables.write(SparkTable(frame, tmp_path / name, ["id"]), workspace)
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["part-00000.parquet"]
    assert lake.digest(tmp_path / "one") == lake.digest(tmp_path / "two")
    assert spark_tables.read(spark, tmp_path / "one").count() == 200


def test_a_spark_table_can_be_partitioned_by_year(spark, workspace, tmp_path):
    days = [datetime.date(2024, 5, 1), datetime.date(2023, 1, 1), datetime.date(2024, 2, 1)]
    frame = spark.createDataFrame(zip(days, [24292, 24276, 24289], strict=True), "day date, month int")
    for years_of in ("day", "month"):
        spark_tables.write(SparkTable(frame, tmp_path / years_of, ["day"], years_of), workspace)
        files = sorted((tmp_path / years_of).rglob("*.parquet"))
        assert [file.parent.name for file in files] == ["year=2023", "year=2024"]
        assert lake.read(tmp_path / years_of)["month"].tolist() == [24276, 24289, 24292]
        assert list(lake.read(tmp_path / years_of)) == ["day", "month"]
        assert spark_tables.read(spark, tmp_path / years_of).columns == ["day", "month"]
        assert spark_tables.read(spark, tmp_path / years_of).count() == 3
    spark_tables.write(SparkTable(frame.where("month < 0"), tmp_path / "none", ["day"], "day"), workspace)
    assert lake.read(tmp_path / "none").empty


def test_a_digest_changes_with_any_byte_and_any_name(tmp_path):
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / "a.txt"
    file.write_text("x")
    first = lake.digest(tmp_path / "model")
    file.write_text("y")
    second = lake.digest(tmp_path / "model")
    file.rename(file.with_name("b.txt"))
    assert len({first, second, lake.digest(tmp_path / "model")}) == 3


def test_writing_nan_as_json_fails_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        lake.write_json({"mdape": float("nan")}, tmp_path / "metrics.json")
    assert not (tmp_path / "metrics.json").exists()


def test_a_report_without_rows_has_columns_of_numbers(tmp_path):
    (tmp_path / "slices.csv").write_text("slice,mdape\n")
    assert lake.read_csv(tmp_path / "slices.csv").nlargest(3, "mdape").empty
