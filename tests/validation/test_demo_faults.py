"""Every fault that the demo city plants is caught, with a fitting reason, and no clean row is."""

import re
from pathlib import Path

import pytest
import yaml

from homei.config import params
from homei.demo import mock_servers, simulate
from homei.ingestion import fetch, ingest
from homei.ingestion.feeds import FetchConfig
from homei.storage import lake
from homei.validation import validate

PROJECT = Path(__file__).parents[2]
REASONS = {
    "missing_price": "price: missing",
    "missing_area": "square_meters: missing",
    "missing_location": "location: missing",
    "negative_price": r"price: outside \[1000, 100000000\]",
    "absurd_price": "price: outside|price_per_square_meter: outside",
    "absurd_area": "square_meters: outside|price_per_square_meter: outside",
    "area_in_square_feet": "square_meters: outside|price_per_square_meter: outside",
    "price_in_thousands": "price: outside|price_per_square_meter: outside",
    "duplicate": r"already stated: in line \d+$",
    "broken_date": "sale_date: not a date",
}
LOST_CELLS = {"future_year_built": "year_built", "outside_the_city": "latitude"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The lake after simulating, ingesting and validating a small demo city with many faults."""
    source = params.source(yaml.safe_load((PROJECT / "params/city/demo.yaml").read_text()))
    values = yaml.safe_load((PROJECT / "params/config.yaml").read_text())["simulate"]
    faults = dict.fromkeys(values["faults"], 0.01)
    size = params.section("simulate", {**values, "properties": 1500, "sales": 4000, "faults": faults})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        simulate.run(seed=7, simulate=size, city=source.city, feeds=source.feeds)
        with mock_servers.running_servers(Path(source.city.folder) / "world"):
            fetch.run(source.city, source.feeds, FetchConfig(url=""))
        for table in lake.RAW:
            ingest.run(table, source.city, source.feeds)
        validate.run(*source, params.section("validate", {"max_rejected_share": 0.2}))
        truth = lake.read(Path(source.city.folder) / source.city.truth)
        quarantine, valid = lake.read(lake.QUARANTINE), lake.read(lake.VALID["sales"])
    # The register's first deed is on line 2 of the file that the truth speaks of.
    truth = truth.set_index(truth["source_line"] - 1)
    register = [rows[rows["source_feed"] == "register"] for rows in (quarantine, valid)]
    return truth, register[0].set_index("source_line"), register[1]


def test_every_planted_fault_of_a_required_column_is_rejected(demo):
    truth, quarantine, _ = demo
    faulty = truth[truth["fault"].isin(REASONS)]
    assert set(truth["fault"].dropna()) == {*REASONS, *LOST_CELLS}
    missed = faulty.loc[faulty.index.difference(quarantine.index), "fault"]
    assert missed.empty, missed.value_counts().to_dict()


def test_no_clean_row_is_rejected(demo):
    truth, quarantine, valid = demo
    clean = truth.index[truth["fault"].isna() & truth["non_market"].isna()]
    assert quarantine.loc[quarantine.index.intersection(clean), "reasons"].tolist() == []
    odd = truth.index[truth["non_market"].notna()]
    lost = truth.index[truth["fault"].isin(LOST_CELLS)]
    assert set(valid["source_line"]) - set(odd) - set(lost) == set(clean)


@pytest.mark.parametrize("fault", LOST_CELLS)
def test_a_fault_of_an_optional_column_costs_the_cell(demo, fault):
    truth, quarantine, valid = demo
    lines = truth.index[(truth["fault"] == fault) & ~truth.index.isin(quarantine.index)]
    values = valid.set_index("source_line").loc[lines, LOST_CELLS[fault]]
    assert len(values) > 0
    assert values.isna().all()


@pytest.mark.parametrize("fault", REASONS)
def test_a_fault_is_rejected_for_the_right_reason(demo, fault):
    truth, quarantine, _ = demo
    lines = truth.index[truth["fault"] == fault]
    assert len(lines) > 0
    wrong = [reasons for reasons in quarantine.loc[lines, "reasons"] if not re.search(REASONS[fault], reasons)]
    assert wrong == []
