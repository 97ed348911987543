"""Snapshots are written as a whole or not at all, whenever a process is killed and whoever else writes or reads."""

import datetime
import functools
import multiprocessing
from pathlib import Path

import pyarrow as pa
import pytest
import tcp_proxy
from hypothesis import given, settings
from hypothesis import strategies as st
from killed_processes import killed_write
from pyspark.sql.types import StructType

from homei.pipeline.lake_cleaning import unused_files
from homei.storage import lake, remote_files, snapshots
from homei.storage.row_digest import ContentSum, content_sum, table_digest, total
from homei.storage.snapshot_writer import NewSnapshot

FORK = multiprocessing.get_context("fork")
TABLE = lake.RESOLVED_SALES
SCHEMA = StructType().add("id", "long").add("word", "string")
TOMORROW = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)


def batch(ids, word):
    """Rows as Spark hands them to a task."""
    return pa.record_batch([pa.array(ids, pa.int64()), pa.array([word] * len(ids), pa.string())], names=["id", "word"])


def write(uri, word, size=20, encryption=None):
    """Writes a table of equal words in two files, as two tasks of Spark and the driver would do it."""
    new = NewSnapshot(TABLE, f"{uri}/{TABLE.as_posix()}", word, encryption)
    parts = [ids for ids in (range(size // 2), range(size // 2, size)) if ids]
    new.commit([new.write_file([batch(ids, word)]) for ids in parts], SCHEMA, ["id"])


def words():
    """The words in the table, after a check that no row is missing."""
    rows = lake.read(TABLE)
    assert rows["id"].tolist() == list(range(20))
    return set(rows["word"])


@pytest.fixture
def uri(tmp_path, monkeypatch):
    """A lake in a folder; the current folder is an empty workspace."""
    (tmp_path / "workspace").mkdir()
    monkeypatch.chdir(tmp_path / "workspace")
    return f"file://{tmp_path}/lake"


@pytest.fixture
def project(uri, monkeypatch):
    """The same as a project without commits whose DVC cache is empty."""
    monkeypatch.setattr("homei.pipeline.lake_cleaning._cache", lambda project: project / "cache")
    monkeypatch.setattr("homei.pipeline.lake_cleaning._git", lambda *_: b"")
    return Path.cwd()


def test_a_table_is_the_old_or_the_new_one_whenever_a_write_is_killed(uri, project):
    seen, step = [], 1
    write(uri, "old")
    before = set(remote_files.find(uri))
    while killed_write(lambda: write(uri, "newer"), step):
        (word,) = words()
        seen.append(word)
        write(uri, "old")
        assert words() == {"old"}
        remote_files.remove(file.uri for file in unused_files(uri, project, TOMORROW))
        assert {file.uri for file in remote_files.find(uri)} == {file.uri for file in before}
        step += 1
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {"old", "newer"}
    assert len(seen) > 30


def test_writers_at_once_never_mix_their_rows(uri):
    writers = [
        FORK.Process(target=lambda word=word: [write(uri, word) for _ in range(8)]) for word in ("one", "three", "one")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert words() in ({"one"}, {"three"})
    manifests = list(remote_files.find(f"{uri}/{TABLE}/snapshots"))
    assert len(manifests) == 2


def test_a_reader_sees_whole_tables_while_others_are_written(uri):
    write(uri, "one")
    writer = FORK.Process(target=lambda: [write(uri, word) for word in ("three", "one") * 10])
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append(words())
    assert writer.exitcode == 0
    assert all(found in ({"one"}, {"three"}) for found in seen)


def test_a_snapshot_that_lost_a_file_is_replaced_by_the_next_write_of_its_rows(uri):
    write(uri, "one")
    receipt = lake.digest(TABLE)
    lost = snapshots.uris(snapshots.read_receipt(TABLE))[0]
    remote_files.remove([lost])
    write(uri, "one")
    assert words() == {"one"}
    assert lake.digest(TABLE) == receipt


def test_the_version_of_a_table_does_not_depend_on_the_address_of_its_lake(uri):
    versions = []
    for place in ("one", "other"):
        write(f"{uri}/{place}", "word")
        versions.append(lake.version(TABLE))
    assert versions[0] == versions[1]
    write(uri, "another word")
    assert lake.version(TABLE) != versions[0]


def test_renamed_columns_are_another_snapshot():
    names = [{"id": "bigint", "word": "string"}, {"id": "bigint", "text": "string"}, {"word": "string", "id": "bigint"}]
    digests = [table_digest(columns, ContentSum(2, 7, 9)) for columns in names]
    assert digests[0] == digests[2] != digests[1]
    found = {snapshots.receipt_of("t", columns, ["id"], 2, digests[0]).snapshot for columns in names}
    assert len(found) == 3


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=5), min_size=1, max_size=5), st.randoms())
def test_the_sums_of_a_table_depend_on_rows_and_not_on_their_order_batches_or_files(groups, random):
    rows = [row for group in groups for row in group]
    random.shuffle(rows)
    in_files = total(content_sum([batch(ids, "a")]) for ids in groups)
    assert in_files == content_sum([batch(ids, "a") for ids in groups]) == content_sum([batch(rows, "a")])


def test_files_that_no_receipt_needs_are_found_once_they_are_old(uri, project):
    write(uri, "one")
    write(uri, "three")
    yesterday = TOMORROW - datetime.timedelta(days=2)
    assert unused_files(uri, project, yesterday) == []
    unused = unused_files(uri, project, TOMORROW)
    assert [Path(file.uri).suffix for file in unused] == [".json", ".parquet", ".parquet"]
    remote_files.remove(file.uri for file in unused)
    assert words() == {"three"}
    assert unused_files(uri, project, TOMORROW) == []


def test_snapshots_that_receipts_in_the_cache_name_are_kept(uri, project):
    write(uri, "one")
    (project / "cache/ab").mkdir(parents=True)
    (project / "cache/ab/cdef").write_bytes((TABLE / snapshots.RECEIPT).read_bytes())
    write(uri, "three")
    assert unused_files(uri, project, TOMORROW) == []


def test_files_of_others_in_the_lake_are_left_alone(uri, project):
    write(uri, "one")
    remote_files.create(b"", f"{uri}/notes/readme.txt")
    assert unused_files(uri, project, TOMORROW) == []


def test_on_s3_the_second_of_two_equal_snapshots_is_not_written(s3, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    uri = f"{s3.url}/lake"
    write(uri, "one")
    receipt, keys = lake.digest(TABLE), s3.keys()
    write(uri, "one")
    assert (lake.digest(TABLE), s3.keys()) == (receipt, keys)
    write(uri, "three")
    assert words() == {"three"}
    assert list(snapshots.differences(snapshots.read_receipt(TABLE))) == []
    assert len(s3.keys()) == 6


def test_on_s3_a_file_is_created_once(s3):
    uri = f"{s3.url}/lake/manifest.json"
    assert remote_files.create(b"one", uri)
    assert not remote_files.create(b"two", uri)
    assert remote_files.read_bytes(uri) == b"one"
    remote_files.write_bytes(b"three", uri)
    assert remote_files.read_bytes(uri) == b"three"
    assert [file.uri for file in remote_files.find(s3.url)] == [uri]
    remote_files.remove([uri, uri])
    assert remote_files.size(uri) is None


@pytest.fixture
def proxy(s3, monkeypatch, tmp_path):
    """A proxy to the S3 server, which a new client uses; the current folder is an empty workspace."""
    monkeypatch.chdir(tmp_path)
    with tcp_proxy.running(s3.server.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setattr(remote_files, "_filesystem", functools.cache(remote_files._filesystem.__wrapped__))
        yield proxy


def test_encryption_is_asked_of_s3_for_each_object(s3, proxy):
    write(f"{s3.url}/lake", "one", encryption="AES256")
    assert len(s3.keys()) == 3
    assert bytes(proxy.sent).lower().count(b"x-amz-server-side-encryption: aes256") == 3


def test_requests_to_s3_whose_connection_is_reset_are_repeated(s3, proxy):
    proxy.resets = 2
    write(f"{s3.url}/lake", "one")
    assert words() == {"one"}
    assert proxy.resets < 0
