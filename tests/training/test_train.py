import numpy as np
import pytest
from model_fixtures import changed

from homei.features.columns import month_of
from homei.storage import lake
from homei.training import train
from homei.training.config import FLAGS
from homei.training.encoding import columns_of
from homei.training.train import TrainError, train_models, tuned_parameters
from homei.training.valuation_model import HOLDOUT, VALUATION


@pytest.fixture(scope="module")
def trained(two_folds, recipe, ready):
    return train_models(ready(), recipe, two_folds, "data")


def holdout_rows(trained):
    table = trained.predictions
    return table[table["part"] == "hold_out"].reset_index(drop=True)


def test_every_prediction_is_by_a_model_of_earlier_sales(sections, trained, ready):
    table = trained.predictions
    last = month_of(sections.city.as_of)
    assert table["transaction_id"].is_unique
    assert set(table.loc[table["part"] == "hold_out", "month"]) == set(range(last - 5, last + 1))
    assert set(table.loc[table["part"] == "rolling_origin", "month"]) == set(range(last - 17, last - 5))
    assert table.loc[table["part"] == "rolling_origin", ["low", "high"]].isna().all(axis=None)
    prices = ready().set_index("transaction_id")["price"]
    assert table["price"].tolist() == prices[table["transaction_id"]].tolist()


def test_hold_out_prices_do_not_change_hold_out_values(sections, two_folds, recipe, ready, trained):
    sales = ready()
    holdout = sales["month"] > month_of(sections.city.as_of) - 6
    sales.loc[holdout, "price"] = np.random.default_rng(1).permutation(sales.loc[holdout, "price"])
    other = train_models(sales, recipe, two_folds, "data")
    assert not holdout_rows(other)["price"].equals(holdout_rows(trained)["price"])
    own = ["transaction_id", "predicted", "low", "high", "deviation"]
    assert holdout_rows(other)[own].equals(holdout_rows(trained)[own])


@pytest.mark.parametrize("workers", [1, 2])
def test_repeated_training_gives_the_same_bytes(two_folds, recipe, ready, trained, workers, tmp_path):
    repeated = train_models(ready(), recipe, two_folds, "data", workers)
    for name in ("valuation", "holdout"):
        getattr(trained, name).save(tmp_path / "first" / name)
        getattr(repeated, name).save(tmp_path / "second" / name)
    assert lake.digest(tmp_path / "first") == lake.digest(tmp_path / "second")
    assert repeated.predictions.equals(trained.predictions)


def test_the_recipes_columns_suffice_for_the_same_bytes(two_folds, recipe, ready, trained, tmp_path):
    assert set(recipe.columns) < set(ready())
    repeated = train_models(ready()[recipe.columns], recipe, two_folds, "data")
    for name in ("valuation", "holdout"):
        getattr(trained, name).save(tmp_path / "first" / name)
        getattr(repeated, name).save(tmp_path / "second" / name)
    assert lake.digest(tmp_path / "first") == lake.digest(tmp_path / "second")
    assert repeated.predictions.equals(trained.predictions)


def test_the_model_in_use_is_also_trained_on_the_hold_out(sections, trained):
    last = month_of(sections.city.as_of)
    assert trained.valuation.meta["months"][1] == last
    assert trained.holdout.meta["months"][1] == last - 6
    assert trained.valuation.meta["trained_on"] > trained.holdout.meta["trained_on"]


def test_intervals_have_their_nominal_coverage(trained):
    table = holdout_rows(trained)
    assert 0.86 <= table["price"].between(table["low"], table["high"]).mean() <= 0.97
    assert (table["low"] < table["predicted"]).all()
    assert (table["predicted"] < table["high"]).all()


def test_a_location_sold_only_in_the_months_of_warm_up_or_once_at_the_end_is_valued_with_a_flag(
    two_folds, recipe, ready
):
    sales = ready()
    sales.loc[sales["month"].nsmallest(20).index, "location"] = "ridge"
    sales.loc[sales["month"].idxmax(), "location"] = "cove"
    trained = train_models(sales, recipe, two_folds, "data")
    last = sales.tail(50)
    known = trained.valuation.value(columns_of(last.assign(location="harbour")))
    thin = FLAGS.index("thin_evidence")
    for model, location in ((trained.valuation, "ridge"), (trained.valuation, "cove"), (trained.holdout, "ridge")):
        values = model.value(columns_of(last.assign(location=location)))
        assert values.flags[:, thin].all() and not values.flags[:, FLAGS.index("unknown_location")].any()
        assert np.median(values.high / values.price) > np.median(known.high / known.price)
    assert "ridge" not in trained.valuation.meta["categories"]["location"]
    assert "cove" not in trained.holdout.applicability.locations
    assert not known.flags[:, thin].any()


def test_intervals_of_another_level_have_that_coverage(two_folds, recipe, ready):
    p = changed(two_folds, intervals={"level": 0.7})
    result = train_models(ready(), recipe, p, "data")
    table = holdout_rows(result)
    assert 0.64 <= table["price"].between(table["low"], table["high"]).mean() <= 0.78
    assert result.valuation.meta["level"] == 0.7


def test_intervals_are_wider_without_an_area_and_cover_as_much(two_folds, recipe, ready):
    sales = ready()
    is_unknown = sales.index % 5 == 0
    trained = train_models(sales.assign(square_meters=sales["square_meters"].mask(is_unknown)), recipe, two_folds, "d")
    table = holdout_rows(trained)
    unknown = table["transaction_id"].isin(sales.loc[is_unknown, "transaction_id"])
    width = (table["high"] - table["low"]) / table["predicted"]
    assert width[unknown].median() > 1.5 * width[~unknown].median()
    inside = table["price"].between(table["low"], table["high"])
    assert inside[unknown].mean() > 0.8 and inside[~unknown].mean() > 0.85


def test_importances_list_all_inputs_by_importance(trained, ready):
    result = train.importances(trained.valuation, ready())
    assert list(result.columns) == ["input", "share"]
    assert result.loc[0, "input"] in ("location", "floor")
    assert result["share"].is_monotonic_decreasing


def test_the_stage_writes_models_and_predictions(sections, ready, recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lake.write(ready(), lake.TRAINING_SET)
    lake.write_json({"name": "lightgbm", "parameters": dict(recipe.parameters), "value": 0.1}, train.BEST)
    result = train.run(**vars(sections))
    assert (tmp_path / VALUATION).is_dir()
    assert (tmp_path / HOLDOUT).is_dir()
    assert result.valuation.version == lake.digest(VALUATION)[:12]
    assert result.valuation.meta["data_version"] == lake.digest(lake.TRAINING_SET)[:12]
    assert len(lake.read(lake.PREDICTIONS)) == len(result.predictions)


def test_the_tuning_of_another_model_raises_an_error(sections, tmp_path):
    best = tmp_path / "best.json"
    lake.write_json({"name": "linear", "parameters": {"alpha": 1.0}, "value": 0.1}, best)
    with pytest.raises(TrainError, match=r"is of linear, not of lightgbm: run `dvc repro tune`"):
        tuned_parameters(sections.model, best)
