"""The search on a small city. A recipe that can't learn is worth pruning."""

import numpy as np
import pytest

from homei.config import SearchRange
from homei.features.columns import month_of
from homei.model import tune
from homei.model.recipe import before_and_held

RANGES = {
    "num_leaves": SearchRange(kind="int", low=4, high=31, log=True),
    "learning_rate": SearchRange(kind="float", low=0.001, high=0.3, log=True),
}


@pytest.fixture(scope="module")
def tuning(sections):
    sampler = sections.tuning.sampler.model_copy(update={"startup_trials": 3})
    pruner = sections.tuning.pruner.model_copy(update={"startup_trials": 2, "warmup_folds": 0})
    return sections.tuning.model_copy(
        update={"trials": 10, "folds": 2, "fold_months": 3, "abreast": 2, "sampler": sampler, "pruner": pruner}
    )


@pytest.fixture(scope="module")
def before(sections, ready):
    return before_and_held(ready(), month_of(sections.source.as_of), sections.split)[0]


@pytest.fixture(scope="module")
def study(recipe, before, tuning):
    return tune.search(recipe, RANGES, tune.origins(before, tuning), tuning)


def test_folds_are_the_last_months_before_the_hold_out(before, tuning):
    folds = tune.origins(before, tuning)
    last = before["month"].max()
    assert [sorted(set(fold.asked["month"].tolist())) for fold in folds] == [
        [last - 5, last - 4, last - 3],
        [last - 2, last - 1, last],
    ]
    assert all(fold.learnt["month"].max() < fold.asked["month"].min() for fold in folds)


def test_the_first_trial_is_the_recipes_own_and_the_best_is_no_worse(study, recipe):
    table = tune.trials(study)
    assert table.loc[0, "num_leaves"] == recipe.parameters["num_leaves"]
    assert table.loc[0, "learning_rate"] == recipe.parameters["learning_rate"]
    found = tune.best(study, recipe)
    assert found["value"] == table["value"].min()
    assert table["value"].min() <= table.loc[0, "value"]
    assert found["parameters"]["n_estimators"] == recipe.parameters["n_estimators"]


def test_a_hopeless_trial_is_stopped_after_its_first_fold(study):
    table = tune.trials(study)
    pruned = table[table["state"] == "pruned"]
    assert len(table) == 10
    assert len(pruned)
    assert pruned["fold_1"].notna().all()
    assert pruned["fold_2"].isna().all()
    assert pruned["value"].isna().all()
    assert pruned["fold_1"].min() > table.loc[table["state"] == "complete", "fold_1"].min()


def test_a_pruned_trial_costs_only_the_folds_that_it_learnt(recipe, before, tuning, monkeypatch):
    learnt = []
    fit = type(recipe).fit
    monkeypatch.setattr(type(recipe), "fit", lambda self, sales: learnt.append(len(sales)) or fit(self, sales))
    table = tune.trials(tune.search(recipe, RANGES, tune.origins(before, tuning), tuning, workers=2))
    whole = table["state"].map({"complete": 2, "pruned": 1})
    assert table["folds"].tolist() == whole.tolist()
    assert len(learnt) == whole.sum() == table["learnt"].max() < 2 * len(table)


def test_no_trial_is_stopped_where_nearly_all_are_kept_and_most_are_where_few_are(recipe, before, tuning):
    def pruned(keep):
        pruner = tuning.pruner.model_copy(update={"keep": keep})
        folds = tune.origins(before, tuning)
        table = tune.trials(tune.search(recipe, RANGES, folds, tuning.model_copy(update={"pruner": pruner})))
        return int((table["state"] == "pruned").sum())

    assert pruned(0.99) < pruned(0.01)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_seed_finds_the_same_however_many_work(study, recipe, before, tuning, workers):
    again = tune.search(recipe, RANGES, tune.origins(before, tuning), tuning, workers)
    assert tune.trials(again).equals(tune.trials(study))
    assert tune.best(again, recipe) == tune.best(study, recipe)


def test_the_best_parameters_give_the_error_that_was_recorded(study, recipe, before, tuning):
    found = tune.best(study, recipe)
    tried = recipe.with_parameters(**found["parameters"])
    errors = [
        np.median(np.abs(tried.fit(fold.learnt).prices(fold.asked) / fold.asked["price"] - 1))
        for fold in tune.origins(before, tuning)
    ]
    assert round(float(np.mean([round(float(error), 6) for error in errors])), 6) == found["value"]


def test_importances_are_shares_of_what_was_searched(study, recipe):
    found = tune.importances(study, recipe.seed)
    assert set(found["parameter"]) == set(RANGES)
    assert found["importance"].sum() == pytest.approx(1, abs=1e-4)


def test_nothing_to_search_is_one_trial(recipe, before, tuning):
    only = tune.search(recipe, {}, tune.origins(before, tuning), tuning)
    assert len(tune.trials(only)) == 1
    assert tune.importances(only, 1).empty


@pytest.mark.parametrize("value", [None, 50])
def test_an_own_value_out_of_its_range_is_an_error_that_names_the_key(recipe, value):
    with pytest.raises(tune.TuningError, match=r"model\.parameters\.num_leaves.*4 to 31"):
        tune.own_parameters(recipe.with_parameters(num_leaves=value), RANGES)
