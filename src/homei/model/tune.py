"""Stage `tune`: the model's parameters, searched on rolling origins that all lie before the months it is tested on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from homei import lake
from homei.config import Features, Model, SearchRange, Split, Train, Tuning
from homei.features.columns import month_of
from homei.model.preprocess import Columns, columns_of
from homei.model.ratio import mdape
from homei.model.recipe import Recipe, untested
from homei.model.split import rolling_origins
from homei.source import Source

if TYPE_CHECKING:
    import optuna

TUNING = Path("models/tuning")
BEST = TUNING / "best.json"
DIGITS = 6  # of parameters and errors


class TuningError(ValueError):
    """A search that can't begin: the message names the key and the value."""


@dataclass(frozen=True)
class Fold:
    """The sales before an origin, and what is to be valued after it."""

    learnt: pd.DataFrame
    asked: Columns


def run(
    seed: int, source: Source, features: Features, split: Split, model: Model, tuning: Tuning, train: Train
) -> None:
    """Writes models/tuning: trials.csv, importances.csv, best.json."""
    before = untested(lake.read(lake.READY), month_of(source.as_of), split)
    folds = origins(before, tuning)
    recipe = Recipe.of(seed, source, features, model, train)
    study = search(recipe, model.search, folds, tuning, train.workers)
    with lake.replacing(TUNING) as folder:
        for name, table in {"trials": trials(study), "importances": importances(study, seed)}.items():
            lake.write_text(table.to_csv(index=False, lineterminator="\n"), folder / f"{name}.csv")
        lake.write_json(best(study, recipe), folder / BEST.name)


def origins(before: pd.DataFrame, tuning: Tuning) -> list[Fold]:
    """The last folds of the sales before the tested months, earliest first."""
    masks = rolling_origins(before["month"].to_numpy(), before["month"].max() + 1, tuning.folds, tuning.fold_months)
    return [Fold(before[learnt], columns_of(before[asked])) for learnt, asked in masks]


def search(
    recipe: Recipe, ranges: Mapping[str, SearchRange], folds: Sequence[Fold], tuning: Tuning, workers: int = 1
) -> optuna.Study:
    """The study of all trials, the recipe's own parameters first; the value is the folds' mean MdAPE.

    `workers` folds are valued at a time. Trials follow one another, so that each knows the ones before it.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=tuning.sampler.startup_trials,
        multivariate=tuning.sampler.multivariate,
        constant_liar=tuning.sampler.constant_liar,
        seed=recipe.seed,
    )
    pruner = optuna.pruners.MedianPruner(
        n_startup_trials=tuning.pruner.startup_trials, n_warmup_steps=tuning.pruner.warmup_folds
    )
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.enqueue_trial(own_parameters(recipe, ranges))
    with tqdm(total=tuning.trials, desc="trials", unit="trial", disable=None) as bar:
        study.optimize(
            lambda trial: _error(trial, recipe, ranges, folds, workers),
            n_trials=tuning.trials if ranges else 1,
            n_jobs=1,
            callbacks=[lambda *_: bar.update()],
        )
    return study


def own_parameters(recipe: Recipe, ranges: Mapping[str, SearchRange]) -> dict[str, Any]:
    """The recipe's own value of each parameter that is searched; raises TuningError where it is out of range."""
    for name, allowed in ranges.items():
        value = recipe.parameters.get(name)
        if value is None or not allowed.low <= float(value) <= allowed.high:
            raise TuningError(
                f"model.parameters.{name} = {value!r}: give a value within model.search.{name}, "
                f"{allowed.low:g} to {allowed.high:g}"
            )
    return {name: recipe.parameters[name] for name in ranges}


def trials(study: optuna.Study) -> pd.DataFrame:
    """number, state (complete or pruned), value (of complete trials), the parameters, and fold_1 … (MdAPE)."""
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value if trial.state.name == "COMPLETE" else None,
            **trial.params,
            **{f"fold_{number + 1}": error for number, error in enumerate(trial.user_attrs["errors"])},
        }
        for trial in study.trials
    ]
    return pd.DataFrame(rows).round(DIGITS)


def importances(study: optuna.Study, seed: int) -> pd.DataFrame:
    """parameter and importance (its share of the variance in error, by fANOVA); no rows after fewer than 4 trials."""
    import optuna

    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    errors = {trial.value for trial in complete}
    found = {}
    if len(complete) >= 4 and len(errors) > 1 and study.best_params:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return pd.DataFrame({"parameter": list(found), "importance": np.round(list(found.values()), DIGITS)})


def best(study: optuna.Study, recipe: Recipe) -> dict[str, Any]:
    """What the stage `train` reads: name, all parameters with the best trial's among them, value."""
    found = {name: _rounded(value) for name, value in study.best_params.items()}
    return {"name": recipe.name, "parameters": {**recipe.parameters, **found}, "value": round(study.best_value, DIGITS)}


def _error(
    trial: optuna.Trial, recipe: Recipe, ranges: Mapping[str, SearchRange], folds: Sequence[Fold], workers: int
) -> float:
    """The mean MdAPE over the folds; raises TrialPruned as soon as it is worse than the median trial's."""
    import optuna

    tried = recipe.with_parameters(**{name: _suggest(trial, name, allowed) for name, allowed in ranges.items()})
    errors: list[float] = []
    for number, error in enumerate(_fold_errors(tried, folds, workers)):
        errors.append(error)
        trial.set_user_attr("errors", errors)
        trial.report(float(np.mean(errors)), step=number)
        if trial.should_prune():
            raise optuna.TrialPruned
    return float(np.mean(errors))


def _fold_errors(recipe: Recipe, folds: Sequence[Fold], workers: int) -> Iterator[float]:
    """The folds' errors in order; no more than `workers` folds are learnt in vain when the caller stops asking."""

    def error(fold: Fold) -> float:
        return round(mdape(recipe.fit(fold.learnt).prices(fold.asked), fold.asked["price"]), DIGITS)

    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(folds), workers):
            yield from pool.map(error, folds[first : first + workers])


def _suggest(trial: optuna.Trial, name: str, allowed: SearchRange) -> int | float:
    if allowed.kind == "int":
        return trial.suggest_int(name, int(allowed.low), int(allowed.high), log=allowed.log)
    return _rounded(trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log))


def _rounded(value: int | float) -> int | float:
    """As the tables print it, so that the parameters that are recorded are the ones that were tried."""
    return round(value, DIGITS)
