"""Schemathesis generates requests from the OpenAPI schema: all get declared responses."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from schemathesis_hooks import IN_WORDS
from sqlalchemy import select

from homei.warehouse.tables import audit

HERE = Path(__file__).parent
OPERATIONS = {
    "GET /api/v1/properties/search", "GET /api/v1/properties/{property_id}", "GET /api/v1/analytics/market-trends",
    "POST /api/v1/feedback", "POST /api/v1/predict/price", "POST /api/v1/predict/batch", "POST /api/v1/token",
}  # fmt: skip


IS_NIGHTLY = bool(os.environ.get("HOMEI_NIGHTLY"))
PHASES = "examples,coverage,fuzzing" if IS_NIGHTLY else "examples,fuzzing"
# Generated examples of each operation, and requests of all phases together.
N_EXAMPLES, MIN_REQUESTS = (200, 2000) if IS_NIGHTLY else (50, 300)


@pytest.fixture
def run_schemathesis(service):
    """Runs schemathesis and returns how often each action got each status, from the audit trail."""

    def run(token, *options):
        earlier = count_requests(service)
        program = Path(sys.executable).with_name("st")
        command = [program, "--no-color", "--config-file", HERE / "schemathesis.toml", "run", *options]
        environment = os.environ | {"HOMEI_TEST_TOKEN": token, "PYTHONPATH": str(HERE.parent)}
        url = f"{service.url}/openapi.json"
        result = subprocess.run([*command, url], cwd=service.folder, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return count_requests(service) - earlier

    return run


def count_requests(service):
    with service.session(service.token("boss", "predict")) as client:
        service.audit_row(client.get("/api/v1/the-last-one").headers["x-request-id"])
    with service.engine.connect() as connection:
        return Counter(
            (row.action, row.details["status"])
            for row in connection.execute(select(audit.c.action, audit.c.details)).all()
            if "status" in row.details
        )


def test_generated_requests_get_what_openapi_promises(service, run_schemathesis):
    token = service.token("boss", "predict", "analytics", "feedback")
    counts = run_schemathesis(token, f"-n{N_EXAMPLES}", f"--phases={PHASES}")
    assert counts.total() >= MIN_REQUESTS
    for operation in OPERATIONS:
        assert sum(count for (action, _), count in counts.items() if action == operation) >= 0.8 * N_EXAMPLES
    for operation in OPERATIONS - {"POST /api/v1/token"}:
        n_accepted = sum(count for (action, status), count in counts.items() if action == operation and status < 300)
        assert n_accepted >= N_EXAMPLES / 10, f"{operation} accepted hardly any request"
    assert not any(status >= 500 or status == 403 for _, status in counts)


def test_a_token_opens_no_route_outside_its_scope(service, run_schemathesis):
    options = ("--phases=fuzzing", "-n20", "--exclude-path=/api/v1/token")
    counts = run_schemathesis(service.token("boss", "feedback"), *options)
    assert counts.total() >= 100
    assert {action for action, status in counts if status < 300} <= {"POST /api/v1/feedback"}
    assert counts["POST /api/v1/predict/price", 403] >= 15


def test_openapi_lists_each_operation_and_describes_rules_that_json_schema_cannot_express(service):
    text = httpx.get(f"{service.url}/openapi.json").text
    paths = httpx.get(f"{service.url}/openapi.json").json()["paths"]
    assert {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations} == OPERATIONS
    assert [words for words in IN_WORDS.values() if words not in text] == []
