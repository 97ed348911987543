"""What can go wrong on the way in is told in one sentence that holds no secret."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
from project_copy import free_port

from homei.warehouse.config import PublishConfig
from homei.warehouse.connection import WarehouseError, connect, reading, writing
from homei.warehouse.schema import migrate

SETTINGS = PublishConfig(address="HOMEI_WAREHOUSE", file="data/warehouse/homei.db")
SECRET = "hunter2"


@pytest.fixture
def refused(monkeypatch, tmp_path):
    """What is said of a warehouse at an address, which is never the password."""
    monkeypatch.chdir(tmp_path)

    def ask(address):
        monkeypatch.setenv(SETTINGS.address, address)
        with pytest.raises(WarehouseError) as caught, reading(connect(SETTINGS)) as connection:
            connection.exec_driver_sql("select 1")
        message = str(caught.value)
        assert SECRET not in message
        assert caught.value.__cause__ is None or SECRET not in str(caught.value.__cause__)
        return message

    return ask


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql//user:{SECRET}@host/db",
        f"mysql://user:{SECRET}@host/db",
        SECRET,
        f"postgresql://u:{SECRET}@host:port/d",
    ],
)
def test_an_invalid_url_is_not_repeated_in_the_message(refused, address):
    assert refused(address).startswith(
        "HOMEI_WAREHOUSE is not the URL of a warehouse: set it to postgresql://user:password@"
    )


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:"])
def test_a_warehouse_in_memory_is_refused(refused, address):
    assert refused(address) == "HOMEI_WAREHOUSE names no file: a warehouse in memory would not outlive the command"


def test_an_unreachable_server_is_named_without_user_and_password(refused):
    port = free_port()
    message = refused(f"postgresql://ada:{SECRET}@127.0.0.1:{port}/homei?sslpassword={SECRET}")
    assert message.startswith(f"postgresql://127.0.0.1:{port}/homei: ")
    assert "refused" in message
    assert "ada" not in message


def test_a_missing_database_or_role_is_named(refused, server):
    at = f"127.0.0.1:{server.port}"
    assert 'database "elsewhere" does not exist' in refused(f"postgresql://postgres:{SECRET}@{at}/elsewhere")
    assert 'role "nobody" does not exist' in refused(f"postgres://nobody:{SECRET}@{at}/postgres")


def test_a_role_without_write_permission_gets_an_error_that_says_so(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    admin = sqlalchemy.create_engine(server.url)
    with admin.begin() as connection:
        connection.exec_driver_sql(f"create role reader login password '{SECRET}'")
        connection.exec_driver_sql("grant usage on schema public to reader")
        connection.exec_driver_sql("revoke create on schema public from public")
    admin.dispose()
    monkeypatch.setenv(SETTINGS.address, f"postgresql://reader:{SECRET}@127.0.0.1:{server.port}/postgres")
    with pytest.raises(WarehouseError, match=r"permission denied for (schema|table)") as caught:
        migrate(connect(SETTINGS))
    assert SECRET not in str(caught.value)


def test_a_file_that_is_no_database_is_named(refused, tmp_path):
    (tmp_path / "notes.db").write_text("not a database, " * 100)
    assert refused(f"sqlite:///{tmp_path}/notes.db") == f"sqlite:///{tmp_path}/notes.db: file is not a database"


def test_without_the_driver_the_remedy_is_named(monkeypatch, tmp_path):
    code = "import sys; sys.modules['psycopg'] = None; from homei.warehouse.config import PublishConfig; "
    code += "from homei.warehouse.connection import connect; connect(PublishConfig(address='HOMEI_WAREHOUSE', file=''))"
    monkeypatch.setenv(SETTINGS.address, f"postgresql://ada:{SECRET}@127.0.0.1/homei")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "WarehouseError: HOMEI_WAREHOUSE names PostgreSQL: pip install 'homei[postgresql]'" in done.stderr
    assert SECRET not in done.stderr


def test_without_an_address_the_warehouse_is_a_file_that_readers_share_with_a_writer(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SETTINGS.address, raising=False)
    engine = connect(SETTINGS)
    with writing(engine) as connection:
        connection.exec_driver_sql("create table thing (size integer)")
    with writing(engine) as writer, reading(engine) as reader:
        writer.exec_driver_sql("insert into thing values (1)")
        assert reader.exec_driver_sql("select count(*) from thing").scalar_one() == 0
    assert Path(SETTINGS.file).exists()


def test_a_reader_may_not_write(engine):
    with pytest.raises(WarehouseError, match=r"read-?only (transaction|database)"), reading(engine) as connection:
        connection.exec_driver_sql("delete from publication")
