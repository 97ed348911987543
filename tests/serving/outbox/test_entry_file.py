"""The outbox's file stores all entries of a write in order, or none of them."""

import os

import pytest

from homei.serving.outbox.entry_file import FILE, RESERVE, RESERVE_BYTES, EntryFile, n_waiting


def entries(*numbers):
    return [f'{{"number": {number}}}'.encode() for number in numbers]


def numbers(batch):
    return [entry["number"] for entry in batch.entries]


def limit_size(file, n_pages):
    """Makes SQLite report a full disk as soon as the file would grow over `n_pages`."""
    file._connection.execute(f"PRAGMA max_page_count = {n_pages}")


def test_a_full_disk_takes_whole_writes_or_none_and_works_again_with_space(tmp_path):
    file = EntryFile(tmp_path)
    file.append(entries(1))
    limit_size(file, file._connection.execute("PRAGMA page_count").fetchone()[0])
    with pytest.raises(OSError, match="full"):
        file.append([*entries(2), b'{"text": "%s"}' % (b"x" * 100_000)])
    assert n_waiting(tmp_path) == 1
    limit_size(file, 1_000_000)
    file.append(entries(2, 3))
    assert numbers(file.oldest_batch()) == [1, 2, 3]


def test_on_a_full_disk_entries_are_delivered_by_the_space_in_reserve(tmp_path, monkeypatch):
    file = EntryFile(tmp_path)
    file.append(entries(1, 2))
    transact = EntryFile._transact

    def transact_with_free_space(file, action):
        if (tmp_path / RESERVE).exists():
            raise OSError(28, "the disk is full")
        return transact(file, action)

    def refuse(*_):
        raise OSError(28, "the disk is full")

    monkeypatch.setattr(EntryFile, "_transact", transact_with_free_space)
    monkeypatch.setattr(os, "posix_fallocate", refuse)
    batch = file.oldest_batch()
    assert numbers(batch) == [1, 2]
    with pytest.raises(OSError, match="the disk is full"):
        file.append(entries(3))  # would take the space that the delivery needs
    file.remove(batch)
    assert n_waiting(tmp_path) == 0
    monkeypatch.undo()
    file.append(entries(3))
    assert (tmp_path / RESERVE).stat().st_size == RESERVE_BYTES


def test_a_file_shrinks_once_its_entries_are_delivered(tmp_path):
    file = EntryFile(tmp_path)
    file.append([b'"%s"' % (b"x" * 1000)] * 3000)
    size = file.n_bytes()
    while batch := file.oldest_batch():
        file.remove(batch)
    assert file.n_bytes() < size / 10


def test_a_disk_that_is_full_at_the_start_leaves_no_file_that_a_later_start_cannot_use(tmp_path):
    (tmp_path / FILE).touch()  # created, and then nothing more could be written
    file = EntryFile(tmp_path)
    file.append(entries(1))
    assert numbers(file.oldest_batch()) == [1]


def test_a_batch_keeps_its_id_and_entries_until_it_is_removed(tmp_path):
    file = EntryFile(tmp_path)
    file.append(entries(1, 2))
    first = file.oldest_batch()
    file.append(entries(3))
    file.close()
    other = EntryFile(tmp_path)
    assert other.oldest_batch() == first
    other.remove(first)
    assert numbers(other.oldest_batch()) == [3]


def test_refused_entries_stay_in_the_file_and_do_not_wait(tmp_path):
    file = EntryFile(tmp_path)
    file.append(entries(1))
    file.set_aside(file.oldest_batch())
    assert (file.oldest_batch(), n_waiting(tmp_path)) == (None, 0)
    assert file._connection.execute("SELECT entry FROM refused").fetchall() == [(entries(1)[0],)]


def test_other_users_cannot_read_the_file(tmp_path):
    EntryFile(tmp_path / "folder").append(entries(1))
    assert (tmp_path / "folder").stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "folder").iterdir()} == {0}


def test_a_file_that_is_no_outbox_is_an_error_that_names_the_problem(tmp_path):
    (tmp_path / FILE).write_bytes(os.urandom(8192))
    with pytest.raises(OSError, match="not a database"):
        EntryFile(tmp_path)
