"""What must be settled before a service starts, and that it doesn't start otherwise."""

import asyncio
import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest

from homei import params
from homei.config import Publish
from homei.serve.access import clients, keys
from homei.serve.access.launching import UnsafeError, encryption, entrance
from homei.serve.access.loopback import LoopbackOnly, is_loopback
from homei.warehouse.connection import WarehouseError, connect
from homei.warehouse.schema import migrate

NOW = datetime.datetime.now(datetime.UTC)
REPOSITORY = Path(__file__).parents[3]
PUBLISH = Publish(address="HOMEI_WAREHOUSE", file="data/warehouse/homei.db")


@pytest.fixture(autouse=True)
def empty_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HOMEI_KEYS", "HOMEI_WAREHOUSE", "HOMEI_AUDIT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def keyed(tmp_path, monkeypatch):
    keys.make(tmp_path / "keys", NOW)
    monkeypatch.setenv("HOMEI_KEYS", "keys")
    engine = connect(PUBLISH)
    migrate(engine)
    yield engine
    engine.dispose()


def test_without_keys_a_service_is_for_this_machine_and_says_so():
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        found = entrance(host, PUBLISH)
        assert "runs open" in found.notes[0]
        assert found.environment == {}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "10.0.0.1", "::ffff:10.0.0.1", "example.com", ""])
def test_without_keys_it_does_not_start_where_others_reach_it(host):
    assert not is_loopback(host)
    with pytest.raises(UnsafeError, match="homei key new"):
        entrance(host, PUBLISH)


def test_the_command_itself_refuses_to_start(tmp_path):
    (tmp_path / "params.yaml").write_text(params.compose(["source=demo"], REPOSITORY / "params"))
    command = [sys.executable, "-m", "homei", "serve", "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, env=dict(os.environ))
    assert done.returncode == 1
    assert "0.0.0.0 can be reached from other machines, and without keys anyone may ask" in done.stderr
    assert not done.stdout


def test_with_keys_it_starts_anywhere_and_hands_on_what_the_bento_needs(keyed, tmp_path):
    clients.add(keyed, tmp_path / "data/audit", "partner", ["predict"])
    found = entrance("0.0.0.0", PUBLISH)
    assert found.environment == {
        "HOMEI_KEYS": str(tmp_path / "keys"),
        "HOMEI_AUDIT": str(tmp_path / "data/audit"),
    }
    assert "1 clients" in found.notes[0]
    assert "unencrypted" in found.notes[1]


def test_a_key_that_others_can_read_and_a_warehouse_without_tables_keep_it_from_starting(tmp_path, monkeypatch):
    keys.make(tmp_path / "keys", NOW)
    monkeypatch.setenv("HOMEI_KEYS", "keys")
    with pytest.raises(WarehouseError, match="homei publish"):
        entrance("0.0.0.0", PUBLISH)
    next((tmp_path / "keys").iterdir()).chmod(0o644)
    with pytest.raises(keys.UnusableKeyError, match="chmod 600"):
        entrance("0.0.0.0", PUBLISH)


def test_a_certificate_and_its_key_make_it_https(keyed, certify, tmp_path):
    certificate, key = certify(tmp_path)
    found = entrance("0.0.0.0", PUBLISH, certificate, key)
    assert found.scheme == "https"
    assert found.options == ("--ssl-certfile", str(certificate), "--ssl-keyfile", str(key))
    assert not [note for note in found.notes if "unencrypted" in note]


def test_a_certificate_that_is_none_is_told(certify, tmp_path):
    certificate, key = certify(tmp_path)
    _, other = certify(tmp_path, "other")
    with pytest.raises(UnsafeError, match="both"):
        encryption(certificate, None)
    with pytest.raises(UnsafeError, match="is not there"):
        encryption(certificate, tmp_path / "none")
    with pytest.raises(UnsafeError, match="no certificate and its key"):
        encryption(certificate, other)
    key.chmod(0o640)
    with pytest.raises(keys.UnusableKeyError, match="chmod 600"):
        encryption(certificate, key)


@pytest.mark.parametrize(
    ("server", "status"),
    [(("127.0.0.1", 3000), 200), (("::1", 3000), 200), (("/run/s", None), 200), (("10.0.0.1", 3000), 403)],
)
def test_an_open_service_answers_nothing_that_comes_by_another_address(server, status):
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        sent.append(message)

    asyncio.run(LoopbackOnly(app)({"type": "http", "server": server}, None, send))
    assert sent[0]["status"] == status
