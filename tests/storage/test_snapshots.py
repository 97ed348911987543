"""Tables of an external lake; costs about 12 CPU seconds beside the shared Spark session."""

from pathlib import Path

import pytest

from homei.storage import lake, snapshots, spark_tables
from homei.storage.config import LakeError, StorageConfig
from homei.storage.spark_tables import SparkTable

TABLE = lake.TRAINING_SET


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A lake in a folder outside the workspace, which is the current folder."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    monkeypatch.chdir(workspace)
    return StorageConfig(uri=f"file://{tmp_path}/lake", uri_env=None, encryption=None)


@pytest.fixture
def sales(spark):
    """A frame of so many sales, in so many partitions and from the first or the last."""

    def make(size=300, partitions=3, is_reversed=False):
        number = f"{size - 1} - id" if is_reversed else "id"
        rows = spark.range(0, size, 1, partitions).selectExpr(f"{number} as number")
        text = "format_string('s%04d', number) as id"
        return rows.selectExpr(text, "double(number) as price", "if(number % 7 = 0, 'x', null) as note")

    return make


def write(frame, config):
    spark_tables.write(SparkTable(frame, TABLE, ["id"]), config)
    return snapshots.read_receipt(TABLE)


def stored(folder, name):
    root = folder.uri.removeprefix("file://")
    return sorted(Path(root, TABLE, name).rglob("*"))


def test_an_external_table_is_read_through_its_receipt(spark, folder, sales):
    receipt = write(sales(), folder)
    assert [path.name for path in TABLE.iterdir()] == ["receipt.json"]
    assert receipt.rows == 300
    assert receipt.columns == {"id": "string", "price": "double", "note": "string"}
    assert spark_tables.read(spark, TABLE).count() == 300
    rows = lake.read(TABLE, ["id", "price"])
    assert rows["price"].tolist() == list(range(300))
    assert lake.scan(TABLE).count_rows() == 300
    assert spark_tables.digest(spark_tables.read(spark, TABLE)) == receipt.digest


def test_equal_rows_give_the_same_receipt_and_keep_the_first_snapshot(folder, sales):
    write(sales(), folder)
    before, files = lake.digest(TABLE), stored(folder, "files")
    write(sales(partitions=5, is_reversed=True), folder)
    assert lake.digest(TABLE) == before
    assert [path for path in stored(folder, "files") if path.is_file()] == [path for path in files if path.is_file()]


@pytest.mark.parametrize(
    "change",
    [
        "update", "null in another column", "one row less", "one row twice",
    ],
)  # fmt: skip
def test_other_rows_have_another_digest(spark, change):
    rows = [("a", None, 1.0), ("b", "x", 2.0)]
    other = {
        "update": [("a", None, 1.5), rows[1]],
        "null in another column": [(None, "a", 1.0), rows[1]],
        "one row less": rows[:1],
        "one row twice": [*rows, rows[1]],
    }[change]
    schema = "one string, two string, three double"
    assert spark_tables.digest(spark.createDataFrame(rows, schema)) != spark_tables.digest(
        spark.createDataFrame(other, schema)
    )


def test_a_table_without_rows_keeps_its_columns(spark, folder, sales):
    assert write(sales(size=0), folder).rows == 0
    assert spark_tables.read(spark, TABLE).columns == ["id", "price", "note"]
    assert lake.read(TABLE).columns.tolist() == ["id", "price", "note"]


def test_an_older_snapshot_is_readable_after_a_newer_one_was_written(spark, folder, sales):
    older = write(sales(), folder)
    frame = spark_tables.read(spark, TABLE)
    write(sales(size=50), folder)
    assert frame.count() == 300
    assert sum(file.rows for file in snapshots.data_files(older)) == 300


def test_a_write_that_fails_leaves_the_table_and_no_manifest(folder, sales, monkeypatch):
    write(sales(), folder)
    before, manifests = lake.digest(TABLE), stored(folder, "snapshots")
    monkeypatch.setattr(snapshots.remote_files, "create", lambda *_: (_ for _ in ()).throw(OSError("no connection")))
    with pytest.raises(OSError, match="no connection"):
        write(sales(size=20), folder)
    assert lake.digest(TABLE) == before
    assert stored(folder, "snapshots") == manifests


def test_a_put_that_is_repeated_after_a_lost_response_keeps_its_files(folder, sales, monkeypatch):
    create = snapshots.remote_files.create

    def twice(*arguments):
        create(*arguments)
        return create(*arguments)

    monkeypatch.setattr(snapshots.remote_files, "create", twice)
    write(sales(), folder)
    assert lake.scan(TABLE).count_rows() == 300


def test_a_damaged_or_missing_file_is_named(folder, sales):
    receipt = write(sales(partitions=2), folder)
    assert list(snapshots.differences(receipt)) == []
    first, second = (path for path in stored(folder, "files") if path.is_file())
    first.write_bytes(first.read_bytes()[:-1] + b"?")
    second.unlink()
    found = list(snapshots.differences(receipt))
    assert any("does not exist" in sentence for sentence in found)
    assert any("differs from its hash" in sentence for sentence in found)


def test_a_lost_snapshot_names_the_command_that_builds_it_again(folder, sales):
    write(sales(), folder)
    for path in stored(folder, "snapshots"):
        path.unlink()
    with pytest.raises(lake.MissingTableError, match="dvc repro --force"):
        lake.read(TABLE)


def test_a_table_that_does_not_fit_into_memory_is_refused(folder, sales, monkeypatch):
    write(sales(), folder)
    monkeypatch.setattr(lake, "MAX_ROWS_IN_MEMORY", 100)
    with pytest.raises(lake.SnapshotError, match="300 rows"):
        lake.read(TABLE)


def test_a_sample_of_a_large_table_has_the_rows_of_a_smaller_share_of_it(folder, sales):
    write(sales(), folder)
    whole, half, fifth = (lake.sample(TABLE, "note", max_rows) for max_rows in (300, 150, 60))
    assert whole.equals(lake.read(TABLE))
    assert 100 < len(half) < 200
    assert 30 < len(fifth) < 90
    assert set(fifth["id"]) < set(half["id"])
    assert half["id"].is_monotonic_increasing
    assert lake.n_rows(TABLE) == 300


@pytest.mark.parametrize(
    ("uri", "message"),
    [(None, "HOMEI_LAKE is not set"), ("gs://x", "is not a URI of S3"), ("s3:///x", "is not a URI of S3")],
)
def test_a_lake_without_a_usable_address_is_refused(uri, message, monkeypatch):
    monkeypatch.delenv("HOMEI_LAKE", raising=False)
    with pytest.raises(LakeError, match=message):
        StorageConfig(uri=uri, uri_env="HOMEI_LAKE", encryption=None).location()
