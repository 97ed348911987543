"""The 89,356 resales of Singapore's HDB, where they are at hand."""

import os
from pathlib import Path

import pytest
import yaml

from homei.config import params
from homei.ingestion import ingest
from homei.ingestion.feeds import FetchConfig
from homei.ingestion.fetch import run as fetch
from homei.storage import lake
from homei.validation import validate

DATA = os.environ.get("HOMEI_HDB_DATA")
YAML = Path(__file__).parents[2] / "params/city/hdb.yaml"


@pytest.mark.skipif(not DATA, reason="HOMEI_HDB_DATA names no folder with the resale register")
def test_the_whole_register_of_resales_is_valid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = params.source(yaml.safe_load(YAML.read_text()))
    assert len(fetch(source.city, source.feeds, FetchConfig(url=""), Path(DATA))) == 8
    for table in lake.RAW:
        ingest.run(table, source.city, source.feeds)
    validate.run(*source, params.section("validate", {"max_rejected_share": 0.2}))

    quality = lake.read_json(validate.REPORTS / "quality.json")
    assert (quality["rows"], quality["rejected"], quality["set_aside"]) == (89_356, 0, 272)
    assert quality["set_aside_reasons"] == [{"reason": "already stated", "rows": 272, "share": 0.003044}]
    present = {item["column"]: item["present"] for item in quality["columns"]}
    assert round(present["latitude"], 4) == 0.9977
    sales = lake.read(lake.VALID["sales"])
    assert sales["floor"].between(1, 60).all()
    assert set(lake.read(lake.VALID_PLACES)["kind"]) == set(source.city.place_kinds)
