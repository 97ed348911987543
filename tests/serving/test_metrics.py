import asyncio

import httpx
import pytest
from live_server import live_server
from prometheus_client import CollectorRegistry

from homei.serving.app import create_app
from homei.serving.middleware import metrics
from homei.serving.middleware.metrics import MetricsMiddleware, RequestMetrics

PRICE = "/api/v1/predict/price"


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def around(contract, registry):
    """Returns an app in the metrics middleware."""
    routes = create_app(contract).state.routes
    return lambda app: MetricsMiddleware(app, routes, RequestMetrics(registry))


async def well(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def test_requests_are_counted_and_timed_by_route_whatever_their_path(around, registry):
    with live_server(around(well)) as url, httpx.Client(base_url=url) as client:
        for path in (PRICE, PRICE, "/one", "/two", "/docs-assets/a.js", "/docs-assets/b.js"):
            client.request("POST" if path == PRICE else "GET", path)
        client.request("PURGE", "/three")

    def count(name, **labels):
        return registry.get_sample_value(name, labels)

    assert count("homei_requests_total", method="POST", route=PRICE, status="200") == 2
    assert count("homei_request_seconds_count", method="POST", route=PRICE) == 2
    assert count("homei_requests_total", method="GET", route="unknown", status="200") == 2
    assert count("homei_requests_total", method="GET", route="/docs-assets/", status="200") == 2
    assert count("homei_requests_total", method="OTHER", route="unknown", status="200") == 1
    assert count("homei_requests_in_flight") == 0


def test_what_is_being_answered_is_in_flight_and_what_fails_is_counted_too(around, registry):
    seen = []

    async def failing(scope, receive, send):
        seen.append(registry.get_sample_value("homei_requests_in_flight"))
        raise RuntimeError

    scope = {"type": "http", "method": "POST", "path": PRICE}
    with pytest.raises(RuntimeError):
        asyncio.run(around(failing)(scope, None, None))
    assert seen == [1]
    assert registry.get_sample_value("homei_requests_in_flight") == 0
    counted = {"method": "POST", "route": PRICE, "status": "500"}
    assert registry.get_sample_value("homei_requests_total", counted) == 1


def test_a_slow_answer_has_a_line_even_where_it_is_well(around, caplog, monkeypatch):
    monkeypatch.setattr(metrics, "SLOW_SECONDS", 0.0)
    with caplog.at_level("INFO", "homei.requests"), live_server(around(well)) as url:
        httpx.post(url + PRICE)
    assert [record.status for record in caplog.records if record.name == "homei.requests"] == [200]
