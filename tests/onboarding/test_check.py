"""`homei check` says what a run would do, without writing to the lake."""

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from registers import sales, write_csv

from homei.cli.main import cli
from homei.onboarding.check import rejections

NAMES = ["id", "sale date", "price", "area m2", "type", "district"]
CELLS = [[row["id"], str(row["date"]), row["price"], row["area"], row["kind"], row["place"]] for row in sales(300)]


def homei(*arguments):
    return CliRunner().invoke(cli, list(arguments))


def init(path, *options):
    result = homei("init", "town", str(path), "--currency", "EUR", *options)
    assert result.exit_code == 0, result.output or result.exception
    return result.output


def test_a_city_goes_from_its_file_to_a_plan(project, tmp_path):
    output = init(write_csv(tmp_path / "sales.csv", NAMES, CELLS))
    assert "wrote params/city/town.yaml. Next: `homei check town`, then `make repro city=town`" in output
    checked = homei("check", "town")
    assert checked.exit_code == 0
    assert "sales sales: 300 read, 300 kept, 0 set aside, 0 rejected" in checked.output
    assert "300 sales from 2021-01 to 2023-06: 30 months" in checked.output
    assert "hold-out: 6 months" in checked.output
    assert "A run would go through: make repro city=town" in checked.output
    assert not Path("data/raw").exists()
    assert not Path("reports").exists()


def test_rejected_rows_are_shown_with_cells_and_what_to_declare(project, tmp_path):
    cells = [[row[0], "yesterday" if number % 3 == 0 else row[1], *row[2:]] for number, row in enumerate(CELLS)]
    init(write_csv(tmp_path / "sales.csv", NAMES, CELLS))
    write_csv(Path("data/external/town/sales.csv"), NAMES, cells)
    checked = homei("check", "town")
    assert checked.exit_code == 1
    assert "100: sale_date: not a date\n      such as 'yesterday' (line 2 of sales.csv)" in checked.output
    assert "feeds.sales.columns.sale_date" in checked.output
    assert "a run would stop" in checked.output


def test_too_short_a_history_stops_before_any_training(project, tmp_path):
    init(write_csv(tmp_path / "sales.csv", NAMES, [row for row in CELLS if row[1] < "2021-04"]))
    checked = homei("check", "town")
    assert checked.exit_code == 1
    assert "training needs 50 sales" in checked.output


def test_doubts_that_are_left_in_the_file_are_repeated(project, tmp_path):
    init(write_csv(tmp_path / "sales.csv", NAMES[:5], [row[:5] for row in CELLS]))
    checked = homei("check", "town").output
    assert "doubts left in params/city/town.yaml" in checked
    assert "location: all sales have one location" in checked


def test_a_database_is_onboarded_by_its_table(project, tmp_path):
    with sqlite3.connect(tmp_path / "register.db") as database:
        database.execute(
            "create table deeds (entry integer primary key, sold text, price real, m2 real, kind text, town text)"
        )
        rows = [(number, *row[1:]) for number, row in enumerate(CELLS, 1)]
        database.executemany("insert into deeds values (?, ?, ?, ?, ?, ?)", rows)
    database.close()
    url = f"sqlite:///{tmp_path / 'register.db'}"
    made = homei("init", "town", "--db", url, "--table", "deeds", "--currency", "EUR")
    assert "Next: `homei fetch town`" in made.output, made.exception
    assert "run `homei fetch town`" in homei("check", "town").output
    assert homei("fetch", "town").exit_code == 0
    assert "300 read, 300 kept" in homei("check", "town").output


def test_init_overwrites_nothing_without_force(project, tmp_path):
    path = write_csv(tmp_path / "sales.csv", NAMES, CELLS)
    init(path)
    again = homei("init", "town", str(path), "--currency", "EUR")
    assert "params/city/town.yaml exists: replace it with --force" in again.output
    init(path, "--force")


@pytest.mark.parametrize("name", ["New York", "2nd", "Town", "a-b"])
def test_a_name_that_hydra_cannot_take_is_refused(name, project):
    assert "use lower-case letters, digits and _" in homei("init", name, "x.csv").output


def test_the_file_holds_no_cells_of_the_data_but_its_categories(project, tmp_path):
    init(write_csv(tmp_path / "sales.csv", [*NAMES, "address"], [[*row, f"{row[0]} Secret Street"] for row in CELLS]))
    text = Path("params/city/town.yaml").read_text()
    assert "Secret" not in text
    assert "sale_date: sale date" in text


def test_a_type_to_which_nearly_all_rejected_rows_belong_is_named():
    rows = pd.DataFrame({"property_type": ["shed"] * 30 + ["house"], "reasons": "square_meters: missing"})
    rows = rows.assign(square_meters=None, source_line=2, source_file="a.csv")
    (rejection,) = rejections([{"reason": "square_meters: missing", "rows": 31}], rows)
    assert "97% of them are of type 'shed': exclude these if they are no dwellings" in rejection.remedy
