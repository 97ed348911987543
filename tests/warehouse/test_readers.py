"""Readers during publications, also killed ones: they see one publication or the next, whole."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from homei.storage import lake
from homei.training.config import IntervalsConfig
from homei.warehouse.connection import connect, reading
from homei.warehouse.publish import check, run
from homei.warehouse.receipt import RECEIPT
from homei.warehouse.tables import property_analytics, property_history, publication

PROJECT = Path(__file__).parents[2]
INTERVALS = IntervalsConfig(level=0.9, folds=4)
HOMES = {"m1": 300, "m2": 500}


def seen(engine):
    """What a reader finds in several queries of one transaction."""
    with reading(engine) as connection:
        model = connection.scalar(select(publication.c.model_version))
        properties, worth = connection.execute(
            select(func.count(), func.sum(property_analytics.c.valued_price)).select_from(property_analytics)
        ).one()
        time.sleep(0.002)
        past = connection.scalar(select(func.count()).select_from(property_history))
        by_index = select(func.count()).select_from(property_analytics).where(property_analytics.c.location == "north")
        return model, properties, round(worth or 0), past, connection.scalar(by_index)


def expected(model):
    properties = HOMES[model]
    return model, properties, properties * int(model[1:]), properties + 1, properties


def fill(town, model):
    town(HOMES[model], model=model, valued_price=float(model[1:]))


def test_a_reader_sees_one_publication_or_the_other_and_no_mix(settings, city, town):
    fill(town, "m1")
    run(city, INTERVALS, settings)
    seen_, stop = [], threading.Event()

    def read():
        engine = connect(settings)
        while not stop.is_set():
            seen_.append(seen(engine))
        engine.dispose()

    reader = threading.Thread(target=read)
    reader.start()
    for model in ("m2", "m1", "m2"):
        fill(town, model)
        run(city, INTERVALS, settings)
    stop.set()
    reader.join()
    assert {*seen_} <= {expected("m1"), expected("m2")}
    assert {model for model, *_ in seen_} == {"m1", "m2"}


# Where a publication is stopped: before its first write, between tables, before its commit, before its receipt.
MOMENTS = {
    "migrate": "schema is the newest",
    "merge": "a table is merged, others are not",
    "refresh_word_index": "properties are merged, other tables are not",
    "insert": "nothing is left but the commit",
    "lake.write_json": "the receipt is not written",
}
STOPPED = """
import sys, time
from homei.config import params
from homei.storage import lake
from homei.warehouse import publish
name, attribute = {moment!r}.rpartition(".")[::2]
place = publish.lake if name else publish
real, calls = getattr(place, attribute), []

def stopping(*given, **named):
    if {before} or calls:
        print("stopped", flush=True)
        time.sleep(600)
    calls.append(1)
    return real(*given, **named)

setattr(place, attribute, stopping)
import yaml
from homei.training.config import IntervalsConfig
from homei.warehouse.config import PublishConfig
city = params.section("city", yaml.safe_load(open("city.yaml")))
publish.run(city, IntervalsConfig(level=0.9, folds=4), PublishConfig(address="HOMEI_WAREHOUSE", file={file!r}))
"""


KILLED = [("sqlite", moment) for moment in MOMENTS] + [("postgresql", moment) for moment in ("merge", "insert")]


@pytest.mark.parametrize(("settings", "moment"), KILLED, indirect=["settings"])
def test_a_killed_publication_leaves_the_old_one_and_the_next_run_completes(settings, engine, city, town, moment):
    fill(town, "m1")
    run(city, INTERVALS, settings)
    old = RECEIPT.read_bytes()
    fill(town, "m2")
    lake.write_json(city.model_dump(mode="json"), Path("city.yaml"))
    code = STOPPED.format(moment=moment, before=moment != "merge", file=settings.file)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "stopped\n", process.stderr.read()
    version = "m2" if moment == "lake.write_json" else "m1"
    assert seen(engine) == expected(version)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert seen(engine) == expected(version)
    assert RECEIPT.read_bytes() == old
    run(city, INTERVALS, settings)
    assert seen(engine) == expected("m2")
    assert check(settings) == []
