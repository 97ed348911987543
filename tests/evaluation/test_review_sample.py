"""The review sample depends on the seed only, keeps the strata's shares, and describes its population."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.evaluation import review_sample
from homei.storage import lake

POPULATION = pd.DataFrame(
    {
        "transaction_id": [f"T{number:03d}" for number in range(200)],
        "month": ["2021-11"] * 50 + ["2021-12"] * 150,
        "location": ["hill"] * 20 + ["harbour"] * 60 + ["station"] * 120,
        "predicted": np.arange(200) + 1.0,
    }
)


def test_the_sample_depends_on_the_seed_and_not_on_the_row_order():
    drawn = review_sample.draw_sample(POPULATION, 20, seed=7)
    redrawn = review_sample.draw_sample(POPULATION.sample(frac=1, random_state=3), 20, seed=7)
    assert drawn["transaction_id"].tolist() == redrawn["transaction_id"].tolist()
    assert (
        drawn["transaction_id"].tolist() != review_sample.draw_sample(POPULATION, 20, seed=8)["transaction_id"].tolist()
    )
    assert drawn["transaction_id"].is_unique


def test_every_valuation_is_equally_likely():
    counts = pd.concat(
        [review_sample.draw_sample(POPULATION, 50, seed)["transaction_id"] for seed in range(400)]
    ).value_counts()
    assert len(counts) == len(POPULATION)
    # 400 draws of a quarter: 100 ± 8.7 each.
    assert counts.between(60, 140).all()


def test_strata_get_proportional_shares():
    drawn = review_sample.draw_sample(POPULATION, 20, seed=7, strata="location")
    assert drawn["location"].value_counts().to_dict() == {"station": 12, "harbour": 6, "hill": 2}


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.data())
def test_proportional_shares_add_up_and_fit_the_strata(sizes, data):
    number = data.draw(st.integers(1, sum(sizes)))
    shares = review_sample.proportional_shares(np.array(sizes), number)
    assert shares.sum() == number
    assert (shares <= sizes).all()
    assert (np.abs(shares - number * np.array(sizes) / sum(sizes)) < 1).all()


def test_the_sample_has_reviewer_columns_and_a_header(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    POPULATION.to_csv("answers.csv", index=False)
    message = review_sample.run(10, 7, Path("answers.csv"), month="2021-12")
    assert message.startswith("10 of 150 valuations drawn (simple random, seed 7)")
    table, header = (
        lake.read_csv(review_sample.FOLDER / "sample.csv"),
        lake.read_json(review_sample.FOLDER / "sample.json"),
    )
    assert table.columns[-3:].tolist() == list(review_sample.REVIEWER_COLUMNS)
    assert set(table["month"]) == {"2021-12"}
    assert (header["population"], header["drawn"], header["seed"]) == (150, 10, 7)
    assert header["sha256"] == lake.digest(Path("answers.csv"))


def test_without_a_file_the_hold_out_is_sampled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    months = [24251] * 200
    ready = POPULATION[["transaction_id", "location"]].assign(square_meters=50.0)
    predictions = POPULATION[["transaction_id", "predicted"]].assign(month=months, price=2.0, low=1.0, high=3.0)
    parts = np.where(np.arange(200) < 80, "rolling_origin", "hold_out")
    lake.write(ready, lake.TRAINING_SET)
    lake.write(predictions.assign(part=parts, deviation=0.1), lake.PREDICTIONS)
    assert review_sample.run(5, 1).startswith("5 of 120 valuations")
    table = lake.read_csv(review_sample.FOLDER / "sample.csv")
    assert table.columns.tolist() == [
        *("transaction_id", "month", "location", "square_meters", "predicted", "low", "high", "price"),
        *review_sample.REVIEWER_COLUMNS,
    ]
    assert set(table["month"]) == {"2020-12"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"number": 201}, "cannot draw 201 of 200 valuations"),
        ({"strata": "ward"}, "--by ward: no such column: choose one of transaction_id, month"),
        ({"month": "12/2021"}, "write it as 2016-12"),
        ({"month": "2022-01"}, "no valuations: choose a month from 2021-11 to 2021-12"),
    ],
)
def test_invalid_options_raise_errors_with_a_remedy(tmp_path, monkeypatch, asked, message):
    monkeypatch.chdir(tmp_path)
    POPULATION.to_parquet("answers.parquet", index=False)
    with pytest.raises(review_sample.ReviewError, match=message):
        review_sample.run(**{"number": 5, "seed": 1, "file": Path("answers.parquet")} | asked)


def test_valuations_without_an_identifier_raise_an_error(tmp_path):
    POPULATION[["predicted"]].to_csv(tmp_path / "bare.csv", index=False)
    with pytest.raises(review_sample.ReviewError, match="have no identifier"):
        review_sample.read_valuations(tmp_path / "bare.csv")
