"""Checks before a service starts."""

import asyncio
import contextlib
import datetime
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from live_server import live_server

from homei.config import params
from homei.serving.auth import clients, signing_keys
from homei.serving.auth.middleware import LoopbackOnlyMiddleware, is_loopback
from homei.serving.auth.startup_checks import UnsafeError, check_access, tls_options
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import WarehouseError, connect
from homei.warehouse.schema import migrate

NOW = datetime.datetime.now(datetime.UTC)
REPOSITORY = Path(__file__).parents[3]
PUBLISH = PublishConfig(address="HOMEI_WAREHOUSE", file="data/warehouse/homei.db")


@pytest.fixture(autouse=True)
def empty_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HOMEI_KEYS", "HOMEI_WAREHOUSE", "HOMEI_AUDIT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def keyed(tmp_path, monkeypatch):
    signing_keys.create_key(tmp_path / "keys", NOW)
    monkeypatch.setenv("HOMEI_KEYS", "keys")
    engine = connect(PUBLISH)
    migrate(engine)
    yield engine
    engine.dispose()


def test_without_keys_a_service_runs_open_on_loopback():
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        found = check_access(host, PUBLISH)
        assert "runs open" in found.notes[0]
        assert found.environment == {}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "10.0.0.1", "::ffff:10.0.0.1", "example.com", ""])
def test_without_keys_it_does_not_start_on_other_addresses(host):
    assert not is_loopback(host)
    with pytest.raises(UnsafeError, match="homei key new"):
        check_access(host, PUBLISH)


def test_the_command_itself_refuses_to_start(tmp_path):
    (tmp_path / "params.yaml").write_text(params.compose(["city=demo"], REPOSITORY / "params"))
    command = [sys.executable, "-m", "homei", "serve", "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, env=dict(os.environ))
    assert done.returncode == 1
    assert "other machines can reach 0.0.0.0, and without keys anyone could use the service" in done.stderr
    assert not done.stdout


def test_with_keys_it_starts_anywhere_with_the_environment_of_the_bento(keyed, tmp_path):
    clients.add_client(keyed, tmp_path / "data/audit", "partner", ["predict"])
    found = check_access("0.0.0.0", PUBLISH)
    assert found.environment == {
        "HOMEI_KEYS": str(tmp_path / "keys"),
        "HOMEI_AUDIT": str(tmp_path / "data/audit"),
    }
    assert "1 clients" in found.notes[0]
    assert "unencrypted" in found.notes[1]


def test_a_readable_key_or_an_empty_warehouse_prevents_the_start(tmp_path, monkeypatch):
    signing_keys.create_key(tmp_path / "keys", NOW)
    monkeypatch.setenv("HOMEI_KEYS", "keys")
    with pytest.raises(WarehouseError, match="homei publish"):
        check_access("0.0.0.0", PUBLISH)
    next((tmp_path / "keys").iterdir()).chmod(0o644)
    with pytest.raises(signing_keys.UnusableKeyError, match="chmod 600"):
        check_access("0.0.0.0", PUBLISH)


def test_a_certificate_and_its_key_make_it_https(keyed, certify, tmp_path):
    certificate, key = certify(tmp_path)
    found = check_access("0.0.0.0", PUBLISH, certificate, key)
    assert found.scheme == "https"
    assert found.options[:4] == ("--ssl-certfile", str(certificate), "--ssl-keyfile", str(key))
    assert not [note for note in found.notes if "unencrypted" in note]


@pytest.mark.parametrize(
    ("version", "cipher", "is_accepted"),
    [
        (ssl.TLSVersion.TLSv1_3, None, True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA", False),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384", False),
    ],
)
def test_https_accepts_only_modern_ciphers(certify, tmp_path, version, cipher, is_accepted):
    certificate, key, ciphers = tls_options(*certify(tmp_path))[1::2]
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.minimum_version = client.maximum_version = version
    if cipher:
        client.set_ciphers(cipher)
    client.load_verify_locations(certificate)
    options = {"ssl_certfile": certificate, "ssl_keyfile": key, "ssl_ciphers": ciphers}

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with live_server(app, **options) as url:
        port = urlsplit(url).port
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            expected = contextlib.nullcontext() if is_accepted else pytest.raises(ssl.SSLError)
            with expected, client.wrap_socket(connection, server_hostname="localhost") as secured:
                assert secured.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


def test_an_unusable_certificate_is_an_error(certify, tmp_path):
    certificate, key = certify(tmp_path)
    _, other = certify(tmp_path, "other")
    with pytest.raises(UnsafeError, match="both"):
        tls_options(certificate, None)
    with pytest.raises(UnsafeError, match="does not exist"):
        tls_options(certificate, tmp_path / "none")
    with pytest.raises(UnsafeError, match="no certificate and its key"):
        tls_options(certificate, other)
    key.chmod(0o640)
    with pytest.raises(signing_keys.UnusableKeyError, match="chmod 600"):
        tls_options(certificate, key)


LOCAL = {"server": ("127.0.0.1", 3000), "client": ("127.0.0.1", 50_000), "headers": [(b"host", b"localhost:3000")]}
ORIGINS = {
    "this machine": ({}, 200),
    "this machine by IPv6": ({"server": ("::1", 3000), "headers": [(b"host", b"[::1]:3000")]}, 200),
    "a Unix socket": ({"server": ("/run/s", None), "client": None}, 200),
    "an address of the network": ({"server": ("10.0.0.1", 3000)}, 403),
    "another machine": ({"client": ("10.0.0.2", 50_000)}, 403),
    "a page whose name resolves to this machine": ({"headers": [(b"host", b"attacker.example:3000")]}, 403),
    "a page whose name looks local": ({"headers": [(b"host", b"localhost.attacker.example")]}, 403),
    "a Host that is none": ({"headers": [(b"host", b"[")]}, 403),
    "a proxy": ({"headers": [(b"host", b"localhost"), (b"x-forwarded-for", b"127.0.0.1")]}, 403),
    "a proxy by RFC 7239": ({"headers": [(b"host", b"localhost"), (b"forwarded", b"for=127.0.0.1")]}, 403),
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_open_service_answers_only_requests_from(origin):
    changes, status = ORIGINS[origin]
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        sent.append(message)

    asyncio.run(LoopbackOnlyMiddleware(app)({"type": "http", **LOCAL, **changes}, None, send))
    assert sent[0]["status"] == status
    if status == 403:
        assert b"set HOMEI_KEYS" in sent[1]["body"]
