"""Input files are copied to the lake once, are read there by ranges, and are removed when no run uses them."""

import datetime
import os
from pathlib import Path

import pytest

from homei.pipeline.lake_cleaning import unused_files
from homei.storage import input_files, remote_files
from homei.storage.config import StorageConfig
from homei.storage.input_files import CopyError, input_file, remove_copy

DAY = datetime.timedelta(days=1)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def storage_at(uri, encryption=None):
    return StorageConfig(uri=uri, uri_env=None, encryption=encryption)


@pytest.fixture(params=["folder", "s3"])
def storage(request, tmp_path):
    uri = (tmp_path / "lake").as_uri() if request.param == "folder" else f"{request.getfixturevalue('s3').url}/lake"
    return storage_at(uri)


def test_a_copy_has_the_content_of_the_file_at_any_position_and_its_name(file, storage):
    copy, content = input_file(file, storage), file.read_bytes()
    file.unlink()
    with copy.open() as opened:
        assert opened.read() == content
        opened.seek(70_001)
        assert opened.read(300) == content[70_001:70_301]
    assert (str(copy), copy.name, copy.suffix) == (str(file), "sales.csv", ".csv")


def test_equal_content_is_copied_once(file, storage, monkeypatch):
    first = input_file(file, storage)
    other = file.with_name("again.csv")
    other.write_bytes(file.read_bytes())
    monkeypatch.setattr(input_files, "_upload", lambda *_: pytest.fail("it is there already"))
    assert input_file(other, storage).uri == first.uri


def test_an_incomplete_copy_is_written_again(file, storage):
    copy = input_file(file, storage)
    remote_files.write_bytes(b"incomplete", copy.uri)
    with input_file(file, storage).open() as opened:
        assert opened.read() == file.read_bytes()


def test_a_removed_copy_is_an_error_that_is_not_taken_for_a_broken_file(file, storage):
    copy = input_file(file, storage)
    remove_copy(copy)
    assert list(remote_files.find(storage.location())) == []
    with pytest.raises(CopyError, match=r"can't be read .*repeat the stage"), copy.open() as opened:
        opened.read()
    assert not issubclass(CopyError, OSError)


def test_a_file_that_changes_while_it_is_copied_has_no_copy(file, tmp_path, monkeypatch):
    storage, upload = storage_at((tmp_path / "lake").as_uri()), input_files._upload

    def changing(path, uri, encryption):
        path.write_bytes(b"other")
        upload(path, uri, encryption)

    monkeypatch.setattr(input_files, "_upload", changing)
    with pytest.raises(CopyError, match=r"sales\.csv: can't be copied to .*changed meanwhile"):
        input_file(file, storage)
    assert not [found for found in remote_files.find(storage.location()) if found.uri.endswith("content")]


def test_a_file_is_not_copied_without_a_lake_for_it(file):
    assert (input_file(file, None).uri, input_file(file, None).open().read()) == (None, file.read_bytes())


def test_cleaning_removes_copies_that_were_not_used_lately(file, tmp_path, monkeypatch):
    monkeypatch.setattr("homei.pipeline.lake_cleaning._cache", lambda project: project / "cache")
    storage = storage_at((tmp_path / "lake").as_uri())
    copy, now = input_file(file, storage), datetime.datetime.now(datetime.UTC)
    written = Path(copy.uri.removeprefix("file://"))

    def unused():
        return [found.uri for found in unused_files(storage.location(), tmp_path, now - DAY, ignores_history=True)]

    assert unused() == []
    for path in written.parent.iterdir():
        os.utime(path, (0, 0))
    assert unused() == [copy.uri, f"{copy.uri.removesuffix('content')}used"]
    input_file(file, storage)
    assert unused() == []
