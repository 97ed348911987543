"""The 89,356 resales of Singapore's HDB, where they are at hand."""

import os
from pathlib import Path

import pytest
import yaml

from homei import lake, params
from homei.quality import validate
from homei.source import ROOMS
from homei.sources import ingest
from homei.sources.fetch import run as fetch

DATA = os.environ.get("HOMEI_HDB_DATA")
YAML = Path(__file__).parents[2] / "params/source/hdb.yaml"


@pytest.mark.skipif(not DATA, reason="HOMEI_HDB_DATA names no folder with the resale register")
def test_the_register_of_resales_comes_in_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = params.section("source", yaml.safe_load(YAML.read_text()))
    assert len(fetch(source, Path(DATA))) == 8
    for room in ROOMS:
        ingest.run(room, source)
    validate.run(source, params.section("validate", {"max_rejected_share": 0.2}))

    quality = lake.read_json(validate.REPORTS / "quality.json")
    assert (quality["rows"], quality["rejected"]) == (89_356, 272)
    assert quality["reasons"] == [{"reason": "duplicate", "rows": 272, "share": 0.003044}]
    present = {item["column"]: item["present"] for item in quality["columns"]}
    assert round(present["latitude"], 4) == 0.9977
    sales = lake.read(lake.VALID_SALES)
    assert sales["floor"].between(1, 60).all()
    assert set(lake.read(lake.VALID_PLACES)["kind"]) == set(source.place_kinds)
