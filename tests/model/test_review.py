"""The review sample is drawn by its seed alone, keeps the strata's shares, and says what it was drawn from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei import lake
from homei.model import review

POPULATION = pd.DataFrame(
    {
        "transaction_id": [f"T{number:03d}" for number in range(200)],
        "month": ["2021-11"] * 50 + ["2021-12"] * 150,
        "location": ["hill"] * 20 + ["harbour"] * 60 + ["station"] * 120,
        "predicted": np.arange(200) + 1.0,
    }
)


def test_the_same_seed_draws_the_same_rows_however_they_lie():
    drawn = review.draw(POPULATION, 20, seed=7)
    again = review.draw(POPULATION.sample(frac=1, random_state=3), 20, seed=7)
    assert drawn["transaction_id"].tolist() == again["transaction_id"].tolist()
    assert drawn["transaction_id"].tolist() != review.draw(POPULATION, 20, seed=8)["transaction_id"].tolist()
    assert drawn["transaction_id"].is_unique


def test_every_valuation_is_as_likely_as_any_other():
    counts = pd.concat([review.draw(POPULATION, 50, seed)["transaction_id"] for seed in range(400)]).value_counts()
    assert len(counts) == len(POPULATION)
    # 400 draws of a quarter: 100 ± 8.7 each.
    assert counts.between(60, 140).all()


def test_strata_are_drawn_in_proportion():
    drawn = review.draw(POPULATION, 20, seed=7, strata="location")
    assert drawn["location"].value_counts().to_dict() == {"station": 12, "harbour": 6, "hill": 2}


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.data())
def test_what_strata_get_adds_up_and_is_never_more_than_there_is(sizes, data):
    number = data.draw(st.integers(1, sum(sizes)))
    shares = review.allocated(np.array(sizes), number)
    assert shares.sum() == number
    assert (shares <= sizes).all()
    assert (np.abs(shares - number * np.array(sizes) / sum(sizes)) < 1).all()


def test_the_sample_is_written_with_room_for_the_reviewer_and_what_it_was_drawn_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    POPULATION.to_csv("answers.csv", index=False)
    told = review.run(10, 7, Path("answers.csv"), month="2021-12")
    assert told.startswith("10 of 150 valuations drawn (simple random, seed 7)")
    table, header = lake.read_csv(review.FOLDER / "sample.csv"), lake.read_json(review.FOLDER / "sample.json")
    assert table.columns[-3:].tolist() == list(review.FOR_THE_REVIEWER)
    assert set(table["month"]) == {"2021-12"}
    assert (header["population"], header["drawn"], header["seed"]) == (150, 10, 7)
    assert header["sha256"] == lake.digest(Path("answers.csv"))


def test_the_hold_out_is_drawn_from_where_no_file_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    months = [24251] * 200
    ready = POPULATION[["transaction_id", "location"]].assign(square_meters=50.0)
    predictions = POPULATION[["transaction_id", "predicted"]].assign(month=months, price=2.0, low=1.0, high=3.0)
    parts = np.where(np.arange(200) < 80, "rolling_origin", "hold_out")
    lake.write(ready, lake.READY)
    lake.write(predictions.assign(part=parts, deviation=0.1), lake.PREDICTIONS)
    assert review.run(5, 1).startswith("5 of 120 valuations")
    table = lake.read_csv(review.FOLDER / "sample.csv")
    assert table.columns.tolist() == [
        *("transaction_id", "month", "location", "square_meters", "predicted", "low", "high", "price"),
        *review.FOR_THE_REVIEWER,
    ]
    assert set(table["month"]) == {"2020-12"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"number": 201}, "201 were asked for, and there are 200 valuations"),
        ({"strata": "ward"}, "--by ward: there is no such column; there are transaction_id, month"),
        ({"month": "12/2021"}, "write it as 2016-12"),
        ({"month": "2022-01"}, "no valuations; there are some from 2021-11 to 2021-12"),
    ],
)
def test_what_cannot_be_drawn_is_told_with_what_can(tmp_path, monkeypatch, asked, told):
    monkeypatch.chdir(tmp_path)
    POPULATION.to_parquet("answers.parquet", index=False)
    with pytest.raises(review.ReviewError, match=told):
        review.run(**{"number": 5, "seed": 1, "file": Path("answers.parquet")} | asked)


def test_valuations_without_names_are_refused(tmp_path):
    POPULATION[["predicted"]].to_csv(tmp_path / "bare.csv", index=False)
    with pytest.raises(review.ReviewError, match="which is which"):
        review.read(tmp_path / "bare.csv")
