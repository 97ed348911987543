"""Every answer is kept, in order and once, whatever becomes of warehouse and disk; and nobody waits for that."""

import concurrent.futures
import datetime
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from homei.serve.predictions import log, spool
from homei.warehouse.connection import connect, writing

PRICE, BATCH = "/api/v1/predict/price", "/api/v1/predict/batch"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
ADDRESS = "HOMEI_TEST_WAREHOUSE"


def post(url, home=HOME, path=PRICE, **more):
    answer = httpx.post(url + path, json=home, timeout=30, **more)
    assert answer.status_code == 200, answer.text
    return answer


def test_an_answer_is_kept_as_it_was_given(place, app_of, serving):
    place.migrate()
    home = HOME | {"floor": 3, "property_id": "P1", "heating": None, "valuation_date": "2026-01-05"}
    with place.running() as log, serving(app_of(log)) as url:
        answer = post(url, home, headers={"x-request-id": "mine"})
    (line,) = place.kept()
    told = answer.json()
    assert line["prediction_id"] == answer.headers["x-prediction-id"]
    assert line["request_id"] == "mine"
    assert line["property_id"] == "P1"
    assert line["inputs"] == {**HOME, "floor": 3, "valuation_date": "2026-01-05"}
    assert (line["price"], line["low"], line["high"]) == (
        told["predicted_price"],
        told["interval"]["low"],
        told["interval"]["high"],
    )
    assert [line[name] for name in ("confidence", "flags", "level", "model_version", "data_version")] == [
        told["confidence"], told["flags"], told["interval"]["level"], told["model_version"], told["data_version"],
    ]  # fmt: skip
    assert line["variant"] == "latest"
    assert 0 < line["latency_ms"] < 1000
    age = datetime.datetime.now(datetime.UTC) - line["predicted_at"].replace(tzinfo=datetime.UTC)
    assert datetime.timedelta(0) < age < datetime.timedelta(minutes=1)


def test_a_client_that_repeats_its_request_id_has_all_its_answers_kept(place, app_of, serving):
    place.migrate()
    with place.running() as log, serving(app_of(log)) as url:
        names = [post(url, headers={"x-request-id": "same"}).headers["x-prediction-id"] for _ in range(20)]
    assert [line["prediction_id"] for line in place.kept()] == names
    assert {line["request_id"] for line in place.kept()} == {"same"}
    assert len(set(names)) == 20


def test_all_rows_of_batches_are_kept_in_their_order(place, app_of, serving, contract):
    place.migrate()
    batch = [HOME | {"square_meters": 30 + number} for number in range(contract.limits.max_batch)]
    with place.running() as log, serving(app_of(log)) as url:
        name, other = (post(url, {"properties": batch}, BATCH).headers["x-prediction-id"] for _ in range(2))
    kept = place.kept()
    assert [line["prediction_id"] for line in kept] == [f"{n}.{row}" for n in (name, other) for row in range(50)]
    assert [line["inputs"]["square_meters"] for line in kept] == [home["square_meters"] for home in batch] * 2


def test_nothing_that_tells_who_asked_is_kept(place, app_of, serving):
    place.migrate()
    secret = "203.0.113.77"
    with place.running() as log, serving(app_of(log)) as url:
        post(url, headers={"x-forwarded-for": secret, "user-agent": "Jane Doe", "cookie": f"a={secret}"})
    written = str([dict(line) for line in place.kept()])
    assert all(word not in written for word in (secret, "127.0.0.1", "Jane Doe", "cookie"))
    assert '"location"' in json.dumps(place.kept()[0]["inputs"])


def test_what_is_refused_is_counted_and_not_kept(place, app_of, serving):
    place.migrate()
    with place.running() as log, serving(app_of(log)) as url:
        assert httpx.post(url + PRICE, json=HOME | {"address": "5 Quay Street"}).status_code == 422
        post(url)
    assert len(place.kept()) == 1
    assert place.counted("homei_valuation_requests_refused_total", status="422") == 1


def test_text_that_no_database_holds_does_not_stop_the_log(place, app_of, serving):
    place.migrate()
    with place.running() as log, serving(app_of(log)) as url:
        for location in ("a\x00b", "a\\u0000b", "'; DROP TABLE predictions; --"):
            post(url, HOME | {"location": location})
    kept = [line["inputs"]["location"] for line in place.kept()]
    assert kept == ["a\ufffdb", "a\\u0000b", "'; DROP TABLE predictions; --"]


def test_figures_tell_of_variants_widths_flags_and_lines(place, app_of, serving, until):
    place.migrate()
    with place.running() as log, serving(app_of(log)) as url:
        post(url)
        post(url, HOME | {"location": "elsewhere"})
        until(lambda: place.lines("kept") == 2)
        assert place.counted("homei_valuations_total", variant="latest") == 2
        assert place.counted("homei_valuations_beyond_knowledge_total", variant="latest") == 1
        assert place.counted("homei_valuation_flags_total", variant="latest", flag="unknown_location") == 1
        assert place.counted("homei_interval_relative_width_bucket", variant="latest", le="0.15") == 1
        assert place.counted("homei_interval_relative_width_sum", variant="latest") == pytest.approx(0.5)
        assert place.counted("homei_model_info", variant="latest", model_version="m", data_version="d") == 1
        assert [place.lines(fate) for fate in ("spooled", "kept", "lost", "unkept")] == [2, 2, 0, 0]


def test_without_a_warehouse_answers_are_given_and_counted_until_there_is_one(place, app_of, serving, until, caplog):
    with place.running() as log, serving(app_of(log)) as url:
        assert "x-prediction-id" not in post(url).headers
        post(url)
        until(lambda: place.lines("unkept") == 2)
        time.sleep(0.2)
        assert not Path(place.publish.file).exists()
        assert [record.message for record in caplog.records if "not kept" in record.message] != []
        assert sum("not kept" in record.message for record in caplog.records) == 1
        place.migrate()
        until(lambda: "x-prediction-id" in post(url).headers)
    assert 1 <= len(place.kept()) <= place.lines("spooled") == place.lines("kept")


def test_while_another_one_writes_answers_wait_on_the_disk_and_nobody_waits_for_them(place, app_of, serving, until):
    place.migrate()
    with place.running() as log, serving(app_of(log)) as url, httpx.Client(base_url=url) as client:
        engine = connect(place.publish)
        with writing(engine):
            began = time.perf_counter()
            names = [client.post(PRICE, json=HOME).headers["x-prediction-id"] for _ in range(300)]
            passed = time.perf_counter() - began
            until(lambda: place.lines("spooled") == 300)
            assert place.lines("kept") == 0
        engine.dispose()
        until(lambda: place.lines("kept") == 300)
    assert passed < 60  # to wait for the other one each time takes 600
    assert [line["prediction_id"] for line in place.kept()] == names


def test_a_full_disk_keeps_lines_in_memory_then_counts_the_lost_and_says_so_once(
    place, app_of, serving, until, monkeypatch, caplog
):
    place.migrate()

    def full(*_):
        raise OSError(28, "no space left")

    with place.running(most=30) as log, serving(app_of(log)) as url:
        monkeypatch.setattr(spool, "extend", full)
        names = [post(url).headers.get("x-prediction-id") for _ in range(50)]
        assert [name is not None for name in names] == [True] * 30 + [False] * 20
        assert place.lines("lost") == 20
        monkeypatch.undo()
        until(lambda: place.lines("kept") == 30)
    assert [line["prediction_id"] for line in place.kept()] == names[:30]
    assert sum("no space left" in record.message for record in caplog.records) == 1
    assert sum("wait for the disk" in record.message for record in caplog.records) == 1


def test_a_service_that_is_killed_loses_only_what_was_not_on_the_disk_and_the_next_brings_it(place, until):
    """The child prints what it was given names for, and when; it is killed amid that."""
    place.migrate()
    engine = connect(place.publish)
    with writing(engine):
        child = subprocess.Popen([sys.executable, "-c", CHILD, place.folder], stdout=subprocess.PIPE, text=True)
        told = [child.stdout.readline().split() for _ in range(400)]
        child.send_signal(signal.SIGKILL)
        told += [line.split() for line in child.stdout.read().splitlines() if len(line.split()) == 2]
        child.wait()
    engine.dispose()
    end = float(told[-1][1])
    waiting = next((place.folder / "waiting").glob("*/current"))
    waiting.write_bytes(waiting.read_bytes() + b'{"prediction_id": "torn')
    with place.running():
        until(lambda: place.lines("lost") == 1)
    kept = [line["prediction_id"] for line in place.kept()]
    assert kept == [name for name, _ in told][: len(kept)]
    early = [name for name, at in told if float(at) < end - 0.5]
    assert 100 < len(early) <= len(kept)


CHILD = """
import sys, time
from pathlib import Path
from prometheus_client import CollectorRegistry
from homei.config import Publish
from homei.serve.predictions.log import PredictionLog
from homei.serve.predictions.metrics import Metrics
from homei.warehouse.access import Warehouse
folder = Path(sys.argv[1])
publish = Publish(address="HOMEI_TEST_WAREHOUSE", file=str(folder / "warehouse.db"))
warehouse = Warehouse(publish, connections=1, seconds=1)
log = PredictionLog("latest", Metrics("latest", "m", "d", CollectorRegistry()), folder / "waiting", warehouse)
log.start()
row = {"square_meters": 70.5, "property_id": None}
answer = {"predicted_price": 2.0, "interval": {"low": 1.0, "high": 3.0, "level": 0.9}, "confidence": 0.9, "flags": [],
          "model_version": "m", "data_version": "d"}
while True:
    print(log.take({}, time.perf_counter(), [row], [answer], True), time.time(), flush=True)
    time.sleep(0.004)
"""


def test_two_services_share_a_folder_and_one_brings_what_the_other_left(place, until):
    place.migrate()
    row, answer = {"property_id": None, "floor": 1.0}, ANSWER
    with place.running():
        other = place.log()
        assert {folder.name for folder in (place.folder / "waiting").iterdir()} == {"00", "01"}
        given = other.take({}, 0.0, [row], [answer], True)
        other._writer.flush()
        other._spool.release()
    with place.running():
        until(lambda: place.lines("kept") == 1)
    assert [line["prediction_id"] for line in place.kept()] == [given]


ANSWER = {
    "predicted_price": 2.0, "interval": {"low": 1.0, "high": 3.0, "level": 0.9}, "confidence": 0.9, "flags": [],
    "model_version": "m", "data_version": "d",
}  # fmt: skip


class Read(list):
    """Items that know which threads have gone through them."""

    def __init__(self, items):
        super().__init__(items)
        self.by = set()

    def __iter__(self):
        self.by.add(threading.current_thread())
        return super().__iter__()


def test_ten_thousand_rows_are_taken_without_a_look_at_them_and_written_in_pieces(place):
    place.migrate()
    rows, answers = (
        Read({"property_id": f"P{number}", "floor": 1.0} for number in range(10_000)),
        Read([ANSWER] * 10_000),
    )
    with place.running() as log:
        name = log.take({}, time.perf_counter(), rows, answers, False)
    assert [line["prediction_id"] for line in place.kept()] == [f"{name}.{row}" for row in range(10_000)]
    assert rows.by and answers.by and threading.current_thread() not in rows.by | answers.by


def test_a_file_that_was_brought_but_not_removed_is_not_kept_twice(place, until):
    place.migrate()
    engine = connect(place.publish)
    with place.running() as log:
        with writing(engine):
            log.take({}, 0.0, [{"property_id": None}] * 3, [ANSWER] * 3, False)
            until(lambda: place.lines("spooled") == 3)
            waiting = next(file for file in (place.folder / "waiting" / "00").iterdir() if file.name != "lock")
            written = waiting.read_bytes()
        until(lambda: place.lines("kept") == 3)
    engine.dispose()
    assert written.count(b"\n") == 3
    (place.folder / "waiting" / "00" / "current").write_bytes(written)
    with place.running():
        until(lambda: place.lines("kept") == 3)
    assert len(place.kept()) == 3


def test_a_folder_that_cant_be_written_is_named_at_once(contract, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOMEI_PREDICTIONS", str(tmp_path / "file"))
    monkeypatch.setattr(log, "Metrics", lambda *_: None)
    with pytest.raises(log.FolderError, match=r"HOMEI_PREDICTIONS names .*file, where"):
        log.from_environment(contract)


def test_a_postgresql_that_is_killed_under_load_and_comes_back_gets_every_answer(
    place, app_of, serving, until, monkeypatch, postgresql
):
    with postgresql() as server:
        monkeypatch.setenv(ADDRESS, server.url)
        place.migrate()
        names, stopping = [], threading.Event()

        def ask(url):
            mine = []
            with httpx.Client(base_url=url) as client:
                while not stopping.is_set():
                    mine.append(client.post(PRICE, json=HOME).headers["x-prediction-id"])
            return mine

        with place.running(retry=0.2) as log, serving(app_of(log)) as url:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                asking = [pool.submit(ask, url) for _ in range(4)]
                until(lambda: place.lines("kept") > 50)
                server.stop()
                stopped_at = place.lines("kept")
                until(lambda: place.lines("spooled") > stopped_at + 200)
                server.start()
                until(lambda: place.lines("kept") > stopped_at + 200)
                stopping.set()
                names = [asked.result() for asked in asking]
            until(lambda: place.lines("kept") == sum(map(len, names)))
        kept = [line["prediction_id"] for line in place.kept()]
        assert sorted(kept) == sorted(name for mine in names for name in mine)
        for mine in names:
            own = set(mine)
            assert [name for name in kept if name in own] == mine
        assert place.lines("lost") == 0
