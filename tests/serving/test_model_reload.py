"""A newer model is loaded without dropping requests, or refused while the old one stays in use."""

import concurrent.futures
import gc
import json
import threading
import time
import weakref
from types import SimpleNamespace

import httpx
import pytest
from conftest import Market, Model
from prometheus_client import CollectorRegistry

from homei.registry import bento_manifest
from homei.serving.app import create_app, describe_model
from homei.serving.contract import read
from homei.serving.middleware.request_id import RequestIdMiddleware
from homei.serving.model_reload import ModelReloader
from homei.serving.predictions.log import PredictionLog
from homei.serving.predictions.metrics import PredictionMetrics
from homei.serving.predictor import Predictor
from homei.storage import lake

PRICE = "/api/v1/predict/price"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}


class Scaled(Model):
    def __init__(self, scale):
        self.scale = scale

    def value(self, columns):
        values = super().value(columns)
        return SimpleNamespace(**{**vars(values), "price": self.scale * values.price})


class House:
    """A service that follows a record of Bentos, whose model is one number."""

    def __init__(self, folder, contract):
        self.folder, self.contract = folder, contract
        self.registry = CollectorRegistry()
        self.record = folder / "bento.json"
        self.build("one", 1)
        root = folder / "bentos" / "one" / "src"
        first = read(root)
        log = PredictionLog("latest", PredictionMetrics("latest", first.model_version, "d", self.registry))
        self.app = create_app(first)
        self.app.state.predictor, self.app.state.prediction_log = self.load(root, first), log
        self.log = log
        self.reloader = ModelReloader(
            self.record,
            str(folder / "bentos" / "{tag}"),
            root,
            first,
            self.take,
            log.metrics.count_reload,
            self.load,
            0.02,
        )

    def build(self, name, scale, code="1\n", is_recorded=True, **changes):
        """A Bento, and the record that names it."""
        bento = self.folder / "bentos" / name
        told = json.loads(self.contract.model_dump_json()) | {"model_version": name} | changes
        lake.write_json(told, bento / "src" / "service.json")
        lake.write_json(scale, bento / "src" / "valuation" / "scale.json")
        lake.write_text(code, bento / "src" / "homei" / "training" / "valuation_model.py")
        if is_recorded:
            self.name(name)
        return bento

    def name(self, name):
        files = bento_manifest.file_digests(self.folder / "bentos" / name)
        lake.write_json({"tag": name, "files": files}, self.record)

    def load(self, root, contract):
        return Predictor(contract, Market(), Scaled(lake.read_json(root / "valuation" / "scale.json")))

    def take(self, contract, predictor):
        self.log.set_models(predictor)
        self.app.state.predictor = predictor
        describe_model(self.app, contract)

    def until_taken(self, count):
        end = time.monotonic() + 30
        while self.counted("taken") < count and time.monotonic() < end:
            time.sleep(0.02)

    def counted(self, outcome):
        return self.registry.get_sample_value("homei_reload_total", {"outcome": outcome}) or 0


@pytest.fixture
def house(tmp_path, contract):
    return House(tmp_path, contract)


@pytest.fixture
def asked(house, serving):
    """Requests a price, and returns the model's version and the price."""
    with serving(RequestIdMiddleware(house.app)) as url, httpx.Client(base_url=url) as client:

        def ask(home=HOME):
            answer = client.post(PRICE, json=home)
            assert answer.status_code == 200, answer.text
            return answer.json()["model_version"], answer.json()["predicted_price"]

        ask.url = url
        yield ask


def test_a_newer_model_answers_once_it_is_recorded(house, asked):
    before = asked()
    house.reloader.check()
    assert (asked(), house.counted("taken")) == (before, 0)
    house.build("two", 2)
    house.reloader.check()
    assert asked() == ("two", 2 * before[1])
    assert house.counted("taken") == 1
    house.name("one")
    house.reloader.check()
    assert asked() == before


def test_openapi_and_metrics_follow_a_newer_model(house, asked):
    house.build("two", 2, as_of="2026-01-31", months=[24300, 24313])
    house.reloader.check()
    told = httpx.get(asked.url + "/openapi.json").json()
    assert (told["info"]["version"], told["info"]["description"][-11:]) == ("two", "2026-01-31.")
    assert httpx.post(asked.url + PRICE, json=HOME | {"valuation_date": "2026-02-10"}).status_code == 200
    named = {"variant": "latest", "data_version": house.contract.data_version}
    assert house.registry.get_sample_value("homei_model_info", named | {"model_version": "two"}) == 1
    named["data_version"] = "d"
    assert house.registry.get_sample_value("homei_model_info", named | {"model_version": "one"}) == 0


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"currency": "USD"}, 'its contract is another one: currency ("EUR" and "USD")'),
        ({"numeric": []}, 'its contract is another one: numeric (["plot"] and [])'),
        ({"code": "2\n"}, "its code values in another way"),
    ],
)
def test_a_model_with_another_contract_or_code_is_refused_with_the_reason(house, asked, caplog, changes, told):
    before = asked()
    house.build("two", 2, **changes)
    for _ in range(3):
        house.reloader.check()
    assert asked() == before
    assert (house.counted("refused"), house.counted("taken")) == (1, 0)
    assert [line.getMessage() for line in caplog.records if told in line.getMessage()]
    house.build("three", 3)
    house.reloader.check()
    assert asked()[0] == "three"


def test_a_model_that_fails_to_load_or_to_value_leaves_the_old_one_in_use(house, asked):
    before = asked()
    house.build("two", "much")
    house.reloader.check()
    assert (asked(), house.counted("failed")) == (before, 1)


def test_a_bento_that_differs_from_its_record_is_loaded_once_it_matches(house, asked):
    before = asked()
    scale = house.build("two", 2) / "src" / "valuation" / "scale.json"
    scale.write_text("3")
    for _ in range(3):
        house.reloader.check()
    assert asked() == before
    lake.write_json(2, scale)
    house.reloader.check()
    assert asked() == ("two", 2 * before[1])


@pytest.mark.parametrize("record", [None, "{", "{}", "[]", '{"files": {}, "tag": "none"}'])
def test_a_record_that_is_gone_or_no_record_changes_nothing(house, asked, record):
    before = asked()
    house.record.unlink()
    if record is not None:
        house.record.write_text(record)
    house.reloader.check()
    assert asked() == before
    house.build("two", 2)
    house.reloader.check()
    assert asked()[0] == "two"


def test_a_record_that_changes_while_its_model_is_loaded_is_followed_to_the_last(house, asked):
    plain = house.load

    def slow(root, contract):
        house.build("three", 3)
        house.reloader._load = plain
        return plain(root, contract)

    house.reloader._load = slow
    house.build("two", 2)
    house.reloader.check()
    assert asked()[0] == "one"
    house.reloader.check()
    assert asked()[0] == "three"


def test_no_request_is_dropped_while_models_come_and_go(house, asked):
    one = asked()[1]
    prices = {"one": one, "two": 2 * one, "three": 3 * one}
    stop, swapped, seen = threading.Event(), threading.Event(), []

    def hammer():
        with httpx.Client(base_url=asked.url) as client:
            while not stop.is_set():
                began_later = swapped.is_set()
                answer = client.post(PRICE, json=HOME)
                told = answer.json()
                seen.append((answer.status_code, told.get("model_version"), told.get("predicted_price"), began_later))

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        running = [pool.submit(hammer) for _ in range(6)]
        house.reloader.start()
        for count, (name, scale) in enumerate((("two", 2), ("three", 3), ("one", 1), ("two", 2)), start=1):
            time.sleep(0.1)
            house.build(name, scale)
            house.until_taken(count)
        swapped.set()
        time.sleep(0.2)
        stop.set()
        assert [each.result() for each in running] == [None] * 6
    house.reloader.stop()
    assert {status for status, *_ in seen} == {200}
    assert {version for _, version, *_ in seen} == {"one", "two", "three"}
    assert all(price == prices[version] for _, version, price, _ in seen)
    assert {version for _, version, _, began_later in seen if began_later} == {"two"}


def test_models_that_come_faster_than_they_load_end_with_the_last(house, asked):
    plain = house.load

    def slow(root, contract):
        time.sleep(0.05)
        return plain(root, contract)

    house.reloader._load = slow
    house.reloader.start()
    for number in range(20):
        house.build(f"m{number}", 1 + number)
        time.sleep(0.01)
    end = time.monotonic() + 30
    while asked()[0] != "m19" and time.monotonic() < end:
        time.sleep(0.02)
    house.reloader.stop()
    assert asked()[0] == "m19"
    assert house.counted("refused") == house.counted("failed") == 0


def test_a_request_under_way_ends_with_the_model_that_it_began_with(house, asked):
    old, release = house.app.state.predictor, threading.Event()
    value = old._model.value
    old._model.value = lambda columns: release.wait(10) and value(columns)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(asked)
        time.sleep(0.1)
        house.build("two", 2)
        house.reloader.check()
        release.set()
        assert under_way.result()[0] == "one"
    assert asked()[0] == "two"


def test_the_old_model_is_let_go_at_once(house, asked):
    asked()
    old = weakref.ref(house.app.state.predictor)
    gc.disable()
    try:
        house.build("two", 2)
        house.reloader.check()
        asked()
        assert old() is None
    finally:
        gc.enable()
