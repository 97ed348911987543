"""The trail's writer: nothing is lost, nothing comes twice, all stays in order, whatever becomes of the warehouse."""

import contextlib
import time

import pytest
from sqlalchemy import func, select

from homei.config import Publish
from homei.serve.audit import chain, head, trail
from homei.serve.audit.spill import Spill
from homei.serve.audit.trail import Trail
from homei.serve.files import TakenError
from homei.warehouse.connection import connect, reading, writing
from homei.warehouse.schema import migrate
from homei.warehouse.tables import audit

ADDRESS = "HOMEI_TEST_WAREHOUSE"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(trail, "PATIENCE_MS", 50)


@pytest.fixture
def where(tmp_path):
    return Publish(address=ADDRESS, file=str(tmp_path / "warehouse.db"))


@pytest.fixture
def engine(where):
    found = connect(where)
    migrate(found)
    yield found
    found.dispose()


@contextlib.contextmanager
def running(where, folder, retry=0.05):
    writer = Trail(connect(where), folder, pause=0.02, retry=retry)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


def say(writer, *names):
    for name in names:
        writer.record("partner", name, "ok")


def actions(engine):
    with reading(engine) as connection:
        return list(connection.execute(select(audit.c.action).order_by(audit.c.number)).scalars())


def said(engine):
    return [action for action in actions(engine) if not action.startswith(("service.", "audit."))]


def verdict(engine, folder):
    with reading(engine) as connection:
        return chain.verify(chain.stored(connection), head.read(folder))


def until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)


def test_lines_are_there_after_a_stop_in_order_and_chained(where, engine, tmp_path):
    names = [f"GET /{number}" for number in range(3000)]
    with running(where, tmp_path / "apart") as writer:
        say(writer, *names)
    assert actions(engine) == ["service.start", *names, "service.stop"]
    assert verdict(engine, tmp_path / "apart").fault is None
    assert head.read(tmp_path / "apart").number == 3002


def test_lines_wait_on_the_disk_while_another_one_writes_and_come_later_in_order(where, engine, tmp_path):
    folder = tmp_path / "apart"
    with running(where, folder) as writer:
        say(writer, "first")
        until(lambda: "first" in actions(engine))
        with writing(engine):
            say(writer, "second")
            until(lambda: len(Spill(folder)) == 1)
            say(writer, "third")
            until(lambda: len(Spill(folder)) == 2)
        say(writer, "fourth")
        until(lambda: "fourth" in actions(engine))
    assert said(engine) == ["first", "second", "third", "fourth"]
    assert not Spill(folder)
    assert verdict(engine, folder).fault is None


def test_lines_that_no_warehouse_took_before_the_end_are_there_after_the_next_start(where, engine, tmp_path):
    folder = tmp_path / "apart"
    with writing(engine), running(where, folder) as writer:
        say(writer, "before")
    assert actions(engine) == []
    with running(where, folder) as writer:
        say(writer, "after")
    assert said(engine) == ["before", "after"]
    assert verdict(engine, folder).fault is None


def test_a_spill_that_was_appended_but_not_removed_is_not_appended_twice(where, engine, tmp_path):
    folder = tmp_path / "apart"
    with writing(engine), running(where, folder) as writer:
        say(writer, "once")
    kept = Spill(folder).file.read_bytes()
    with running(where, folder):
        pass
    Spill(folder).file.write_bytes(kept)
    with running(where, folder):
        pass
    assert said(engine) == ["once"]


def test_a_line_that_a_crash_cut_short_is_counted(where, engine, tmp_path):
    folder = tmp_path / "apart"
    with writing(engine), running(where, folder) as writer:
        say(writer, "whole", "torn")
    whole = Spill(folder).file.read_text().splitlines(keepends=True)
    Spill(folder).file.write_text("".join(whole[:-2]) + whole[-2][:30])
    with running(where, folder):
        pass
    assert said(engine) == ["whole"]
    with reading(engine) as connection:
        found = connection.execute(
            select(audit.c.outcome, audit.c.details).where(audit.c.action == "audit.replay")
        ).one()
    assert found.outcome == "incomplete"
    assert (found.details["lines"], found.details["torn"]) == (2, 1)


def test_where_nothing_can_be_written_lines_stay_in_memory_and_it_shows(where, engine, tmp_path, monkeypatch):
    monkeypatch.setattr(trail, "MOST_WAITING", 3)
    writer = Trail(connect(where), tmp_path / "apart")
    monkeypatch.setattr(writer.spill, "add", refuse)
    with writing(engine):
        say(writer, "one", "two")
        writer._writer.flush()
        assert not writer.is_full
        say(writer, "three")
        assert writer.is_full
    writer._failed_at = None
    writer._writer.flush()
    assert said(engine) == ["one", "two", "three"]


def refuse(*_):
    raise OSError(28, "no space left")


def test_a_head_does_not_move_over_a_trail_that_was_cut(where, engine, tmp_path):
    folder = tmp_path / "apart"
    with running(where, folder) as writer:
        say(writer, "one", "two")
    kept = head.read(folder)
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_keeps_delete")
        connection.execute(audit.delete().where(audit.c.number > 2))
    assert verdict(engine, folder).fault == f"line 3 is missing: {kept.number - 2} lines were cut off the end"
    with running(where, folder) as writer:
        say(writer, *map(str, range(20)))
    assert head.read(folder) == kept
    assert verdict(engine, folder).fault.startswith("line 4 is not the one whose hash was kept apart")


def test_the_warehouse_itself_refuses_to_change_or_remove_lines(where, engine, tmp_path):
    with running(where, tmp_path / "apart"):
        pass
    for change in (audit.update().values(actor="nobody"), audit.delete()):
        with pytest.raises(RuntimeError, match="never changed or removed"), writing(engine) as connection:
            connection.execute(change)


def test_two_services_do_not_share_a_folder(where, engine, tmp_path):
    with running(where, tmp_path / "apart"), pytest.raises(TakenError, match="HOMEI_AUDIT"):
        Trail(connect(where), tmp_path / "apart").start()


def test_two_services_with_folders_of_their_own_share_one_chain(where, engine, tmp_path):
    with running(where, tmp_path / "a") as one, running(where, tmp_path / "b") as other:
        for number in range(50):
            say(one if number % 2 else other, str(number))
            time.sleep(0.002)
    assert len(said(engine)) == 50
    assert verdict(engine, tmp_path / "a").fault is verdict(engine, tmp_path / "b").fault is None


def test_a_postgresql_that_is_killed_and_comes_back_gets_every_line_in_order(where, tmp_path, monkeypatch, postgresql):
    folder = tmp_path / "apart"
    with postgresql() as server:
        monkeypatch.setenv(ADDRESS, server.url)
        engine = connect(where)
        migrate(engine)
        with running(where, folder) as writer:
            for number in range(300):
                if number == 100:
                    server.stop()
                if number == 200:
                    until(lambda: len(Spill(folder)) > 0)
                    server.start()
                say(writer, str(number))
                time.sleep(0.001)
            until(lambda: not Spill(folder))
        assert said(engine) == [str(number) for number in range(300)]
        assert verdict(engine, folder).fault is None
        with reading(engine) as connection:
            assert connection.execute(select(func.count()).where(audit.c.action == "audit.replay")).scalar_one() >= 1
        engine.dispose()
