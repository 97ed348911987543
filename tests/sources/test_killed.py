"""`kill -9` amid `homei fetch` and `homei ingest`: after the next run nothing is lost and nothing is doubled."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from homei import lake

COLUMNS = {"listing_id": "id", "listed_on": "on", "property_type": "type", "location": "town"}
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def town(site, tmp_path, monkeypatch):
    """A project whose listings come from the site in pages of a hundred, as of a day that the test says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sales.csv").write_text("date,price,area,type,town\n")

    def of(day):
        listings = {
            "name": "portal", "kind": "api", "url": f"{site.url}/homes", "key": "id", "changed": "on",
            "paging": {"kind": "page"}, "columns": COLUMNS,
        }  # fmt: skip
        sales = {
            "sale_date": "date",
            "price": "price",
            "square_meters": "area",
            "property_type": "type",
            "location": "town",
        }
        source = {
            "name": "town", "title": "Town", "currency": "EUR", "as_of": day, "folder": ".", "coordinates": {},
            "contract": {"required": []}, "listings": listings,
            "sales": {"kind": "files", "files": ["sales.csv"], "columns": sales},
        }  # fmt: skip
        own = yaml.safe_load((PROJECT / "params.yaml").read_text())
        Path("params.yaml").write_text(yaml.safe_dump(own | {"source": source}))

    return of


def homei(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    return subprocess.Popen([sys.executable, "-m", "homei", *arguments], env=environment, stderr=subprocess.PIPE)


def kill_when(happened, process):
    deadline = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def page_of(homes, hold=None):
    """Answers pages of `homes`; the second one only once `hold` is set, if there is one."""

    def answer(path, query, headers, body):
        number = int(query.partition("page=")[2])
        if number == 2 and hold is not None:
            hold.wait(60)
        return homes[100 * (number - 1) : 100 * number]

    return answer


def homes_of(count, day):
    return [{"id": number, "on": day, "type": "flat", "town": "East"} for number in range(1, count + 1)]


def test_a_fetch_that_was_killed_is_made_up_for(site, town):
    records = Path("landing/listings/portal/records.parquet")
    town("2024-01-31")
    site.answers["/homes"] = page_of(homes_of(150, "2024-01-05"))
    assert homei("fetch").wait(60) == 0
    before = lake.digest(records.parent)
    town("2024-02-29")
    hold = threading.Event()
    site.answers["/homes"] = page_of(homes_of(250, "2024-02-05"), hold)
    site.asked.clear()
    kill_when(lambda: len(site.asked) == 2, homei("fetch"))
    assert lake.digest(records.parent) == before
    hold.set()
    assert homei("fetch").wait(60) == 0
    found = lake.read_arrow(records)
    assert found["_key"].to_pylist() == [str(number) for number in range(1, 251)]
    (archived,) = Path("data/archive").rglob("*.parquet")
    assert lake.read_arrow(archived).num_rows == 150


def test_a_fetch_killed_at_any_moment_leaves_whole_landings_only(site, town):
    records = Path("landing/listings/portal/records.parquet")
    site.answers["/homes"] = page_of(homes_of(250, "2024-01-05"))
    town("2024-01-31")
    for after in (0.9, 1.1, 1.3, 1.5):
        process = homei("fetch", "--again")
        time.sleep(after)
        process.kill()
        process.communicate()
        assert not records.parent.exists() or lake.read_arrow(records).num_rows == 250
    assert homei("fetch", "--again").wait(60) == 0
    assert lake.read_arrow(records).num_rows == 250
    assert [path.name for path in records.parent.parent.iterdir()] == ["portal"]


def test_an_ingest_that_was_killed_is_made_up_for(town):
    town("2024-01-31")
    rows = "".join(f"2024-01-{n % 28 + 1:02d},{n},50,flat,East\n" for n in range(200_000))
    Path("sales.csv").write_text("date,price,area,type,town\n" + rows)
    raw = lake.RAW["sales"]
    kill_when(raw.with_name(f".{raw.name}.writing").exists, homei("ingest", "transactions"))
    assert not raw.exists()
    assert homei("ingest", "transactions").wait(60) == 0
    assert lake.read(raw)["source_line"].tolist() == list(range(2, 200_002))
    assert [path.name for path in raw.parent.iterdir()] == ["sales"]
