"""Hyperparameter search on a small city; tiny learning rates give bad trials to prune."""

import numpy as np
import pytest

from homei.training import tune
from homei.training.config import SearchRange
from homei.training.time_splits import split_holdout

RANGES = {
    "num_leaves": SearchRange(kind="int", low=4, high=31, log=True),
    "learning_rate": SearchRange(kind="float", low=0.001, high=0.3, log=True),
}


@pytest.fixture(scope="module")
def tuning(sections):
    sampler = sections.tuning.sampler.model_copy(update={"startup_trials": 3})
    pruner = sections.tuning.pruner.model_copy(update={"startup_trials": 2, "warmup_folds": 0})
    return sections.tuning.model_copy(
        update={"trials": 10, "folds": 2, "fold_months": 3, "parallel_trials": 2, "sampler": sampler, "pruner": pruner}
    )


@pytest.fixture(scope="module")
def before(sections, ready):
    return split_holdout(ready(), sections.split)[0]


@pytest.fixture(scope="module")
def study(recipe, before, tuning):
    return tune.search(recipe, RANGES, tune.tuning_folds(before, tuning), tuning)


def test_folds_are_the_last_months_before_the_hold_out(before, tuning):
    folds = tune.tuning_folds(before, tuning)
    last = before["month"].max()
    assert [sorted(set(fold.test["month"].tolist())) for fold in folds] == [
        [last - 5, last - 4, last - 3],
        [last - 2, last - 1, last],
    ]
    assert all(fold.training["month"].max() < fold.test["month"].min() for fold in folds)


def test_the_first_trial_has_the_configured_parameters_and_the_best_is_no_worse(study, recipe):
    table = tune.trials(study)
    assert table.loc[0, "num_leaves"] == recipe.parameters["num_leaves"]
    assert table.loc[0, "learning_rate"] == recipe.parameters["learning_rate"]
    assert table["value"].min() <= table.loc[0, "value"]
    assert tune.tuning_result(study, recipe)["parameters"]["n_estimators"] == recipe.parameters["n_estimators"]


@pytest.mark.parametrize("learning_rate", [0.001, 0.2])
def test_configured_parameters_stay_unless_the_gain_is_certain(recipe, before, tuning, learning_rate):
    """A learning rate far too small loses in every month; a usual one is as good as its neighbours."""
    configured = recipe.with_parameters(learning_rate=learning_rate)
    folds = tune.tuning_folds(before, tuning)
    result = tune.tuning_result(tune.search(configured, RANGES, folds, tuning), configured)
    assert result["is_tuned"] == (learning_rate == 0.001)
    assert (result["parameters"] == configured.parameters) != result["is_tuned"]
    assert (result["month_gain_interval"][0] > 0) == result["is_tuned"]


def test_a_bad_trial_is_pruned_after_its_first_fold(study):
    table = tune.trials(study)
    pruned = table[table["state"] == "pruned"]
    assert len(table) == 10
    assert len(pruned)
    assert pruned["fold_1"].notna().all()
    assert pruned["fold_2"].isna().all()
    assert pruned["value"].isna().all()
    assert pruned["fold_1"].min() > table.loc[table["state"] == "complete", "fold_1"].min()


def test_a_pruned_trial_trains_no_further_folds(recipe, before, tuning, monkeypatch):
    training = []
    fit = type(recipe).fit
    monkeypatch.setattr(type(recipe), "fit", lambda self, sales: training.append(len(sales)) or fit(self, sales))
    table = tune.trials(tune.search(recipe, RANGES, tune.tuning_folds(before, tuning), tuning, workers=2))
    whole = table["state"].map({"complete": 2, "pruned": 1})
    assert table["folds"].tolist() == whole.tolist()
    assert len(training) == whole.sum() == table["folds_so_far"].max() < 2 * len(table)


def test_the_share_of_pruned_trials_follows_the_pruner(recipe, before, tuning):
    def pruned(keep):
        pruner = tuning.pruner.model_copy(update={"keep": keep})
        folds = tune.tuning_folds(before, tuning)
        table = tune.trials(tune.search(recipe, RANGES, folds, tuning.model_copy(update={"pruner": pruner})))
        return int((table["state"] == "pruned").sum())

    assert pruned(0.99) < pruned(0.01)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_result_depends_on_the_seed_and_not_on_the_workers(study, recipe, before, tuning, workers):
    repeated = tune.search(recipe, RANGES, tune.tuning_folds(before, tuning), tuning, workers)
    assert tune.trials(repeated).equals(tune.trials(study))
    assert tune.tuning_result(repeated, recipe) == tune.tuning_result(study, recipe)


def test_the_best_parameters_reproduce_the_recorded_error(study, recipe, before, tuning):
    tried = recipe.with_parameters(**tune.trial_parameters(study.best_trial, recipe))
    errors = [
        np.median(np.abs(tried.fit(fold.training).prices(fold.test) / fold.test["price"] - 1))
        for fold in tune.tuning_folds(before, tuning)
    ]
    assert round(float(np.mean([round(float(error), 6) for error in errors])), 6) == study.best_value


def test_importances_are_shares_of_the_searched_parameters(study, recipe):
    result = tune.importances(study, recipe.seed)
    assert set(result["parameter"]) == set(RANGES)
    assert result["importance"].sum() == pytest.approx(1, abs=1e-4)


def test_a_search_without_ranges_has_one_trial(recipe, before, tuning):
    only = tune.search(recipe, {}, tune.tuning_folds(before, tuning), tuning)
    assert len(tune.trials(only)) == 1
    assert tune.importances(only, 1).empty


@pytest.mark.parametrize("value", [None, 50])
def test_a_configured_value_out_of_range_raises_an_error(recipe, value):
    with pytest.raises(tune.TuningError, match=r"model\.parameters\.num_leaves.*4 to 31"):
        tune.configured_parameters(recipe.with_parameters(num_leaves=value), RANGES)
