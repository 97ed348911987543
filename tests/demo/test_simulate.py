"""The stage: what lands in the source's folder, byte for byte."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from homei.demo import simulate
from homei.storage import lake


@pytest.fixture
def written(tmp_path, monkeypatch, small, demo_source):
    """Runs the stage in an empty project and gives the folder it wrote."""
    monkeypatch.chdir(tmp_path)

    def run(seed: int = 1, **changes) -> Path:
        simulate.run(seed, small(**changes), demo_source.city, demo_source.feeds)
        return Path(demo_source.city.folder) / "world"

    return run


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(written):
    first = lake.digest(written(seed=1))
    assert lake.digest(written(seed=1)) == first
    assert lake.digest(written(seed=2)) != first


def test_the_register_has_the_columns_that_the_source_maps(written, demo_source):
    header = pd.read_csv(written() / "sales.csv", nrows=0).columns
    mapped = {column.column for column in demo_source.feeds.sales[0].columns.values()}
    assert set(header) - mapped == {"entry_no", "changed_at"}
    assert mapped - set(header) == {"seller_family", "buyer_family"}


def test_the_truth_names_each_line_of_the_register(written, demo_source):
    folder = written()
    truth = lake.read(Path(demo_source.city.folder) / demo_source.city.truth)
    lines = (folder / "sales.csv").read_text().splitlines()
    assert len(truth) == len(lines) - 1
    assert truth["source_line"].dtype == np.int64
    assert all(
        lines[line - 1].startswith(f"{line - 1},{name},")
        for line, name in zip(truth["source_line"], truth["transaction_id"], strict=True)
    )


def test_the_truth_describes_what_was_drawn(written):
    facts = lake.read_json(written(seed=7) / "truth" / "city.json")
    assert facts["seed"] == 7
    assert facts["noise"] == 0.06
    assert facts["shift_month"] == "2025-07"
    assert list(facts["market"])[0::59] == ["2021-01", "2025-12"]


def test_places_of_every_declared_kind_lie_in_the_city(written, demo_source):
    folder = written()
    for declared in demo_source.feeds.places:
        places = pd.read_csv(folder.parent / declared.file)
        assert list(places.columns) == [declared.name, declared.latitude, declared.longitude]
        assert len(places) > 20
        for axis in ("latitude", "longitude"):
            assert places[axis].between(*demo_source.contract.ranges[axis]).all()


def test_each_district_has_an_income_band_and_expensive_districts_the_high_one(written, demo_source):
    folder = written(properties=2000, sales=6000, faults={}, non_market_sales={})
    bands = pd.read_csv(folder / "income_bands.csv")
    register = pd.read_csv(folder / "sales.csv")
    assert list(bands.columns) == ["district", "band"]
    assert set(bands["district"]) >= set(register["district"])
    assert bands["band"].value_counts().sort_index().to_dict() == {"high": 13, "low": 14, "middle": 13}
    per_metre = (register["price"] / register["square_meters"]).groupby(register["district"]).median()
    by_band = per_metre.groupby(bands.set_index("district")["band"]).median()
    assert by_band["low"] < by_band["middle"] < by_band["high"]


def test_without_a_group_from_a_file_no_bands_are_written(tmp_path, monkeypatch, small, demo_source):
    monkeypatch.chdir(tmp_path)
    simulate.run(1, small(), demo_source.city.model_copy(update={"groups": []}), demo_source.feeds)
    assert not list(tmp_path.rglob("income_bands.csv"))


def test_some_attributes_are_missing_in_clean_rows_and_houses_have_no_floor(register, as_numbers):
    clean = as_numbers(register())
    for attribute in ("bedrooms", "bathrooms"):
        assert 0 < clean[attribute].isna().mean() < 0.08
    on_the_ground = clean["property_type"].isin(["house", "villa"])
    assert clean.loc[on_the_ground, "floor"].isna().all()
    assert clean.loc[~on_the_ground, "floor"].notna().mean() > 0.9


def test_the_attributes_of_a_property_never_change(register, as_numbers):
    clean = as_numbers(register())
    stable = ["square_meters", "property_type", "district", "bedrooms", "floor", "year_built", "latitude"]
    assert (clean.groupby("property_id")[stable].nunique(dropna=False) == 1).all(axis=None)


def test_the_city_has_its_districts_and_five_types(register):
    rows = register(properties=4000, sales=8000, faults={})
    assert rows["district"].nunique() == 40
    assert rows["property_type"].nunique() == 5


def test_files_of_a_city_that_is_not_simulated_are_not_overwritten(small, demo_source):
    real = demo_source.city.model_copy(update={"name": "hdb"})
    with pytest.raises(ValueError, match="hdb is not simulated, and its files are not overwritten"):
        simulate.run(1, small(), real, demo_source.feeds)
