"""The prediction log stores every valuation once and in order, whatever happens to warehouse and disk."""

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

from homei.serving.outbox.entry_file import FILE, EntryFile
from homei.serving.predictions import log
from homei.warehouse.connection import connect, writing

PRICE, BATCH = "/api/v1/predict/price", "/api/v1/predict/batch"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
ADDRESS = "HOMEI_TEST_WAREHOUSE"


def post(url, home=HOME, path=PRICE, **more):
    answer = httpx.post(url + path, json=home, timeout=30, **more)
    assert answer.status_code == 200, answer.text
    return answer


def test_a_valuation_is_stored_with_its_inputs_and_response(setup, app_with, serving):
    setup.create_warehouse()
    home = HOME | {"floor": 3, "property_id": "P1", "heating": None, "valuation_date": "2026-01-05"}
    with setup.running() as log, serving(app_with(log)) as url:
        answer = post(url, home, headers={"x-request-id": "mine"})
    (line,) = setup.stored()
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


def test_all_requests_with_the_same_request_id_are_stored(setup, app_with, serving):
    setup.create_warehouse()
    with setup.running() as log, serving(app_with(log)) as url:
        names = [post(url, headers={"x-request-id": "same"}).headers["x-prediction-id"] for _ in range(20)]
    assert [line["prediction_id"] for line in setup.stored()] == names
    assert {line["request_id"] for line in setup.stored()} == {"same"}
    assert len(set(names)) == 20


def test_all_rows_of_batches_are_stored_in_order(setup, app_with, serving, contract):
    setup.create_warehouse()
    batch = [HOME | {"square_meters": 30 + number} for number in range(contract.limits.max_batch_rows)]
    with setup.running() as log, serving(app_with(log)) as url:
        name, other = (post(url, {"properties": batch}, BATCH).headers["x-prediction-id"] for _ in range(2))
    kept = setup.stored()
    assert [line["prediction_id"] for line in kept] == [f"{n}.{row}" for n in (name, other) for row in range(50)]
    assert [line["inputs"]["square_meters"] for line in kept] == [home["square_meters"] for home in batch] * 2


def test_nothing_that_identifies_a_person_is_stored(setup, app_with, serving):
    setup.create_warehouse()
    secret = "203.0.113.77"
    with setup.running() as log, serving(app_with(log)) as url:
        post(url, headers={"x-forwarded-for": secret, "user-agent": "Jane Doe", "cookie": f"a={secret}"})
    written = str([dict(line) for line in setup.stored()])
    assert all(word not in written for word in (secret, "127.0.0.1", "Jane Doe", "cookie"))
    assert '"location"' in json.dumps(setup.stored()[0]["inputs"])


def test_refused_requests_are_counted_and_not_stored(setup, app_with, serving):
    setup.create_warehouse()
    with setup.running() as log, serving(app_with(log)) as url:
        assert httpx.post(url + PRICE, json=HOME | {"address": "5 Quay Street"}).status_code == 422
        post(url)
    assert len(setup.stored()) == 1
    assert setup.count("homei_valuation_requests_refused_total", status="422") == 1


def test_text_that_postgresql_cannot_store_does_not_stop_the_log(setup, app_with, serving):
    setup.create_warehouse()
    with setup.running() as log, serving(app_with(log)) as url:
        for location in ("a\x00b", "a\\u0000b", "'; DROP TABLE predictions; --"):
            post(url, HOME | {"location": location})
    kept = [line["inputs"]["location"] for line in setup.stored()]
    assert kept == ["a\ufffdb", "a\\u0000b", "'; DROP TABLE predictions; --"]


def test_metrics_count_variants_widths_flags_and_lines(setup, app_with, serving, wait_until):
    setup.create_warehouse()
    with setup.running() as log, serving(app_with(log)) as url:
        post(url)
        post(url, HOME | {"location": "elsewhere"})
        wait_until(lambda: setup.n_lines("kept") == 2)
        assert setup.count("homei_valuations_total", variant="latest") == 2
        assert setup.count("homei_valuations_beyond_knowledge_total", variant="latest") == 1
        assert setup.count("homei_valuation_flags_total", variant="latest", flag="unknown_location") == 1
        assert setup.count("homei_interval_relative_width_bucket", variant="latest", le="0.15") == 1
        assert setup.count("homei_interval_relative_width_sum", variant="latest") == pytest.approx(0.5)
        assert setup.count("homei_model_info", variant="latest", model_version="m", data_version="d") == 1
        assert [setup.n_lines(fate) for fate in ("spooled", "kept", "lost", "unkept")] == [2, 2, 0, 0]


def test_without_a_warehouse_valuations_are_counted_until_there_is_one(setup, app_with, serving, wait_until, caplog):
    with setup.running() as log, serving(app_with(log)) as url:
        assert "x-prediction-id" not in post(url).headers
        post(url)
        wait_until(lambda: setup.n_lines("unkept") == 2)
        time.sleep(0.2)
        assert not Path(setup.publish.file).exists()
        assert [record.message for record in caplog.records if "not stored" in record.message] != []
        assert sum("not stored" in record.message for record in caplog.records) == 1
        setup.create_warehouse()
        wait_until(lambda: "x-prediction-id" in post(url).headers)
    assert 1 <= len(setup.stored()) <= setup.n_lines("spooled") == setup.n_lines("kept")


def test_valuations_wait_on_disk_while_another_writer_holds_the_warehouse(setup, app_with, serving, wait_until):
    setup.create_warehouse()
    with setup.running() as log, serving(app_with(log)) as url, httpx.Client(base_url=url) as client:
        engine = connect(setup.publish)
        with writing(engine):
            began = time.perf_counter()
            names = [client.post(PRICE, json=HOME).headers["x-prediction-id"] for _ in range(300)]
            passed = time.perf_counter() - began
            wait_until(lambda: setup.n_lines("spooled") == 300)
            assert setup.n_lines("kept") == 0
        engine.dispose()
        wait_until(lambda: setup.n_lines("kept") == 300)
    assert passed < 60  # to wait for the other one each time takes 600
    assert [line["prediction_id"] for line in setup.stored()] == names


def test_a_full_disk_keeps_valuations_in_memory_then_counts_lost_ones_and_logs_once(
    setup, app_with, serving, wait_until, monkeypatch, caplog
):
    setup.create_warehouse()

    def full(*_):
        raise OSError(28, "no space left")

    with setup.running(max_queued=30) as log, serving(app_with(log)) as url:
        monkeypatch.setattr(EntryFile, "append", full)
        names = [post(url).headers.get("x-prediction-id") for _ in range(50)]
        assert [name is not None for name in names] == [True] * 30 + [False] * 20
        assert setup.n_lines("lost") == 20
        monkeypatch.undo()
        wait_until(lambda: setup.n_lines("kept") == 30)
    assert [line["prediction_id"] for line in setup.stored()] == names[:30]
    assert sum("no space left" in record.message for record in caplog.records) == 1
    assert sum("wait for the disk already" in record.message for record in caplog.records) == 1


def test_a_killed_service_loses_only_what_was_not_on_disk_and_the_next_one_delivers_it(setup, wait_until):
    """The child prints each prediction_id and its time until it is killed."""
    setup.create_warehouse()
    engine = connect(setup.publish)
    with writing(engine):
        child = subprocess.Popen([sys.executable, "-c", CHILD, setup.folder], stdout=subprocess.PIPE, text=True)
        told = [child.stdout.readline().split() for _ in range(400)]
        child.send_signal(signal.SIGKILL)
        told += [line.split() for line in child.stdout.read().splitlines() if len(line.split()) == 2]
        child.wait()
    engine.dispose()
    end = float(told[-1][1])
    with setup.running():
        wait_until(lambda: setup.n_lines("kept") >= len(told) - 200)
    kept = [line["prediction_id"] for line in setup.stored()]
    assert kept == [name for name, _ in told][: len(kept)]
    early = [name for name, at in told if float(at) < end - 0.5]
    assert 100 < len(early) <= len(kept)


CHILD = """
import sys, time
from pathlib import Path
from prometheus_client import CollectorRegistry
from homei.warehouse.config import PublishConfig
from homei.serving.predictions.log import PredictionLog
from homei.serving.predictions.metrics import PredictionMetrics
from homei.warehouse.sessions import Warehouse
folder = Path(sys.argv[1])
publish = PublishConfig(address="HOMEI_TEST_WAREHOUSE", file=str(folder / "warehouse.db"))
warehouse = Warehouse(publish, connections=1, seconds=1)
log = PredictionLog("latest", PredictionMetrics("latest", "m", "d", CollectorRegistry()), folder / "waiting", warehouse)
log.start()
row = {"square_meters": 70.5, "property_id": None}
answer = {"predicted_price": 2.0, "interval": {"low": 1.0, "high": 3.0, "level": 0.9}, "confidence": 0.9, "flags": [],
          "model_version": "m", "data_version": "d"}
while True:
    print(log.record({}, time.perf_counter(), [row], [answer], True), time.time(), flush=True)
    time.sleep(0.004)
"""


def test_two_services_share_a_folder_and_one_delivers_what_the_other_left(setup, wait_until):
    setup.create_warehouse()
    engine = connect(setup.publish)
    with setup.running():
        registry, other = setup.registry, setup.new_log()
        with writing(engine):
            other.start()
            prediction_id = other.record({}, 0.0, [{"property_id": None, "floor": 1.0}], [VALUATION], True)
            other.stop()
        setup.registry = registry
        wait_until(lambda: setup.n_lines("kept") == 1)
    engine.dispose()
    assert [line["prediction_id"] for line in setup.stored()] == [prediction_id]


VALUATION = {
    "predicted_price": 2.0, "interval": {"low": 1.0, "high": 3.0, "level": 0.9}, "confidence": 0.9, "flags": [],
    "model_version": "m", "data_version": "d",
}  # fmt: skip


class ThreadRecordingList(list):
    """A list that records which threads iterate over it."""

    def __init__(self, items):
        super().__init__(items)
        self.threads = set()

    def __iter__(self):
        self.threads.add(threading.current_thread())
        return super().__iter__()


def test_a_batch_of_ten_thousand_is_encoded_in_the_background(setup):
    setup.create_warehouse()
    rows = ThreadRecordingList({"property_id": f"P{number}", "floor": 1.0} for number in range(10_000))
    valuations = ThreadRecordingList([VALUATION] * 10_000)
    with setup.running() as log:
        name = log.record({}, time.perf_counter(), rows, valuations, False)
    assert [line["prediction_id"] for line in setup.stored()] == [f"{name}.{row}" for row in range(10_000)]
    assert rows.threads and valuations.threads
    assert threading.current_thread() not in rows.threads | valuations.threads


def test_a_batch_that_was_delivered_but_not_removed_is_not_stored_twice(setup, wait_until):
    setup.create_warehouse()
    engine = connect(setup.publish)
    with writing(engine), setup.running() as log:
        log.record({}, 0.0, [{"property_id": None}] * 3, [VALUATION] * 3, False)
    engine.dispose()
    path = setup.folder / "waiting" / FILE
    content = path.read_bytes()
    for _ in range(2):
        path.write_bytes(content)
        with setup.running():
            wait_until(lambda: setup.n_lines("kept") == 3)
    assert len(setup.stored()) == 3


def test_a_folder_that_cannot_be_written_is_an_error_at_the_start(contract, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOMEI_PREDICTIONS", str(tmp_path / "file"))
    monkeypatch.setattr(log, "PredictionMetrics", lambda *_: None)
    with pytest.raises(log.FolderError, match=r"HOMEI_PREDICTIONS: .*file cannot be written"):
        log.from_environment(contract).start()


def test_a_postgresql_that_is_killed_under_load_and_comes_back_gets_every_valuation(
    setup, app_with, serving, wait_until, monkeypatch, postgresql
):
    with postgresql() as server:
        monkeypatch.setenv(ADDRESS, server.url)
        setup.create_warehouse()
        names, stopping = [], threading.Event()

        def ask(url):
            mine = []
            with httpx.Client(base_url=url) as client:
                while not stopping.is_set():
                    mine.append(client.post(PRICE, json=HOME).headers["x-prediction-id"])
            return mine

        with setup.running(retry_seconds=0.2) as log, serving(app_with(log)) as url:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                asking = [pool.submit(ask, url) for _ in range(4)]
                wait_until(lambda: setup.n_lines("kept") > 50)
                server.stop()
                stopped_at = setup.n_lines("kept")
                wait_until(lambda: setup.n_lines("spooled") > stopped_at + 200)
                server.start()
                wait_until(lambda: setup.n_lines("kept") > stopped_at + 200)
                stopping.set()
                names = [asked.result() for asked in asking]
            wait_until(lambda: setup.n_lines("kept") == sum(map(len, names)))
        kept = [line["prediction_id"] for line in setup.stored()]
        assert sorted(kept) == sorted(name for mine in names for name in mine)
        for mine in names:
            own = set(mine)
            assert [name for name in kept if name in own] == mine
        assert setup.n_lines("lost") == 0
