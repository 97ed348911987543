"""Who someone is reaches no byte of the lake: names, e-mails and phones of the demo's CRM and register."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from homei import lake

PERSONAL = {"crm/customers.csv": ("name", "email", "phone"), "sales.csv": ("seller", "buyer")}


@pytest.fixture(scope="module")
def secrets(demo_lake, demo_source):
    """All that the simulated world says of who people are."""
    world, found = demo_lake / demo_source.folder / "world", set()
    for name, columns in PERSONAL.items():
        with (world / name).open(encoding="utf-8", newline="") as file:
            found |= {row[column] for row in csv.DictReader(file) for column in columns if len(row[column]) > 5}
    assert len(found) > 5000
    return found


def texts_of(path: Path) -> set[str]:
    """Every text in a Parquet file, whose pages are compressed, or the words and lines of any other file."""
    if path.suffix == ".parquet":
        columns = (column.to_pylist() for column in pq.read_table(path).columns)
        return {value for column in columns for value in column if isinstance(value, str)}
    return {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}


@pytest.mark.parametrize("room", ["data/external/demo/landing", "data/raw", "data/processed", "reports"])
def test_no_name_email_or_phone_is_in_the_lake(demo_lake, secrets, room):
    files = [path for path in (demo_lake / room).rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert not texts_of(path) & secrets, path
        content = path.read_bytes()
        assert not [secret for secret in sorted(secrets)[::50] if secret.encode() in content], path


def test_the_hashes_still_tell_the_same_person_from_others(demo_lake):
    customers = lake.read(demo_lake / lake.VALID_CUSTOMERS)
    assert customers["email"].str.fullmatch("[0-9a-f]{32}").all()
    assert customers["email"].nunique() > 0.95 * len(customers)
    sales = lake.read(demo_lake / lake.RESOLVED_SALES).query("source_feed == 'register'")
    sales = sales.sort_values("sale_date")
    before = sales.groupby("property_id")["buyer"].shift()
    assert (before == sales["seller"])[before.notna()].mean() > 0.9
