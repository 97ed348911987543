"""`homei key`, `homei client` and `homei audit`, as an operator types them."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
import warehouses
from click.testing import CliRunner

from homei.cli.main import cli
from homei.config import params
from homei.serving.auth.clients import ClientError
from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import connect, writing
from homei.warehouse.tables import audit

REPOSITORY = Path(__file__).parents[2]
WAREHOUSE = Path("data/warehouse/homei.db")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HOMEI_WAREHOUSE", "HOMEI_AUDIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOMEI_KEYS", str(tmp_path / "keys"))
    Path("params.yaml").write_text(params.compose(["city=demo"], REPOSITORY / "params"))
    warehouses.migrated_file(WAREHOUSE)


def run(*arguments, fails=False):
    done = CliRunner().invoke(cli, arguments)
    assert bool(done.exit_code) == fails, done.output
    return done


def cut_last_entry():
    engine = connect(PublishConfig(address="HOMEI_WAREHOUSE", file=str(WAREHOUSE)))
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_keeps_delete")
        connection.execute(audit.delete().where(audit.c.number == 3))
    engine.dispose()


def test_keys_are_created_and_listed():
    first = run("key", "new").stdout.split()[0]
    second = run("key", "new").stdout.split()[0]
    assert run("key", "list").stdout.split() == [first, "EdDSA", "verifies", second, "EdDSA", "signs"]


def test_without_a_key_folder_the_error_names_its_variable(monkeypatch):
    monkeypatch.delenv("HOMEI_KEYS")
    assert "HOMEI_KEYS" in str(run("key", "new", fails=True).exception)


def test_a_secret_is_shown_only_when_its_client_is_added():
    output = run(
        "client", "add", "partner", "--scope", "predict", "--scope", "analytics", "--rate", "20"
    ).stdout.split()
    assert output[:2] == ["client_id", "partner"]
    secret = output[3]
    assert len(secret) == 43
    listed = run("client", "list").stdout
    assert listed.split()[:3] == ["partner", "analytics,predict", "20/s"]
    assert secret not in listed
    run("client", "revoke", "partner")
    assert "revoked" in run("client", "list").stdout
    kept = b"".join(file.read_bytes() for file in Path().rglob("*") if file.is_file())
    assert b"$argon2id$" in kept
    assert secret.encode() not in kept


def test_adding_a_client_creates_and_migrates_no_tables():
    WAREHOUSE.write_bytes(b"")
    message = str(run("client", "add", "partner", "--scope", "predict", fails=True).exception)
    assert "is empty: run `homei publish`, or `homei migrate` for the tables alone" in message
    assert not tables_of(WAREHOUSE)


def tables_of(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name FROM sqlite_master").fetchall()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "partner", "--scope", "everything"], "predict, analytics, feedback, admin"),
        (["add", "anna@example.com", "--scope", "predict"], "is no client name"),
        (["add", "Partner", "--scope", "predict"], "is no client name"),
        (["revoke", "nobody"], "there is no client nobody"),
    ],
)
def test_a_wrong_argument_is_an_error_that_says_what_to_do(arguments, message):
    run("client", "add", "other", "--scope", "predict")
    failed = run("client", *arguments, fails=True).exception
    assert isinstance(failed, ClientError)
    assert message in str(failed)


def test_the_name_of_a_revoked_client_cannot_be_used_again():
    run("client", "add", "partner", "--scope", "predict")
    for _ in range(2):
        assert "choose another name" in str(run("client", "add", "partner", "--scope", "admin", fails=True).exception)
        run("client", "revoke", "partner", fails=_ == 1)


def test_verify_finds_entries_that_were_cut_off_the_trail():
    for name in ("one", "two"):
        run("client", "add", name, "--scope", "predict")
    run("client", "revoke", "one")
    output = run("audit", "verify").stdout
    assert output.startswith("all 3 entries are intact; head 3:")
    noted = output.split()[-1]
    cut_last_entry()
    fault = "entry 3 is missing: 1 entries were cut off the end; the 2 entries before it are intact"
    assert fault in run("audit", "verify", fails=True).output
    Path("data/audit/head.txt").unlink()
    assert "has no head.txt" in run("audit", "verify").stderr
    assert "entry 3 is missing" in run("audit", "verify", "--head", noted, fails=True).output
    assert "is not NUMBER:HASH" in str(run("audit", "verify", "--head", "3:x", fails=True).exception)
