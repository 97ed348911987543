"""Stage `tune`: hyperparameter search on rolling origins before all months used for evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from homei.config.city import CityConfig
from homei.features.columns import month_of
from homei.features.config import FeaturesConfig
from homei.storage import lake
from homei.training.config import ModelConfig, SearchRange, SplitConfig, TrainConfig, TuningConfig
from homei.training.encoding import Columns, columns_of
from homei.training.time_splits import rolling_origins
from homei.training.training_recipe import Recipe, tuning_sales

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

TUNING = Path("models/tuning")
BEST = TUNING / "best.json"
DIGITS = 6  # of parameters and errors


class TuningError(ValueError):
    """An invalid configuration of the search: the message names the key and the value."""


@dataclass(frozen=True)
class Fold:
    """The sales before an origin, and those to value after it."""

    training: pd.DataFrame
    test: Columns


@dataclass(frozen=True)
class TrialRun:
    """A running trial: its recipe, and its error (MdAPE) on each fold so far."""

    trial: optuna.Trial
    recipe: Recipe
    errors: list[float]

    @classmethod
    def start(cls, trial: optuna.Trial, recipe: Recipe, ranges: Mapping[str, SearchRange]) -> TrialRun:
        """A run with the parameters that the study suggests within the ranges."""
        suggested = {name: _suggest(trial, name, allowed) for name, allowed in ranges.items()}
        return cls(trial, recipe.with_parameters(**suggested), [])

    @property
    def mean(self) -> float:
        return round(float(np.mean(self.errors)), DIGITS)

    def next_error(self, folds: Sequence[Fold]) -> float:
        """Trains on the next fold and returns its median absolute percentage error; changes no state."""
        fold = folds[len(self.errors)]
        ratio = self.recipe.fit(fold.training).prices(fold.test) / fold.test["price"]
        return round(float(np.median(np.abs(ratio - 1))), DIGITS)

    def report(self, error: float) -> bool:
        """Reports the next fold's error to the study, and returns whether to prune the trial."""
        self.errors.append(error)
        self.trial.set_user_attr("errors", self.errors)
        self.trial.report(self.mean, step=len(self.errors) - 1)
        return self.trial.should_prune()


def run(
    seed: int,
    city: CityConfig,
    features: FeaturesConfig,
    split: SplitConfig,
    model: ModelConfig,
    tuning: TuningConfig,
    train: TrainConfig,
) -> None:
    """Writes models/tuning: trials.csv, importances.csv, best.json."""
    sales = tuning_sales(lake.read(lake.TRAINING_SET), month_of(city.as_of), split)
    recipe = Recipe.from_config(seed, city, features, model, train)
    study = search(recipe, model.search, tuning_folds(sales, tuning), tuning, train.workers)
    with lake.replacing(TUNING) as folder:
        for name, table in {"trials": trials(study), "importances": importances(study, seed)}.items():
            lake.write_text(table.to_csv(index=False, lineterminator="\n"), folder / f"{name}.csv")
        lake.write_json(best_result(study, recipe), folder / BEST.name)


def tuning_folds(sales: pd.DataFrame, tuning: TuningConfig) -> list[Fold]:
    """The last folds of the sales, earliest first."""
    masks = rolling_origins(sales["month"].to_numpy(), sales["month"].max() + 1, tuning.folds, tuning.fold_months)
    return [Fold(sales[is_training], columns_of(sales[is_test])) for is_training, is_test in masks]


def search(
    recipe: Recipe, ranges: Mapping[str, SearchRange], folds: Sequence[Fold], tuning: TuningConfig, workers: int = 1
) -> optuna.Study:
    """The study of all trials, the configured parameters first; values are mean MdAPE over folds.

    `tuning.parallel_trials` trials run in rounds of one fold each, so that pruned trials waste no folds and are
    replaced at once. `workers` folds are trained in parallel, which does not change the result.
    """
    import optuna

    study = optuna.create_study(sampler=sampler(tuning, recipe.seed), pruner=pruner(tuning))
    study.enqueue_trial(configured_parameters(recipe, ranges))
    n_left = tuning.trials if ranges else 1
    running, folds_trained = [], 0
    with tqdm(total=n_left, desc="trials", unit="trial", disable=None) as bar, ThreadPoolExecutor(workers) as pool:
        while n_left or running:
            n_new = min(n_left, tuning.parallel_trials - len(running))
            running += [TrialRun.start(study.ask(), recipe, ranges) for _ in range(n_new)]
            errors = list(pool.map(lambda trial_run: trial_run.next_error(folds), running))
            n_left, folds_trained = n_left - n_new, folds_trained + len(errors)
            n_before = len(running)
            running = [
                trial_run
                for trial_run, error in zip(running, errors, strict=True)
                if not _end_trial(study, trial_run, error, len(folds), folds_trained)
            ]
            bar.update(n_before - len(running))
    return study


def sampler(tuning: TuningConfig, seed: int | None) -> optuna.samplers.TPESampler:
    """The TPE sampler of the configuration; random without a seed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.samplers.TPESampler(
        n_startup_trials=tuning.sampler.startup_trials,
        multivariate=tuning.sampler.multivariate,
        constant_liar=tuning.sampler.constant_liar,
        seed=seed,
    )


def pruner(tuning: TuningConfig) -> optuna.pruners.PercentilePruner:
    """The pruner of trials that are not among the best share `tuning.pruner.keep` after the same fold."""
    import optuna

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
    """number, state (complete, pruned), value (if complete), parameters, fold_1 … (MdAPE), folds, learnt.

    `folds` is the number of folds the trial trained, `learnt` that of the whole search when the trial ended.
    """
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value if trial.state.name == "COMPLETE" else None,
            **trial.params,
            **{f"fold_{number}": error for number, error in enumerate(trial.user_attrs["errors"], start=1)},
            "folds": len(trial.user_attrs["errors"]),
            "learnt": trial.user_attrs.get("learnt"),
        }
        for trial in ended
    ]
    table, last = pd.DataFrame(rows).round(DIGITS), ["folds", "learnt"]
    return table[[name for name in table if name not in last] + last]


def ended_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The completed and pruned trials."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def importances(study: optuna.Study, seed: int) -> pd.DataFrame:
    """parameter and importance (share of the variance, by fANOVA); empty for fewer than 4 trials."""
    import optuna

    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    shares = {}
    if len(complete) >= 4 and len({trial.value for trial in complete}) > 1 and study.best_params:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return pd.DataFrame({"parameter": list(shares), "importance": np.round(list(shares.values()), DIGITS)})


def best_result(study: optuna.Study, recipe: Recipe) -> dict[str, Any]:
    """The contents of best.json: name, all parameters with those of the best trial, value."""
    parameters = trial_parameters(study.best_trial, recipe)
    return {"name": recipe.name, "parameters": parameters, "value": round(study.best_value, DIGITS)}


def trial_parameters(trial: FrozenTrial, recipe: Recipe) -> dict[str, Any]:
    """All parameters of the recipe, with those of the trial."""
    return {**recipe.parameters, **{name: _rounded(value) for name, value in trial.params.items()}}


def _end_trial(study: optuna.Study, trial_run: TrialRun, error: float, n_folds: int, folds_trained: int) -> bool:
    """Reports a fold's error, tells the study if the trial ends with it, and returns whether it does."""
    from optuna.trial import TrialState

    should_prune = trial_run.report(error)
    is_complete = len(trial_run.errors) == n_folds
    if not is_complete and not should_prune:
        return False
    trial_run.trial.set_user_attr("learnt", folds_trained)
    if is_complete:
        study.tell(trial_run.trial, trial_run.mean)
    else:
        study.tell(trial_run.trial, state=TrialState.PRUNED)
    return True


def _suggest(trial: optuna.Trial, name: str, allowed: SearchRange) -> int | float:
    if allowed.kind == "int":
        return trial.suggest_int(name, int(allowed.low), int(allowed.high), log=allowed.log)
    return _rounded(trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log))


def _rounded(value: int | float) -> int | float:
    """Rounded as in the tables, so that the recorded parameters are the ones tried."""
    return round(value, DIGITS)
