"""Two models answer side by side; response, log and metrics name the model of each row."""

import json
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from conftest import Market, Model
from prometheus_client import CollectorRegistry
from pydantic_core import from_json

from homei.registry.variant_assignment import CHALLENGER, CHAMPION, ExperimentDesign
from homei.serving.app import create_app
from homei.serving.auth.middleware import AUTH_STATE, AuthState
from homei.serving.experiment import Experiment
from homei.serving.middleware.request_id import RequestIdMiddleware
from homei.serving.predictions.log import PredictionLog
from homei.serving.predictions.metrics import PredictionMetrics
from homei.serving.predictions.records import json_rows, valued_request
from homei.serving.predictor import NUMERIC, Predictor
from homei.serving.problem_details import ProblemError
from homei.training.contributions import Contributions

PRICE, BATCH = "/api/v1/predict/price", "/api/v1/predict/batch"
HOME = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
HOMES = [HOME | {"property_id": f"P{number}"} for number in range(40)]
NOWHERE = HOME | {"location": "nowhere"}


class Dearer(Model):
    """A model with twice the prices and twice the interval widths of the other one."""

    def value(self, columns):
        values = super().value(columns)
        return SimpleNamespace(**{**vars(values), "price": 2 * values.price, "high": 4 * values.price})

    def contributions(self, columns):
        told = super().contributions(columns)
        return Contributions(told.names, told.baseline + np.log(2), told.effects)


@pytest.fixture
def experiment(contract):
    def made(share=0.5, unit="property"):
        newer = contract.model_copy(update={"model_version": "ba9876543210"})
        return Experiment(
            ExperimentDesign("spring", unit, share, contract.model_version, newer.model_version),
            Predictor(contract, Market(), Model(), CHAMPION),
            Predictor(newer, Market(), Dearer(), CHALLENGER),
        )

    return made


@pytest.fixture
def asking(contract, experiment, serving):
    """Sends requests to a service with an experiment; the header x-client replaces authentication."""
    app = create_app(contract)
    app.state.predictor = experiment()

    async def with_client(scope, receive, send):
        scope[AUTH_STATE] = AuthState(client=dict(scope["headers"]).get(b"x-client", b"").decode() or None)
        await app(scope, receive, send)

    with serving(RequestIdMiddleware(with_client)) as url, httpx.Client(base_url=url) as client:
        yield app, client


def test_a_property_always_gets_the_same_model_alone_or_in_a_batch(asking, contract):
    _, client = asking
    alone = [client.post(PRICE, json=home).json() for home in HOMES]
    assert client.post(BATCH, json={"properties": HOMES}).json()["valuations"] == alone
    assert {answer["variant"] for answer in alone} == {CHAMPION, CHALLENGER}
    for answer in alone:
        is_champion = answer["variant"] == CHAMPION
        assert answer["model_version"] == (contract.model_version if is_champion else "ba9876543210")
    prices = {answer["variant"]: answer["predicted_price"] for answer in alone}
    assert prices[CHALLENGER] == 2 * prices[CHAMPION]


def test_what_an_answer_holds_besides_comes_from_the_model_that_gave_it(asking):
    _, client = asking
    answers = client.post(BATCH, params={"include": "reasons"}, json={"properties": HOMES}).json()["valuations"]
    for answer in answers:
        parts = [answer["reasons"]["start"], *(part["amount"] for part in answer["reasons"]["contributions"])]
        assert np.isclose(sum(parts), answer["predicted_price"])


def test_a_client_always_gets_the_same_model_if_clients_are_the_unit(asking, experiment):
    app, client = asking
    app.state.predictor = experiment(unit="client")
    met = {name: set() for name in ("ada", "bob", "cy", "dee", "eve", "flo", "gus")}
    for name in met:
        for home in HOMES[:5]:
            met[name].add(client.post(PRICE, json=home, headers={"x-client": name}).json()["variant"])
    assert all(len(variants) == 1 for variants in met.values())
    assert set.union(*met.values()) == {CHAMPION, CHALLENGER}
    assert client.post(PRICE, json=HOME).json()["variant"] == CHAMPION


def test_a_request_that_names_no_property_is_the_champions(asking, experiment):
    app, client = asking
    app.state.predictor = experiment(share=1.0)
    answers = client.post(BATCH, json={"properties": [HOME, HOMES[0], HOME | {"property_id": None}]}).json()
    assert [answer["variant"] for answer in answers["valuations"]] == [CHAMPION, CHALLENGER, CHAMPION]


def test_a_refusal_names_the_rows_of_the_whole_batch(asking, experiment):
    both = experiment()
    rows = [home | {"property_id": f"P{number}"} for number, home in enumerate([HOME, NOWHERE] * 10)]
    numbers = [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]
    assert {both.for_client(rows[number], None).variant for number in numbers} == {CHAMPION, CHALLENGER}
    refused = asking[1].post(BATCH, json={"properties": rows})
    assert refused.status_code == 422
    assert sorted(int(error["field"].split(".")[1]) for error in refused.json()["errors"]) == numbers
    assert asking[1].post(PRICE, json=NOWHERE).json()["errors"][0]["field"] == "body"


def test_too_many_reasons_are_refused_however_they_fall_to_the_models(experiment):
    with pytest.raises(ProblemError, match="1 to 200 rows"):
        experiment().value_batch([{}] * 201, frozenset({"reasons"}), None)


def test_openapi_describes_the_variant(asking):
    schema = asking[1].get("/openapi.json").json()["components"]["schemas"]["Valuation"]
    assert "variant" in schema["properties"]
    assert "variant" not in schema["required"]


def test_without_an_experiment_no_answer_names_a_variant(client):
    assert "variant" not in client.post(PRICE, json=HOME | {"property_id": "P1"}).json()


def test_log_and_metrics_distinguish_the_variants(experiment, contract):
    both = experiment()
    rows = [*HOMES, HOME | {"property_id": None}]
    answers = both.value_batch([row | {"valuation_date": contract.default_date} | _rest(contract, row) for row in rows],
                             frozenset(), None)  # fmt: skip
    request = valued_request(0.0, rows, answers, False, "r", None)
    told = [from_json(line) for line in json_rows(request, "latest", both.design)]
    assert [line["variant"] for line in told] == [answer["variant"] for answer in answers]
    assert {line["experiment"] for line in told[:-1]} == {both.design.name}
    assert (told[-1]["variant"], told[-1]["experiment"]) == (CHAMPION, None)
    registry = CollectorRegistry()
    metrics = PredictionMetrics(CHALLENGER, "ba9876543210", "d", registry)
    metrics.count_valuations(request)
    PredictionLog(CHALLENGER, metrics).set_models(both)
    for variant, version in ((CHAMPION, contract.model_version), (CHALLENGER, "ba9876543210")):
        count = sum(line["variant"] == variant for line in told)
        labels = {"variant": variant}
        assert registry.get_sample_value("homei_valuations_total", labels) == count > 1
        assert registry.get_sample_value("homei_interval_relative_width_count", labels) == count
        named = labels | {"model_version": version, "data_version": contract.data_version}
        assert registry.get_sample_value("homei_model_info", named) == 1
    width = registry.get_sample_value("homei_interval_relative_width_sum", {"variant": CHALLENGER})
    assert width > registry.get_sample_value("homei_interval_relative_width_sum", {"variant": CHAMPION})


def test_lines_outside_of_an_experiment_name_none(predictor, contract):
    row = HOMES[0] | {"valuation_date": contract.default_date}
    answers = predictor.value([row | _rest(contract, row)])
    (line,) = json_rows(valued_request(0.0, [row], answers, True, None, None), "latest")
    assert (from_json(line)["variant"], json.loads(line)["experiment"]) == ("latest", None)


def _rest(contract, row):
    return {name: None for name in (*NUMERIC, *contract.numeric, *contract.categorical) if name not in row}
