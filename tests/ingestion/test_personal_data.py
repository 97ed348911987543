"""No name, e-mail address or phone number of the demo's CRM and register is in the lake."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from homei.storage import lake

PERSONAL = {"crm/customers.csv": ("name", "email", "phone"), "sales.csv": ("seller", "buyer")}


@pytest.fixture(scope="module")
def personal_data(demo_lake, demo_source):
    """The personal data in the simulated sources."""
    world, values = demo_lake / demo_source.city.folder / "world", set()
    for name, columns in PERSONAL.items():
        with (world / name).open(encoding="utf-8", newline="") as file:
            values |= {row[column] for row in csv.DictReader(file) for column in columns if len(row[column]) > 5}
    assert len(values) > 5000
    return values


def texts_of(path: Path) -> set[str]:
    """Every text in a Parquet file, whose pages are compressed, or the words and lines of any other file."""
    if path.suffix == ".parquet":
        columns = (column.to_pylist() for column in pq.read_table(path).columns)
        return {value for column in columns for value in column if isinstance(value, str)}
    return {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}


@pytest.mark.parametrize("zone", ["data/external/demo/landing", "data/raw", "data/processed", "reports"])
def test_no_name_email_or_phone_is_in_the_lake(demo_lake, personal_data, zone):
    files = [path for path in (demo_lake / zone).rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert not texts_of(path) & personal_data, path
        content = path.read_bytes()
        assert not [secret for secret in sorted(personal_data)[::50] if secret.encode() in content], path


def test_a_person_has_one_pseudonym_in_all_feeds(demo_lake):
    customers = lake.read(demo_lake / lake.VALID["customers"])
    assert customers["email"].str.fullmatch("[0-9a-f]{32}").all()
    assert customers["email"].nunique() > 0.95 * len(customers)
    sales = lake.read(demo_lake / lake.RESOLVED_SALES).query("source_feed == 'register'")
    sales = sales.sort_values("sale_date")
    before = sales.groupby("property_id")["buyer"].shift()
    assert (before == sales["seller"])[before.notna()].mean() > 0.9
