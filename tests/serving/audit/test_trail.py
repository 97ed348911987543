"""The audit trail loses, repeats and reorders no entry, whatever happens to the warehouse."""

import contextlib
import time
from pathlib import Path

import pytest
import warehouses
from sqlalchemy import select

from homei.serving.audit import chain, trail
from homei.serving.audit.head_file import HeadFile
from homei.serving.audit.trail import AuditTrail
from homei.serving.outbox import outbox
from homei.serving.outbox.entry_file import FILE, EntryFile, n_waiting
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect, reading, writing
from homei.warehouse.schema import migrate
from homei.warehouse.sessions import Warehouse
from homei.warehouse.tables import audit

ADDRESS = "HOMEI_TEST_WAREHOUSE"


@pytest.fixture
def publish(tmp_path):
    return PublishConfig(address=ADDRESS, file=str(tmp_path / "warehouse.db"))


@pytest.fixture
def engine(publish):
    warehouses.migrated_file(Path(publish.file))
    created = connect(publish)
    yield created
    created.dispose()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "audit"


def new_trail(publish, folder):
    return AuditTrail(Warehouse(publish, connections=1, seconds=1), folder, 0.02, retry_seconds=0.05)


@contextlib.contextmanager
def running(publish, folder):
    running_trail = new_trail(publish, folder)
    running_trail.start()
    try:
        yield running_trail
    finally:
        running_trail.stop()


def record(running_trail, *actions):
    for action in actions:
        running_trail.record("partner", action, "ok")


def stored_actions(engine):
    with reading(engine) as connection:
        return list(connection.execute(select(audit.c.action).order_by(audit.c.number)).scalars())


def client_actions(engine):
    return [action for action in stored_actions(engine) if not action.startswith(("service.", "audit."))]


def verify(engine, folder):
    with reading(engine) as connection:
        return chain.verify(chain.read_rows(connection), HeadFile(folder).read())


def full_disk(*_):
    raise OSError(28, "no space left")


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.02)


def test_entries_are_stored_in_order_and_chained_after_a_stop(publish, engine, folder):
    actions = [f"GET /{number}" for number in range(3000)]
    with running(publish, folder) as running_trail:
        record(running_trail, *actions)
    assert stored_actions(engine) == ["service.start", *actions, "service.stop"]
    assert verify(engine, folder).fault is None
    assert HeadFile(folder).read().number == 3002


def test_entries_wait_on_disk_while_another_writer_holds_the_warehouse(publish, engine, folder):
    with running(publish, folder) as running_trail:
        record(running_trail, "first")
        wait_until(lambda: "first" in stored_actions(engine))
        with writing(engine):
            record(running_trail, "second")
            wait_until(lambda: n_waiting(folder) == 1)
            record(running_trail, "third")
            wait_until(lambda: n_waiting(folder) == 2)
        record(running_trail, "fourth")
        wait_until(lambda: "fourth" in stored_actions(engine))
    assert client_actions(engine) == ["first", "second", "third", "fourth"]
    assert n_waiting(folder) == 0
    assert verify(engine, folder).fault is None


def test_entries_that_could_not_be_stored_before_a_stop_are_stored_after_the_next_start(publish, engine, folder):
    with writing(engine), running(publish, folder) as running_trail:
        record(running_trail, "before")
    assert stored_actions(engine) == []
    with running(publish, folder) as running_trail:
        record(running_trail, "after")
    assert client_actions(engine) == ["before", "after"]
    assert verify(engine, folder).fault is None


def test_a_batch_that_was_stored_but_not_removed_is_not_stored_twice(publish, engine, folder):
    with writing(engine), running(publish, folder) as running_trail:
        record(running_trail, "once")
    content = (folder / FILE).read_bytes()
    for _ in range(2):
        (folder / FILE).write_bytes(content)
        with running(publish, folder):
            pass
    assert client_actions(engine) == ["once"]
    assert verify(engine, folder).fault is None


def test_entries_stay_in_memory_while_the_disk_refuses_them_until_the_trail_is_full(
    publish, engine, folder, monkeypatch
):
    monkeypatch.setattr(trail, "MAX_QUEUED", 4)
    monkeypatch.setattr(outbox, "DISK_RETRY_SECONDS", 0.05)
    with running(publish, folder) as running_trail:
        wait_until(lambda: "service.start" in stored_actions(engine))
        monkeypatch.setattr(EntryFile, "append", full_disk)
        record(running_trail, "one", "two", "three")
        assert not running_trail.is_full
        record(running_trail, "four")
        assert running_trail.is_full
        monkeypatch.undo()
        wait_until(lambda: "four" in stored_actions(engine))
        assert not running_trail.is_full
    assert client_actions(engine) == ["one", "two", "three", "four"]


def test_the_head_does_not_advance_over_a_trail_that_was_cut(publish, engine, folder):
    with running(publish, folder) as running_trail:
        record(running_trail, "one", "two")
    head = HeadFile(folder).read()
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_keeps_delete")
        connection.execute(audit.delete().where(audit.c.number > 2))
    assert verify(engine, folder).fault == f"entry 3 is missing: {head.number - 2} entries were cut off the end"
    with running(publish, folder) as running_trail:
        record(running_trail, *map(str, range(20)))
    assert HeadFile(folder).read() == head
    assert verify(engine, folder).fault.startswith("entry 4 has another hash than was noted")


def test_the_warehouse_refuses_to_change_or_remove_entries(publish, engine, folder):
    with running(publish, folder):
        pass
    for change in (audit.update().values(actor="other"), audit.delete()):
        with pytest.raises(RuntimeError, match="never changed or removed"), writing(engine) as connection:
            connection.execute(change)


@pytest.mark.parametrize("other", ["audit", "other"])
def test_two_services_write_one_chain_from_one_folder_or_two(publish, engine, tmp_path, other):
    with running(publish, tmp_path / "audit") as first, running(publish, tmp_path / other) as second:
        for number in range(50):
            record(first if number % 2 else second, str(number))
            time.sleep(0.002)
    assert len(client_actions(engine)) == 50
    assert verify(engine, tmp_path / "audit").fault is verify(engine, tmp_path / other).fault is None


def test_a_postgresql_that_is_killed_and_comes_back_gets_every_entry_in_order(publish, folder, monkeypatch, postgresql):
    with postgresql() as server:
        monkeypatch.setenv(ADDRESS, server.url)
        engine = connect(publish)
        migrate(engine)
        with running(publish, folder) as running_trail:
            for number in range(300):
                if number == 100:
                    server.stop()
                if number == 200:
                    wait_until(lambda: n_waiting(folder) > 0)
                    server.start()
                record(running_trail, str(number))
                time.sleep(0.001)
            wait_until(lambda: n_waiting(folder) == 0)
        assert client_actions(engine) == [str(number) for number in range(300)]
        assert verify(engine, folder).fault is None
        engine.dispose()
