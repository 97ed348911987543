"""Stage `tune`: hyperparameter search on rolling origins before all months used for evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from homei.storage import lake
from homei.training.config import SearchRange, TuningConfig
from homei.training.encoding import Columns, columns_of
from homei.training.time_splits import TimeSplit, month_name, rolling_origins, tuning_sales
from homei.training.training_recipe import Recipe
from homei.training.tuning_gain import BEST, DIGITS, TUNING, TuningGain, month_columns


class TuningError(ValueError):
    """An invalid configuration of the search: the message names the key and the value."""


@dataclass(frozen=True)
class Fold:
    """The sales before an origin, and those to value after it."""

    training: pd.DataFrame
    test: Columns


@dataclass(frozen=True)
class TrialRun:
    """A running trial: its recipe, and its errors (MdAPE) on each fold so far and on their months."""

    trial: optuna.Trial
    recipe: Recipe
    errors: list[float] = field(default_factory=list)
    month_errors: dict[str, float] = field(default_factory=dict)

    @classmethod
    def start(cls, trial: optuna.Trial, recipe: Recipe, ranges: Mapping[str, SearchRange]) -> TrialRun:
        """A run with the parameters that the study suggests within the ranges."""
        suggested = {name: _suggest(trial, name, allowed) for name, allowed in ranges.items()}
        return cls(trial, recipe.with_parameters(**suggested))

    @property
    def mean(self) -> float:
        return _rounded(float(np.mean(self.errors)))

    def next_errors(self, folds: Sequence[Fold]) -> tuple[float, dict[str, float]]:
        """Trains on the next fold, and returns its error and that of each of its months; changes no state."""
        fold = folds[len(self.errors)]
        errors = np.abs(self.recipe.fit(fold.training).prices(fold.test) / fold.test["price"] - 1)
        months = fold.test["month"]
        by_month = {month_name(month): _median(errors[months == month]) for month in np.unique(months)}
        return _median(errors), by_month

    def report(self, error: float, by_month: Mapping[str, float]) -> bool:
        """Reports the next fold's errors to the study, and returns whether to prune the trial."""
        self.errors.append(error)
        self.month_errors.update(by_month)
        self.trial.set_user_attr("errors", self.errors)
        self.trial.set_user_attr("month_errors", self.month_errors)
        self.trial.report(self.mean, step=len(self.errors) - 1)
        return self.trial.should_prune()


def run(**sections: Any) -> None:
    """Writes models/tuning: trials.csv, importances.csv, best.json; `sections` are those of params.yaml."""
    p = SimpleNamespace(**sections)
    all_sales = lake.read(lake.TRAINING_SET)
    periods = TimeSplit.plan(all_sales["month"], p.split).record(tuning=p.tuning)
    recipe = Recipe.from_config(p)
    folds = tuning_folds(tuning_sales(all_sales, p.split), p.tuning)
    study = search(recipe, p.model.search, folds, p.tuning, p.train.workers)
    with lake.replacing(TUNING) as folder:
        for name, table in {"trials": trials(study), "importances": importances(study, p.seed)}.items():
            lake.write_text(table.to_csv(index=False, lineterminator="\n"), folder / f"{name}.csv")
        lake.write_json({**tuning_result(study, recipe), "periods": periods}, folder / BEST.name)


def tuning_folds(sales: pd.DataFrame, tuning: TuningConfig) -> list[Fold]:
    """The last folds of the sales, earliest first."""
    masks = rolling_origins(sales["month"].to_numpy(), tuning.folds, tuning.fold_months)
    return [Fold(sales[is_training], columns_of(sales[is_test])) for is_training, is_test in masks]


def search(
    recipe: Recipe, ranges: Mapping[str, SearchRange], folds: Sequence[Fold], tuning: TuningConfig, workers: int = 1
) -> optuna.Study:
    """The study of all trials, the configured parameters first; values are mean MdAPE over folds.

    `tuning.parallel_trials` trials run in rounds of one fold each, so that pruned trials waste no folds and are
    replaced at once. `workers` folds are trained in parallel, which does not change the result.
    """
    study = optuna.create_study(sampler=sampler(tuning, recipe.seed), pruner=pruner(tuning))
    study.enqueue_trial(configured_parameters(recipe, ranges))
    n_left = tuning.trials if ranges else 1
    running, folds_trained = [], 0
    with tqdm(total=n_left, desc="trials", unit="trial", disable=None) as bar, ThreadPoolExecutor(workers) as pool:
        while n_left or running:
            n_new = min(n_left, tuning.parallel_trials - len(running))
            running += [TrialRun.start(study.ask(), recipe, ranges) for _ in range(n_new)]
            errors = list(pool.map(lambda trial_run: trial_run.next_errors(folds), running))
            n_left, folds_trained = n_left - n_new, folds_trained + len(errors)
            has_ended = [
                _end_trial(study, trial_run, fold_errors, len(folds), folds_trained)
                for trial_run, fold_errors in zip(running, errors, strict=True)
            ]
            running = [trial_run for trial_run, ended in zip(running, has_ended, strict=True) if not ended]
            bar.update(sum(has_ended))
    return study


def sampler(tuning: TuningConfig, seed: int | None) -> optuna.samplers.TPESampler:
    """The TPE sampler of the configuration; random without a seed."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.samplers.TPESampler(
        n_startup_trials=tuning.sampler.startup_trials,
        multivariate=tuning.sampler.multivariate,
        constant_liar=tuning.sampler.constant_liar,
        seed=seed,
    )


def pruner(tuning: TuningConfig) -> optuna.pruners.PercentilePruner:
    """The pruner of trials that are not among the best share `tuning.pruner.keep` after the same fold."""
    return optuna.pruners.PercentilePruner(
        100 * tuning.pruner.keep,
        n_startup_trials=tuning.pruner.startup_trials,
        n_warmup_steps=tuning.pruner.warmup_folds,
    )


def configured_parameters(recipe: Recipe, ranges: Mapping[str, SearchRange]) -> dict[str, Any]:
    """The configured value of each parameter searched; raises TuningError if one is out of its range."""
    for name, allowed in ranges.items():
        value = recipe.parameters.get(name)
        if value is None or not allowed.low <= float(value) <= allowed.high:
            raise TuningError(
                f"model.parameters.{name} = {value!r}: give a value within model.search.{name}, "
                f"{allowed.low:g} to {allowed.high:g}"
            )
    return {name: recipe.parameters[name] for name in ranges}


def trials(study: optuna.Study) -> pd.DataFrame:
    """The `trial_table` of a study's ended trials."""
    return trial_table(ended_trials(study))


def trial_table(ended: Sequence[FrozenTrial]) -> pd.DataFrame:
    """number, state, value (if complete), parameters, fold_1 …, 2025-01 … (errors), folds, folds_so_far.

    The state is complete or pruned; `folds` is the number of folds the trial trained, `folds_so_far` that of the whole
    search when the trial ended. The errors of folds and of their months are MdAPE.
    """
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value if trial.state.name == "COMPLETE" else None,
            **trial.params,
            **{f"fold_{number}": error for number, error in enumerate(trial.user_attrs["errors"], start=1)},
            **trial.user_attrs["month_errors"],
            "folds": len(trial.user_attrs["errors"]),
            "folds_so_far": trial.user_attrs.get("folds_so_far"),
        }
        for trial in ended
    ]
    table = pd.DataFrame(rows).round(DIGITS)
    last = [*month_columns(table), "folds", "folds_so_far"]
    return table[[name for name in table if name not in last] + last]


def ended_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The completed and pruned trials."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def importances(study: optuna.Study, seed: int) -> pd.DataFrame:
    """parameter and importance (share of the variance, by fANOVA); empty for fewer than 4 trials."""
    complete = study.get_trials(states=[TrialState.COMPLETE])
    shares = {}
    if len(complete) >= 4 and len({trial.value for trial in complete}) > 1 and study.best_params:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return pd.DataFrame({"parameter": list(shares), "importance": np.round(list(shares.values()), DIGITS)})


def tuning_result(study: optuna.Study, recipe: Recipe) -> dict[str, Any]:
    """The contents of best.json: model name, parameters to train with, their error, and the gain.

    The configured parameters stay unless the interval of the best trial's gain lies above zero.
    """
    gain = TuningGain.from_trials(trials(study))
    return {
        "name": recipe.name,
        "parameters": trial_parameters(study.best_trial, recipe) if gain.is_significant else dict(recipe.parameters),
        "value": gain.best if gain.is_significant else gain.configured,
        "is_tuned": gain.is_significant,
        "month_gain": _rounded(gain.month_gain),
        "month_gain_interval": [_rounded(end) for end in gain.interval] if gain.interval else None,
    }


def trial_parameters(trial: FrozenTrial, recipe: Recipe) -> dict[str, Any]:
    """All parameters of the recipe, with those of the trial."""
    return {**recipe.parameters, **{name: _rounded(value) for name, value in trial.params.items()}}


def _end_trial(study: optuna.Study, trial_run: TrialRun, fold_errors: tuple, n_folds: int, folds_trained: int) -> bool:
    """Reports a fold's errors, tells the study if the trial ends with it, and returns whether it does."""
    should_prune = trial_run.report(*fold_errors)
    is_complete = len(trial_run.errors) == n_folds
    if is_complete or should_prune:
        trial_run.trial.set_user_attr("folds_so_far", folds_trained)
        state = TrialState.COMPLETE if is_complete else TrialState.PRUNED
        study.tell(trial_run.trial, trial_run.mean if is_complete else None, state=state)
    return is_complete or should_prune


def _suggest(trial: optuna.Trial, name: str, allowed: SearchRange) -> int | float:
    if allowed.kind == "int":
        return trial.suggest_int(name, int(allowed.low), int(allowed.high), log=allowed.log)
    return _rounded(trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log))


def _median(errors: np.ndarray) -> float:
    return _rounded(float(np.median(errors)))


def _rounded(value: int | float) -> int | float:
    """Rounded as in the tables, so that the recorded parameters are the ones tried."""
    return round(value, DIGITS)
