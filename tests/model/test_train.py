import numpy as np
import pytest

from homei import lake
from homei.features.columns import month_of
from homei.model import train
from homei.model.train import HOLDOUT, VALUATION, TrainError, fit, folds, tuned


@pytest.fixture(scope="module")
def few(sections):
    return sections.intervals.model_copy(update={"folds": 2})


@pytest.fixture(scope="module")
def trained(sections, recipe, ready, few):
    return fit(ready(), recipe, sections.source, sections.split, few, sections.scope, "data")


def hold_out(trained):
    table = trained.predictions
    return table[table["part"] == "hold_out"].reset_index(drop=True)


def test_every_sale_is_valued_once_by_a_model_that_knew_only_what_lay_before(sections, trained, ready):
    table = trained.predictions
    last = month_of(sections.source.as_of)
    assert table["transaction_id"].is_unique
    assert set(table.loc[table["part"] == "hold_out", "month"]) == set(range(last - 5, last + 1))
    assert set(table.loc[table["part"] == "rolling_origin", "month"]) == set(range(last - 17, last - 5))
    assert table.loc[table["part"] == "rolling_origin", ["low", "high"]].isna().all(axis=None)
    prices = ready().set_index("transaction_id")["price"]
    assert table["price"].tolist() == prices[table["transaction_id"]].tolist()


def test_the_hold_outs_prices_move_no_value_of_the_hold_out(sections, recipe, ready, few, trained):
    sales = ready()
    held = sales["month"] > month_of(sections.source.as_of) - 6
    sales.loc[held, "price"] = np.random.default_rng(1).permutation(sales.loc[held, "price"])
    other = fit(sales, recipe, sections.source, sections.split, few, sections.scope, "data")
    assert not hold_out(other)["price"].equals(hold_out(trained)["price"])
    own = ["transaction_id", "predicted", "low", "high", "deviation"]
    assert hold_out(other)[own].equals(hold_out(trained)[own])


@pytest.mark.parametrize("workers", [1, 2])
def test_trained_again_every_byte_is_the_same(sections, recipe, ready, few, trained, workers, tmp_path):
    again = fit(ready(), recipe, sections.source, sections.split, few, sections.scope, "data", workers)
    for name in ("valuation", "holdout"):
        getattr(trained, name).save(tmp_path / "first" / name)
        getattr(again, name).save(tmp_path / "second" / name)
    assert lake.digest(tmp_path / "first") == lake.digest(tmp_path / "second")
    assert again.predictions.equals(trained.predictions)


def test_the_model_in_use_has_learnt_the_hold_out_too(sections, trained):
    last = month_of(sections.source.as_of)
    assert trained.valuation.meta["months"][1] == last
    assert trained.holdout.meta["months"][1] == last - 6
    assert trained.valuation.meta["trained_on"] > trained.holdout.meta["trained_on"]


def test_intervals_hold_the_promised_share_of_the_prices(trained):
    table = hold_out(trained)
    inside = table["price"].between(table["low"], table["high"])
    assert 0.86 <= inside.mean() <= 0.97
    assert (table["low"] < table["predicted"]).all()
    assert (table["predicted"] < table["high"]).all()


def test_importances_name_each_input_the_strongest_first(trained, ready):
    found = trained.importances(ready())
    assert list(found.columns) == ["input", "share"]
    assert found.loc[0, "input"] in ("location", "floor")
    assert found["share"].is_monotonic_decreasing


def test_folds_grow_shorter_where_the_sales_do_not_go_back_far(ready):
    sales = ready(300)
    short = sales[sales["month"] >= sales["month"].max() - 5]
    spans = [(len(set(learnt["month"])), len(set(asked["month"]))) for learnt, asked in folds(short, 2, 6)]
    assert spans == [(2, 2), (4, 2)]


def test_the_stage_writes_models_and_predictions_that_load_as_they_were(sections, ready, recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lake.write(ready(), lake.READY)
    lake.write_json({"name": "lightgbm", "parameters": dict(recipe.parameters), "value": 0.1}, train.BEST)
    p = sections
    found = train.run(p.seed, p.source, p.features, p.split, p.model, p.train, p.intervals, p.scope)
    assert (tmp_path / VALUATION).is_dir()
    assert (tmp_path / HOLDOUT).is_dir()
    assert found.valuation.version == lake.digest(VALUATION)[:12]
    assert found.valuation.meta["data_version"] == lake.digest(lake.READY)[:12]
    assert len(lake.read(lake.PREDICTIONS)) == len(found.predictions)


def test_the_tuning_of_another_model_is_an_error_that_says_what_to_run(sections, tmp_path):
    best = tmp_path / "best.json"
    lake.write_json({"name": "linear", "parameters": {"alpha": 1.0}, "value": 0.1}, best)
    with pytest.raises(TrainError, match=r"is of linear, not of lightgbm: run `dvc repro tune`"):
        tuned(sections.model, best)
