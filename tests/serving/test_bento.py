import datetime
import json
import shutil
import socket
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import warehouses
from bentos import answering, homes, inside, package_it, running
from project_copy import free_port
from sqlalchemy import select

from homei.registry import package
from homei.serving import launch
from homei.serving.audit import chain
from homei.serving.audit.head_file import HeadFile
from homei.serving.auth import clients, signing_keys
from homei.serving.auth.startup_checks import auth_environment, tls_options
from homei.serving.contract import read
from homei.serving.predictor import Predictor
from homei.serving.property_model import property_model, rows_of
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect, reading
from homei.warehouse.schema import migrate
from homei.warehouse.tables import predictions

REPOSITORY = Path(__file__).resolve().parents[2]
PRICE, BATCH = "/api/v1/predict/price", "/api/v1/predict/batch"


@pytest.fixture(scope="module")
def project(packaged):
    """The project of the Bento, as the current folder."""
    with inside(packaged):
        yield packaged


@pytest.fixture(scope="module")
def bento(project):
    return launch.checked_bento()


@pytest.fixture(scope="module")
def url(bento_url):
    return bento_url


def test_the_bento_answers_without_the_repository(url, away):
    folder, environment = away
    imported = subprocess.run([sys.executable, "-c", "import homei"], cwd=folder, env=environment, capture_output=True)
    assert b"this is the repository" in imported.stderr
    example = json.loads((folder / "bento" / "src" / "service.json").read_text())["example"]
    answer = httpx.post(url + PRICE, json=example).json()
    assert answer["interval"]["low"] < answer["predicted_price"] < answer["interval"]["high"]
    assert answer["currency"] == "EUR"
    assert answer["as_of"] == "2025-12-31"


def test_single_batch_and_direct_valuations_are_equal_to_the_last_digit(url, bento):
    contract = read(bento / "src")
    predictor = Predictor.load(bento / "src", contract)
    rows = list(homes(contract, 200))
    body = json.dumps({"properties": rows})
    model = property_model(contract)
    direct = predictor.value(rows_of([model.model_validate(row) for row in json.loads(body)["properties"]], contract))
    assert {flag for answer in direct for flag in answer["flags"]} >= {"unknown_location", "unusual_area"}
    headers = {"content-type": "application/json"}
    assert httpx.post(url + BATCH, content=body, headers=headers, timeout=60).json()["valuations"] == direct
    with httpx.Client(base_url=url) as client:
        assert [client.post(PRICE, json=row).json() for row in rows] == direct


def test_reasons_add_up_to_the_price_of_every_property(url, bento):
    rows = list(homes(read(bento / "src"), 200))
    asked = {"params": {"include": "reasons"}, "timeout": 60}
    explained = httpx.post(url + BATCH, json={"properties": rows}, **asked).json()["valuations"]
    for answer in explained:
        reasons = answer["reasons"]
        parts = [reasons["start"], *(part["amount"] for part in reasons["contributions"])]
        assert sum(Decimal(repr(part)) for part in parts) == Decimal(repr(answer["predicted_price"]))
    assert explained[7] == httpx.post(url + PRICE, json=rows[7], **asked).json()


def test_a_batch_of_ten_thousand_equals_single_valuations_and_a_larger_one_is_refused(url):
    homes = [{"square_meters": 70.5 + step, "property_type": "flat", "location": "harbour"} for step in range(5)]
    alone = [httpx.post(url + PRICE, json=home, timeout=60).json() for home in homes]
    answer = httpx.post(url + BATCH, json={"properties": homes * 2_000}, timeout=60)
    assert answer.json()["valuations"] == alone * 2_000
    assert httpx.post(url + BATCH, json={"properties": homes * 2_001}, timeout=60).status_code == 422


def test_a_body_of_32_megabytes_is_refused(url):
    response = httpx.post(
        url + PRICE, content=b" " * (32 << 20), headers={"content-type": "application/json"}, timeout=60
    )
    assert response.status_code == 413
    assert response.json()["errors"][0]["field"] == "body"


def test_probes_metrics_and_docs_are_there(url):
    for probe in ("/healthz", "/livez", "/readyz"):
        assert httpx.get(url + probe).status_code == 200
    httpx.post(url + PRICE, json={})
    httpx.get(url + "/api/v1/properties/somebody's-home")
    counted = httpx.get(url + "/metrics").text
    assert 'homei_requests_total{method="POST",route="/api/v1/predict/price",status="422"}' in counted
    assert 'route="/api/v1/properties/{property_id}",status="503"' in counted and "somebody" not in counted
    assert 'homei_valuation_requests_refused_total{status="422"}' in counted
    assert 'homei_model_info{data_version="' in counted
    page = httpx.get(url + "/", follow_redirects=True).text
    assert "https://" not in page
    assert httpx.get(url + "/docs-assets/swagger-ui-bundle.js").status_code == 200


def test_a_bento_names_a_warehouse_that_is_away_and_each_line_of_its_log_is_json(away, tmp_path):
    publish = PublishConfig(address="HOMEI_WAREHOUSE", file=str(tmp_path / "warehouse.db"))
    warehouses.publish(publish)
    settings = {publish.address: f"sqlite:///{publish.file}", "HOMEI_LOGS": "json"}
    with (tmp_path / "log").open("wb") as log, answering(away, "127.0.0.1", settings=settings, log=log) as url:

        def has_warehouse():
            return httpx.get(url + "/readyz").raise_for_status().json()["capabilities"]["warehouse"]

        Path(publish.file).rename(tmp_path / "elsewhere")
        assert becomes(lambda: not has_warehouse()), (tmp_path / "log").read_text()
        assert httpx.get(url + "/livez").status_code == 200
        home = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
        assert httpx.post(url + PRICE, json=home).status_code == 200
        assert httpx.post(url + PRICE, json={}).status_code == 422
        (tmp_path / "elsewhere").rename(publish.file)
        assert becomes(has_warehouse), "still away"
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {"bentoml.serve", "homei.requests"} <= {line["logger"] for line in lines}
    assert all({"time", "level", "message"} <= line.keys() for line in lines)


def becomes(is_so, seconds=15):
    end = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


METRICS = [
    "homei_requests_total", "homei_request_seconds_bucket", "homei_requests_in_flight", "homei_model_info",
    "homei_valuations_total", "homei_valuations_beyond_knowledge_total", "homei_valuation_flags_total",
    "homei_interval_relative_width_bucket", "homei_valuation_requests_refused_total",
    "homei_prediction_lines_total", "homei_prediction_spool_bytes", "process_cpu_seconds_total",
]  # fmt: skip


def test_metrics_cover_requests_versions_variants_widths_and_flags(url):
    homes = [{"square_meters": area, "property_type": "flat", "location": "harbour"} for area in (70.5, 209.0)]
    assert httpx.post(url + BATCH, json={"properties": homes}).status_code == 200
    httpx.post(url + PRICE, json={})
    told = []

    def is_there():
        told[:] = [line for line in httpx.get(url + "/metrics").text.splitlines() if not line.startswith("#")]
        return all(any(line.startswith((f"{name}{{", f"{name} ")) for line in told) for name in METRICS)

    assert becomes(is_there), set(METRICS) - {line.partition("{")[0].partition(" ")[0] for line in told}
    of_variants = [line for line in told if line.startswith(("homei_valuations", "homei_interval", "homei_model_info"))]
    assert of_variants and all('variant="latest"' in line for line in of_variants)
    (info,) = [line for line in told if line.startswith("homei_model_info")]
    assert 'model_version="' in info and 'data_version="' in info


def test_a_bento_without_keys_answers_on_loopback_only_however_it_was_started(url):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address that this machine would send from
        except OSError:
            pytest.skip("this machine has no address but loopback")
        other = probe.getsockname()[0]
    refused = httpx.get(f"http://{other}:{urlsplit(url).port}/metrics")
    assert refused.status_code == 403
    assert "HOMEI_KEYS" in refused.text
    assert httpx.get(url + "/metrics").status_code == 200


def test_a_bento_with_keys_requires_tokens_over_tls_and_writes_its_trail_before_it_ends(
    away, certify, tmp_path, monkeypatch
):
    signing_keys.create_key(tmp_path / "keys", datetime.datetime.now(datetime.UTC))
    monkeypatch.setenv("HOMEI_AUDIT", str(tmp_path / "apart"))
    publish = PublishConfig(address="HOMEI_WAREHOUSE", file=str(tmp_path / "warehouse.db"))
    engine = connect(publish)
    migrate(engine)
    secret = clients.add_client(engine, tmp_path / "apart", "boss", ["predict", "admin"])
    options = tls_options(*certify(tmp_path))
    settings = auth_environment(tmp_path / "keys") | {publish.address: f"sqlite:///{publish.file}"}
    settings |= {"HOMEI_PREDICTIONS": str(tmp_path / "waiting"), "HOMEI_VARIANT": "champion"}
    with answering(away, "0.0.0.0", options, settings) as url, httpx.Client(base_url=url, verify=False) as client:
        home = {"square_meters": 70.5, "property_type": "flat", "location": "harbour"}
        assert [client.post(PRICE, json=home).status_code, client.get("/metrics").status_code] == [401, 401]
        grant = {"grant_type": "client_credentials", "client_id": "boss", "client_secret": secret}
        bearer = {"authorization": f"Bearer {client.post('/api/v1/token', data=grant).json()['access_token']}"}
        assert client.get("/metrics", headers=bearer).status_code == 200
        valued = [client.post(PRICE, json=home, headers=bearer) for _ in range(50)]
        assert [answer.status_code for answer in valued] == [200] * 50
    with reading(engine) as connection:
        lines = list(chain.read_rows(connection))
        assert chain.verify(lines, HeadFile(tmp_path / "apart").read()).fault is None
        kept = connection.execute(select(predictions)).mappings().all()
    assert {line["prediction_id"] for line in kept} == {answer.headers["x-prediction-id"] for answer in valued}
    assert len(kept) == 50
    assert {(line["client"], line["variant"]) for line in kept} == {("boss", "champion")}
    engine.dispose()
    assert [line["action"] for line in lines].count(f"POST {PRICE}") == 51
    assert lines[-1]["action"] == "service.stop"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /\xff HTTP/1.1\r\nHost: localhost",
        b"GET /%ff%00%0a HTTP/1.1\r\nHost: localhost",
        b"POST /api/v1/predict/price HTTP/1.1\r\nHost: \xff\xfe\r\nContent-Length: 0",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /api/v1/predict/price HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1",
        b"POST /api/v1/predict/price HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999",
        b"POST /api/v1/predict/price HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        b"BREW /api/v1/predict/price HTTP/1.1\r\nHost: localhost",
    ],
)
def test_no_request_line_or_header_makes_the_service_fail(url, head):
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=30) as connection:
        connection.sendall(head + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100)[:10] in (b"HTTP/1.1 4", b"")
    assert httpx.get(url + "/readyz").status_code == 200


def test_serving_imports_no_spark(away):
    folder, environment = away
    code = "import sys, homei.serving.service; print([name for name in sys.modules if name.startswith('pyspark')])"
    inside = environment | {"PYTHONPATH": str(folder / "bento" / "src")}
    found = subprocess.run([sys.executable, "-c", code], cwd=folder, env=inside, capture_output=True, text=True)
    assert found.stdout == "[]\n", found.stderr


def test_packaging_again_leaves_every_byte(project, bento):
    before = package.RECORD.read_bytes()
    kept = bento.stat().st_ino
    package_it()
    assert bento.stat().st_ino == kept
    package.RECORD.unlink()
    package_it()
    assert package.RECORD.read_bytes() == before
    assert bento.stat().st_ino != kept


def test_a_changed_bento_is_not_served(project, bento):
    model = bento / "src" / "valuation" / "meta.json"
    before = model.read_bytes()
    model.write_bytes(before.replace(b"0", b"1", 1))
    try:
        with pytest.raises(launch.LaunchError, match=r"meta\.json: its bytes"):
            launch.checked_bento()
    finally:
        model.write_bytes(before)


@pytest.mark.slow
def test_a_bento_that_is_missing_in_the_store_is_packaged_again(project, bento):
    shutil.rmtree(bento)
    assert launch.checked_bento() == bento
    assert package.verify_bento() == []


def test_a_port_in_use_is_an_error_that_names_the_option(project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(launch.LaunchError, match="--port"):
            launch.launch("127.0.0.1", taken.getsockname()[1])


@pytest.mark.slow
def test_launch_serves_the_recorded_bento(project, bento):
    port = free_port()
    code = f"from homei.serving.launch import launch; launch('127.0.0.1', {port})"
    with running([sys.executable, "-c", code], f"http://127.0.0.1:{port}", cwd=project) as url:
        assert httpx.post(url + PRICE, json={}).status_code == 422
