"""`homei fetch` and `homei ingest` after a kill -9: the next run loses and duplicates nothing."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from homei.storage import lake

COLUMNS = {"listing_id": "id", "listed_on": "on", "property_type": "type", "location": "town"}
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def town(site, tmp_path, monkeypatch):
    """Declares a project with listings from the site in pages of 100, as of a day."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sales.csv").write_text("date,price,area,type,town\n")
    shutil.copy(PROJECT / "dvc.yaml", tmp_path)  # the commands read the sections of a stage from it

    def of(day):
        listings = {
            "name": "portal", "kind": "api", "url": f"{site.url}/homes", "key": "id", "changed": "on",
            "paging": {"kind": "page"}, "columns": COLUMNS,
        }  # fmt: skip
        sales = {
            "sale_date": "date", "price": "price", "square_meters": "area", "property_type": "type", "location": "town",
        }  # fmt: skip
        city = {"name": "town", "title": "Town", "currency": "EUR", "as_of": day, "folder": ".", "coordinates": {}}
        feeds = {"listings": listings, "sales": {"kind": "files", "files": ["sales.csv"], "columns": sales}}
        own = yaml.safe_load((PROJECT / "params.yaml").read_text())
        Path("params.yaml").write_text(yaml.safe_dump(own | {"city": city, "feeds": feeds}))

    return of


def homei(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    return subprocess.Popen([sys.executable, "-m", "homei", *arguments], env=environment, stderr=subprocess.PIPE)


def kill_when(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def page_of(homes, hold=None):
    """An answer with pages of 100 `homes`; the second page waits for the event `hold`."""

    def answer(path, query, headers, body):
        number = int(query.partition("page=")[2])
        if number == 2 and hold is not None:
            hold.wait(60)
        return homes[100 * (number - 1) : 100 * number]

    return answer


def homes_of(count, day):
    return [{"id": number, "on": day, "type": "flat", "town": "East"} for number in range(1, count + 1)]


def test_a_killed_fetch_changes_nothing_and_can_be_repeated(site, town):
    records = Path("landing/listings/portal/records.parquet")
    town("2024-01-31")
    site.answers["/homes"] = page_of(homes_of(150, "2024-01-05"))
    assert homei("fetch").wait(60) == 0
    before = lake.digest(records.parent)
    town("2024-02-29")
    hold = threading.Event()
    site.answers["/homes"] = page_of(homes_of(250, "2024-02-05"), hold)
    site.requests.clear()
    kill_when(lambda: len(site.requests) == 2, homei("fetch"))
    assert lake.digest(records.parent) == before
    hold.set()
    assert homei("fetch").wait(60) == 0
    landed = lake.read_arrow(records)
    assert landed["_key"].to_pylist() == [str(number) for number in range(1, 251)]
    (archived,) = Path("data/archive").rglob("*.parquet")
    assert lake.read_arrow(archived).num_rows == 150


def test_a_killed_ingest_changes_nothing_and_can_be_repeated(town):
    town("2024-01-31")
    rows = "".join(f"2024-01-{n % 28 + 1:02d},{n},50,flat,East\n" for n in range(200_000))
    Path("sales.csv").write_text("date,price,area,type,town\n" + rows)
    raw = lake.RAW["sales"]
    kill_when(lambda: list(raw.parent.glob(f".{raw.name}.*.writing")), homei("ingest", "sales"))
    assert not raw.exists()
    assert homei("ingest", "sales").wait(60) == 0
    assert lake.read(raw)["source_line"].tolist() == list(range(2, 200_002))
    assert [path.name for path in raw.parent.iterdir()] == ["sales"]
