import io
import json
import logging

import httpx
import pytest
from live_server import live_server, with_middleware

from homei.serving import logs
from homei.serving.app import create_app
from homei.serving.middleware.metrics import LOG_REQUESTS, LogRequestsError, log_requests_from_environment
from homei.serving.middleware.request_id import current_request_id


@pytest.fixture
def lines():
    """Captures what the loggers of a service write, as `logs.configure` formats it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.json_formatter())
    handler.addFilter(logs.RequestIdFilter())
    log = logging.getLogger("homei")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log.removeHandler(handler)
    log.setLevel(before)


def test_a_log_line_is_one_json_object_whatever_its_message(lines):
    logging.getLogger("homei.serve").warning('a "quote",\na new line and %s', "ünïcode")
    (told,) = lines()
    assert told.pop("time").endswith("+00:00")
    assert told == {"level": "WARNING", "logger": "homei.serve", "message": 'a "quote",\na new line and ünïcode'}


def test_what_went_wrong_is_in_the_same_line(lines):
    try:
        raise ValueError("so it is")
    except ValueError:
        logging.getLogger("homei.serve").exception("failed")
    (told,) = lines()
    assert told["exception"].startswith("Traceback") and told["exception"].endswith("ValueError: so it is")


def test_a_line_within_a_request_has_its_name_and_one_of_none_has_none(lines):
    log = logging.getLogger("homei.serve")
    log.warning("before", extra={"request_id": "BentoML's"})
    token = current_request_id.set("mine")
    log.warning("within")
    current_request_id.reset(token)
    assert [told.get("request_id") for told in lines()] == [None, "mine"]


def test_refused_and_failed_requests_are_logged_without_their_data(contract, predictor, lines):
    app = create_app(contract)
    app.state.predictor = predictor
    secret = {"authorization": "Bearer secret-token", "x-request-id": "mine"}
    with (
        live_server(with_middleware(app, contract.limits)) as url,
        httpx.Client(base_url=url, headers=secret) as client,
    ):
        home = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
        assert client.post("/api/v1/predict/price", json=home).status_code == 200
        client.post("/api/v1/predict/price", json={"location": "my-own-street"})
        client.get("/api/v1/properties/my-home")
        client.get("/of/my/own")
    told = [line for line in lines() if line["logger"] == "homei.requests"]
    assert [(line["method"], line["path"], line["status"]) for line in told] == [
        ("POST", "/api/v1/predict/price", 422),
        ("GET", "/api/v1/properties/{property_id}", 500),
        ("GET", "unknown", 404),
    ]
    assert [line["level"] for line in told] == ["WARNING", "ERROR", "WARNING"]
    assert all(line["request_id"] == "mine" and line["seconds"] >= 0 for line in told)
    failed = [line for line in lines() if line["logger"] == "homei.serve"]
    assert "exception" in failed[0] and failed[0]["request_id"] == "mine"
    assert not any(word in json.dumps(lines()) for word in ("my-own", "my-home", "secret-token", "/of/my"))


@pytest.mark.parametrize(("chooser", "setting", "error"), [
    (logs.log_format, logs.LOG_FORMAT, logs.LogFormatError),
    (log_requests_from_environment, LOG_REQUESTS, LogRequestsError),
])  # fmt: skip
def test_an_unknown_setting_is_an_error_that_lists_the_choices(chooser, setting, error, monkeypatch):
    monkeypatch.setenv(setting, "xml")
    with pytest.raises(error, match=f"{setting} is xml: it should be"):
        chooser()


def test_lines_are_text_on_a_terminal_and_json_elsewhere_unless_the_environment_says(monkeypatch):
    monkeypatch.delenv(logs.LOG_FORMAT, raising=False)
    for is_terminal, kind in ((True, logs.TEXT), (False, logs.JSON)):
        monkeypatch.setattr("sys.stdout", io.StringIO())
        monkeypatch.setattr("sys.stdout.isatty", lambda is_terminal=is_terminal: is_terminal, raising=False)
        assert logs.log_format() == kind
    monkeypatch.setenv(logs.LOG_FORMAT, "text")
    assert logs.log_format() == logs.TEXT
