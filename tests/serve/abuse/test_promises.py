"""Schemathesis over all that OpenAPI tells of the service: what it promises is taken, all else is refused cleanly."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from promises import IN_WORDS
from sqlalchemy import select

from homei.warehouse.tables import audit

HERE = Path(__file__).parent
OPERATIONS = {
    "GET /api/v1/properties/search", "GET /api/v1/properties/{property_id}", "GET /api/v1/analytics/market-trends",
    "POST /api/v1/feedback", "POST /api/v1/predict/price", "POST /api/v1/predict/batch", "POST /api/v1/token",
}  # fmt: skip


@pytest.fixture
def drawn(town):
    """Has schemathesis ask, and tells what the service's own trail says of it: how often what was answered how."""

    def run(token, *options):
        before = told(town)
        settings = ["--no-color", "--config-file", HERE / "schemathesis.toml"]
        command = [Path(sys.executable).with_name("st"), *settings, "run", f"{town.url}/openapi.json", *options]
        environment = os.environ | {"HOMEI_TEST_TOKEN": token, "PYTHONPATH": str(HERE.parent)}
        ran = subprocess.run(command, cwd=town.folder, env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return told(town) - before

    return run


def told(town):
    with town.session(town.token("boss", "predict")) as client:
        town.line(client.get("/api/v1/the-last-one").headers["x-request-id"])
    with town.engine.connect() as connection:
        return Counter(
            (line.action, line.details["status"])
            for line in connection.execute(select(audit.c.action, audit.c.details)).all()
            if line.details and "status" in line.details
        )


def test_at_least_two_thousand_drawn_requests_get_what_openapi_promises(town, drawn):
    asked = drawn(town.token("boss", "predict", "analytics", "feedback"))
    assert asked.total() >= 2000
    for operation in OPERATIONS:
        assert sum(count for (action, _), count in asked.items() if action == operation) >= 200
    for operation in OPERATIONS - {"POST /api/v1/token"}:
        taken = sum(count for (action, status), count in asked.items() if action == operation and status < 300)
        assert taken >= 30, f"{operation} was hardly ever asked anything that it takes"
    assert not any(status >= 500 or status == 403 for _, status in asked)


def test_a_token_with_one_scope_opens_nothing_else_whatever_is_drawn(town, drawn):
    asked = drawn(town.token("boss", "feedback"), "--phases=fuzzing", "-n20", "--exclude-path=/api/v1/token")
    assert asked.total() >= 100
    opened = {action for action, status in asked if status < 300}
    assert opened <= {"POST /api/v1/feedback"}
    assert asked["POST /api/v1/predict/price", 403] >= 15


def test_openapi_lists_each_operation_and_tells_each_rule_that_json_schema_can_not_say(town):
    text = httpx.get(f"{town.url}/openapi.json").text
    paths = httpx.get(f"{town.url}/openapi.json").json()["paths"]
    assert {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations} == OPERATIONS
    assert [words for words in IN_WORDS.values() if words not in text] == []
