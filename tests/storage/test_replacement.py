"""A folder or file is replaced as a whole, whenever a process is killed and whoever else writes."""

import multiprocessing

import pytest
from killed_processes import killed_write

from homei.storage import lake

FORK = multiprocessing.get_context("fork")


def fill(folder, word):
    with lake.replacing(folder) as new:
        for name in ("a", "b"):
            (new / name).write_text(word)


def words(folder):
    lake.existing(folder)
    return {(folder / name).read_text() for name in ("a", "b")}


def test_a_folder_is_the_old_or_the_new_one_whenever_a_write_is_killed(tmp_path):
    folder, seen, step = tmp_path / "sales", [], 1
    fill(folder, "old")
    while killed_write(lambda: fill(folder, "new"), step):
        (word,) = words(folder)
        seen.append(word)
        fill(folder, "old")
        assert words(folder) == {"old"}
        assert {path.name for path in tmp_path.iterdir()} <= {"sales"}
        step += 1
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {"old", "new"}
    assert len(seen) > 15


def test_a_file_is_the_old_or_the_new_one_whenever_a_write_is_killed(tmp_path):
    file, seen, step = tmp_path / "quality.json", [], 1
    lake.write_text("old", file)
    while killed_write(lambda: lake.write_text("new", file), step):
        seen.append(file.read_text())
        lake.write_text("old", file)
        assert [path.name for path in tmp_path.iterdir()] == ["quality.json"]
        step += 1
    assert set(seen) == {"old", "new"}


def test_an_old_folder_is_restored_when_it_is_read(tmp_path):
    fill(tmp_path / ".sales.replaced", "old")
    assert words(tmp_path / "sales") == {"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["sales"]


def test_an_old_folder_beside_the_new_one_is_removed_when_it_is_read(tmp_path):
    fill(tmp_path / ".sales.replaced", "old")
    fill(tmp_path / "copy", "new")
    (tmp_path / "copy").rename(tmp_path / "sales")
    assert words(tmp_path / "sales") == {"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["sales"]


def test_two_writers_at_once_leave_the_folder_of_one_of_them(tmp_path):
    folder = tmp_path / "sales"
    writers = [
        FORK.Process(target=lambda word=word: [fill(folder, word) for _ in range(30)]) for word in ("one", "two")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert words(folder) in ({"one"}, {"two"})
    assert [path.name for path in tmp_path.iterdir()] == ["sales"]


def test_two_writers_at_once_leave_the_file_of_one_of_them(tmp_path):
    page = tmp_path / "page.html"
    writers = [
        FORK.Process(target=lambda letter=letter: [lake.write_text(letter * 100_000, page) for _ in range(30)])
        for letter in "ab"
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert page.read_text() in ("a" * 100_000, "b" * 100_000)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_what_another_process_still_writes_is_not_removed(tmp_path):
    with lake.replacing(tmp_path / "sales") as first:
        (first / "a").write_text("first")
        fill(tmp_path / "sales", "second")
        (first / "b").write_text("first")
    assert words(tmp_path / "sales") == {"first"}


def test_a_folder_can_be_replaced_inside_one_that_is_being_written(tmp_path):
    with lake.replacing(tmp_path / "world") as world:
        fill(world / "sales", "inner")
    assert words(tmp_path / "world/sales") == {"inner"}


def test_a_lock_is_held_by_one_process_at_a_time(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count():
        for _ in range(50):
            with lake.locked(tmp_path / "landing"):
                counter.write_text(str(int(counter.read_text()) + 1))

    processes = [FORK.Process(target=count) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert counter.read_text() == "100"


@pytest.mark.parametrize("name", ["a[b]", "*", "Größe"])
def test_a_name_may_have_any_letters(tmp_path, name):
    fill(tmp_path / name, "x")
    fill(tmp_path / name, "y")
    assert words(tmp_path / name) == {"y"}
