"""A valuation passes few modules, which docs/architecture/request-path.md lists."""

import asyncio
import contextlib
import re
import sys
import threading
from pathlib import Path

import authenticated_service
import httpx
import pytest
import warehouses

from homei.warehouse.config import PublishConfig

PRICE = "/api/v1/predict/price"
PROPERTY = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "architecture" / "request-path.md"
MAX_MODULES = 15
# They record what happened, whatever the route; and what the model itself calls is not the service's.
RECORDING = ("homei.serving.audit.", "homei.serving.outbox.", "homei.serving.predictions.records")


@pytest.fixture
def service(contract, predictor, tmp_path, monkeypatch):
    """The app with its middleware, and a token of a client with all scopes."""
    apps = []

    @contextlib.contextmanager
    def without_server(app):
        apps.append(app)
        yield "http://service"

    monkeypatch.setattr(authenticated_service, "live_server", without_server)
    publish = PublishConfig(address=authenticated_service.UNSET_VARIABLE, file=str(tmp_path / "warehouse.db"))
    warehouses.publish(publish)
    with authenticated_service.run_full_service(contract, predictor, tmp_path, publish) as running:
        yield apps[0], running.token("boss", "predict")


def modules_of_a_request(app, token):
    """The modules of homei whose functions are called during one request, in any thread."""
    called = set()

    def note(frame, event, _):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("homei."):
            called.add(module)

    async def request():
        headers = {"authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
            assert (await client.post(PRICE, json=PROPERTY)).status_code == 200  # verifies the token once
            threading.setprofile(note)
            sys.setprofile(note)
            try:
                response = await client.post(PRICE, json=PROPERTY)
            finally:
                sys.setprofile(None)
                threading.setprofile(None)
            assert response.status_code == 200

    asyncio.run(request())
    return called


def test_a_valuation_with_a_token_passes_few_modules(service):
    modules = {module for module in modules_of_a_request(*service) if not module.startswith(RECORDING)}
    serving = {module.removeprefix("homei.serving.") for module in modules if module.startswith("homei.serving.")}
    assert len(modules) <= MAX_MODULES, "\n".join(sorted(modules))
    documented = set(re.findall(r"`((?:[a-z_]+\.)?[a-z_]+)` \|", DOCUMENT.read_text()))
    assert serving <= documented, f"{DOCUMENT.name} does not name {sorted(serving - documented)}"
