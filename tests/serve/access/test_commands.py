"""`homei key`, `homei client` and `homei audit`, as an operator types them."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from homei import params
from homei.cli import cli
from homei.config import Publish
from homei.serve.access.clients import ClientError
from homei.warehouse.connection import connect, writing
from homei.warehouse.tables import audit

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HOMEI_WAREHOUSE", "HOMEI_AUDIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOMEI_KEYS", str(tmp_path / "keys"))
    Path("params.yaml").write_text(params.compose(["source=demo"], REPOSITORY / "params"))


def run(*arguments, fails=False):
    done = CliRunner().invoke(cli, arguments)
    assert bool(done.exit_code) == fails, done.output
    return done


def cut_the_last_line():
    engine = connect(Publish(address="HOMEI_WAREHOUSE", file="data/warehouse/homei.db"))
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_keeps_delete")
        connection.execute(audit.delete().where(audit.c.number == 3))
    engine.dispose()


def test_keys_are_made_and_listed():
    first = run("key", "new").stdout.split()[0]
    second = run("key", "new").stdout.split()[0]
    assert run("key", "list").stdout.split() == [first, "EdDSA", "checks", second, "EdDSA", "signs"]


def test_without_a_folder_for_keys_its_variable_is_named(monkeypatch):
    monkeypatch.delenv("HOMEI_KEYS")
    assert "HOMEI_KEYS" in str(run("key", "new", fails=True).exception)


def test_a_secret_is_shown_when_its_client_is_added_and_never_again():
    told = run("client", "add", "partner", "--scope", "predict", "--scope", "analytics", "--rate", "20").stdout.split()
    assert told[:2] == ["client_id", "partner"]
    secret = told[3]
    assert len(secret) == 43
    listed = run("client", "list").stdout
    assert listed.split()[:3] == ["partner", "analytics,predict", "20/s"]
    assert secret not in listed
    run("client", "revoke", "partner")
    assert "revoked" in run("client", "list").stdout
    kept = b"".join(file.read_bytes() for file in Path().rglob("*") if file.is_file())
    assert b"$argon2id$" in kept
    assert secret.encode() not in kept


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["add", "partner", "--scope", "everything"], "predict, analytics, feedback, admin"),
        (["add", "anna@example.com", "--scope", "predict"], "is no name for a client"),
        (["add", "Partner", "--scope", "predict"], "is no name for a client"),
        (["revoke", "nobody"], "there is no client nobody"),
    ],
)
def test_a_slip_is_told(arguments, told):
    run("client", "add", "other", "--scope", "predict")
    failed = run("client", *arguments, fails=True).exception
    assert isinstance(failed, ClientError)
    assert told in str(failed)


def test_a_name_is_given_once_even_after_it_was_revoked():
    run("client", "add", "partner", "--scope", "predict")
    for _ in range(2):
        assert "stays its own" in str(run("client", "add", "partner", "--scope", "admin", fails=True).exception)
        run("client", "revoke", "partner", fails=_ == 1)


def test_the_trail_has_what_the_operator_did_and_verify_finds_what_was_cut_off():
    for name in ("one", "two"):
        run("client", "add", name, "--scope", "predict")
    run("client", "revoke", "one")
    told = run("audit", "verify").stdout
    assert told.startswith("all 3 lines are whole; head 3:")
    noted = told.split()[-1]
    cut_the_last_line()
    assert (
        "line 3 is missing: 1 lines were cut off the end; 2 lines before are whole"
        in run("audit", "verify", fails=True).output
    )
    Path("data/audit/head.txt").unlink()
    assert "no head" in run("audit", "verify").stderr
    assert "line 3 is missing" in run("audit", "verify", "--head", noted, fails=True).output
    assert "is no head" in str(run("audit", "verify", "--head", "3:x", fails=True).exception)
