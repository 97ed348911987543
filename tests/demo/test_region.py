"""A simulated region: its towns, its files and its declaration."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from homei.cli.main import cli
from homei.demo.faults import CORRECTED_SHARE, LATE_CORRECTION
from homei.demo.region import write_region
from homei.demo.region_declaration import declaration_path
from homei.demo.tiles import MARGIN, region_radius, region_tiles
from homei.storage import lake

PROJECT = Path(__file__).parents[2]
SALES = 2500  # in towns of 1,200


@pytest.fixture(scope="session")
def write(demo_source, small):
    """A function that writes a region of three small towns and returns its folder `world`."""

    def run(folder, **options) -> Path:
        city = demo_source.city.model_copy(update={"folder": str(folder)})
        town = small(properties=500, sales=1200, districts=8)
        assert write_region(1, town, city, demo_source.feeds, n_sales=SALES, **options) == 3
        return folder / "world"

    return run


@pytest.fixture(scope="session")
def region(write, tmp_path_factory):
    return write(tmp_path_factory.mktemp("region"))


@pytest.fixture(scope="session")
def register(region):
    return lake.read(region / "sales")


@pytest.fixture(scope="session")
def truth(region):
    """The truth of the rows of `register`, without later corrections."""
    rows = lake.read(region / "truth" / "sales.parquet")
    return rows[rows["source_file"].str.startswith("world/sales/")].reset_index(drop=True)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the parameters of this project as current one."""
    shutil.copytree(PROJECT / "params", tmp_path / "params")
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    shutil.copy(PROJECT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOMEI_PSEUDONYM_KEY", "any")
    return tmp_path


def homei(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output or result.exception
    return result.output


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(write, region, tmp_path):
    assert lake.digest(write(tmp_path, workers=2)) == lake.digest(region)


def test_towns_are_drawn_independently(region):
    prices = [lake.read(path)["true_price"] for path in sorted((region / "truth" / "sales.parquet").iterdir())]
    assert len(prices) == 3
    assert not set(prices[0]) & set(prices[1])


def test_a_region_has_exactly_so_many_sales_beside_planted_ones(truth):
    planted = (truth["fault"] == "duplicate") | (truth["non_market"] == "quick_resale")
    assert (~planted).sum() == SALES


def test_ids_are_unique_in_the_region(region, register, truth):
    duplicates = truth["fault"] == "duplicate"
    assert register.loc[~duplicates.to_numpy(), "transaction_id"].is_unique
    assert register["entry_no"].is_unique
    assert (register.groupby("property_id")["address"].nunique() == 1).all()
    for feed, key in {
        "portal": "listing_id",
        "rival": "listing_id",
        "customers": "customer_id",
        "leads": "lead_id",
    }.items():
        assert lake.read(region / feed)[key].is_unique


def test_purchases_are_sales_of_the_register(region, register):
    leads = lake.read(region / "leads")
    purchases = leads.loc[leads["activity"] == "purchase", "transaction_id"]
    assert len(purchases) > 20
    assert purchases.isin(register["transaction_id"]).all()
    assert leads["listing_id"].isin(lake.read(region / "portal")["listing_id"]).all()


def test_towns_have_locations_streets_and_companies_of_their_own(register):
    town = register["property_id"].str[-4:]
    parties = pd.concat([register["seller"], register["buyer"]])
    companies = parties[~parties.str.contains(", ")]
    street = register["address"].str.replace(r"^(Flat \d+, )?\d+ ", "", regex=True)
    for name in (register["district"].dropna(), street, companies):
        assert town.reindex(name.index).groupby(name.to_numpy()).nunique().max() == 1


def test_faults_of_each_kind_occur_and_displaced_coordinates_leave_the_region(register, truth, demo_source, small):
    assert set(truth["fault"].dropna()) == {*small().faults, LATE_CORRECTION}
    reach = region_radius(3) / 111_320
    latitude = register["latitude"].astype(float) - demo_source.city.coordinates.origin[0]
    longitude = register["longitude"].astype(float) - demo_source.city.coordinates.origin[1]
    is_inside = (latitude.abs() < reach) & (longitude.abs() < reach / np.cos(np.radians(45)))
    assert (is_inside == (truth["fault"] != "outside_the_city").to_numpy()).all()


def test_later_entries_correct_understated_prices(region, register, truth):
    corrections = lake.read(region / "corrections").set_index("transaction_id")
    first = register[(truth["fault"] == LATE_CORRECTION).to_numpy()].set_index("transaction_id")
    assert len(first) == pytest.approx(CORRECTED_SHARE * SALES, rel=0.2)
    assert set(corrections.index) == set(first.index)
    ratio = first["price"].astype(int) / corrections["price"].astype(int)
    assert ratio.between(0.87, 0.99).all()
    assert (corrections["changed_at"].str[:10] >= first["changed_at"].str[:10]).all()
    assert not set(corrections["entry_no"]) & set(register["entry_no"])
    same = corrections.columns.drop(["entry_no", "price", "changed_at"])
    pd.testing.assert_frame_equal(corrections[same].sort_index(), first[same].sort_index())


def test_the_truth_names_each_line_of_the_register(region):
    for file, rows in lake.read(region / "truth" / "sales.parquet").groupby("source_file"):
        register = lake.read(region.parent / file)
        assert (rows["source_line"].to_numpy() == np.arange(len(register)) + 2).all()
        assert (rows["transaction_id"].to_numpy() == register["transaction_id"].to_numpy()).all()


def test_csv_files_hold_what_parquet_files_hold(write, region, tmp_path):
    world = write(tmp_path, file_format="csv")
    for folder in ("sales", "corrections", "brokers", "portal", "rival", "customers", "leads"):
        for file in sorted((world / folder).iterdir()):
            rows = lake.read(region / folder / f"{file.stem}.parquet")
            text = pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""]).astype(rows.dtypes)
            pd.testing.assert_frame_equal(text, rows, check_dtype=False)


def test_tiles_do_not_leave_the_declared_area():
    for count in (1, 2, 9, 334):
        tiles = region_tiles(count, 45.0)
        assert len({(tile.x, tile.y) for tile in tiles}) == count
        assert max(max(abs(tile.x), abs(tile.y)) for tile in tiles) + MARGIN <= region_radius(count)


def test_the_command_declares_a_region_that_a_check_accepts(project):
    output = homei("simulate", "--sales", 2000, "--name", "big_region")
    assert "2,000 sales in 1 town: data/external/big_region/world, declared in params/city/big_region.yaml" in output
    homei("fetch", "big_region")
    checked = homei("check", "big_region")
    assert "A run would go through: make repro city=big_region" in checked


def test_another_citys_declaration_is_not_replaced(project):
    with pytest.raises(ValueError, match=r"params/city/hdb\.yaml exists and is not a simulated region's"):
        declaration_path("hdb")
    with pytest.raises(ValueError, match="--name Big City: must have small letters"):
        declaration_path("Big City")


def test_options_of_a_region_need_a_number_of_sales(project):
    result = CliRunner().invoke(cli, ["simulate", "--to", "elsewhere", "--workers", "3"])
    assert result.exit_code == 2
    assert "--to, --workers: without --sales, only the demo city is simulated" in result.output


@pytest.mark.nightly
def test_a_region_of_several_towns_passes_a_check(project):
    homei("simulate", "--sales", 50_000, "--workers", 1)
    homei("fetch", "region")
    assert "A run would go through: make repro city=region" in homei("check", "region")


@pytest.mark.nightly
def test_memory_does_not_grow_with_the_number_of_towns(project):
    # ru_maxrss of a process begins with that of its parent; VmHWM does not.
    command = "import sys; from homei.cli.main import cli; cli(sys.argv[1:], standalone_mode=False)"
    command += "; print(*[line for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    arguments = [sys.executable, "-c", command, "simulate", "--sales", "200000", "--workers", "1"]
    printed = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    # One town takes 270 MB, and 34 towns take 370 MB: allocators keep some memory between towns.
    assert int(printed.split()[-2]) < 450_000  # kB
