"""Stage `tune`: the model's parameters, searched on rolling origins that all lie before the months it is tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    from optuna.trial import FrozenTrial

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


@dataclass(frozen=True)
class Attempt:
    """A trial under way: the recipe that it tries, and its error on each fold so far (MdAPE)."""

    trial: optuna.Trial
    recipe: Recipe
    errors: list[float]

    @classmethod
    def of(cls, trial: optuna.Trial, recipe: Recipe, ranges: Mapping[str, SearchRange]) -> Attempt:
        """A trial's beginning, with the parameters that the study proposes within the ranges."""
        proposed = {name: _suggest(trial, name, allowed) for name, allowed in ranges.items()}
        return cls(trial, recipe.with_parameters(**proposed), [])

    @property
    def mean(self) -> float:
        return round(float(np.mean(self.errors)), DIGITS)

    def error(self, folds: Sequence[Fold]) -> float:
        """The error on the next fold, which is learnt for it; nothing else changes."""
        fold = folds[len(self.errors)]
        return round(mdape(self.recipe.fit(fold.learnt).prices(fold.asked), fold.asked["price"]), DIGITS)

    def note(self, error: float) -> bool:
        """Takes the next fold's error down, and says whether the trial is worth pruning."""
        self.errors.append(error)
        self.trial.set_user_attr("errors", self.errors)
        self.trial.report(self.mean, step=len(self.errors) - 1)
        return self.trial.should_prune()


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

    `tuning.abreast` trials are under way at a time, and each round values one fold for each of them: a trial that is
    pruned has learnt no fold in vain, and another takes its place. `workers` folds are learnt side by side, whose
    number changes nothing but the time.
    """
    import optuna

    study = optuna.create_study(sampler=sampler(tuning, recipe.seed), pruner=pruner(tuning))
    study.enqueue_trial(own_parameters(recipe, ranges))
    number = tuning.trials if ranges else 1
    with tqdm(total=number, desc="trials", unit="trial", disable=None) as bar, ThreadPoolExecutor(workers) as pool:
        waiting, under_way, learnt = number, [], 0
        while waiting or under_way:
            new = min(waiting, tuning.abreast - len(under_way))
            under_way += [Attempt.of(study.ask(), recipe, ranges) for _ in range(new)]
            errors = list(pool.map(lambda attempt: attempt.error(folds), under_way))
            waiting, learnt = waiting - new, learnt + len(errors)
            before = len(under_way)
            under_way = [
                attempt
                for attempt, error in zip(under_way, errors, strict=True)
                if not _ended(study, attempt, error, len(folds), learnt)
            ]
            bar.update(before - len(under_way))
    return study


def sampler(tuning: Tuning, seed: int | None) -> optuna.samplers.TPESampler:
    """What proposes the next trial's parameters; without a seed, other ones each time."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.samplers.TPESampler(
        n_startup_trials=tuning.sampler.startup_trials,
        multivariate=tuning.sampler.multivariate,
        constant_liar=tuning.sampler.constant_liar,
        seed=seed,
    )


def pruner(tuning: Tuning) -> optuna.pruners.PercentilePruner:
    """What stops a trial that is not among the best `tuning.pruner.keep` of those that got as far."""
    import optuna

    return optuna.pruners.PercentilePruner(
        100 * tuning.pruner.keep,
        n_startup_trials=tuning.pruner.startup_trials,
        n_warmup_steps=tuning.pruner.warmup_folds,
    )


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
    """number, state (complete or pruned), value (of complete trials), the parameters, fold_1 … (MdAPE), folds, learnt.

    `folds` is how many folds the trial learnt, `learnt` how many the whole search had when it ended. Trials that have
    not come to an end are left out.
    """
    return table(ended(study))


def table(ended: Sequence[FrozenTrial]) -> pd.DataFrame:
    """The same of trials that have ended: other processes may end more between two looks at a study."""
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value if trial.state.name == "COMPLETE" else None,
            **trial.params,
            **{f"fold_{number + 1}": error for number, error in enumerate(trial.user_attrs["errors"])},
            "folds": len(trial.user_attrs["errors"]),
            "learnt": trial.user_attrs.get("learnt"),
        }
        for trial in ended
    ]
    found, last = pd.DataFrame(rows).round(DIGITS), ["folds", "learnt"]
    return found[[name for name in found if name not in last] + last]


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that were completed or pruned."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


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
    parameters = parameters_of(study.best_trial, recipe)
    return {"name": recipe.name, "parameters": parameters, "value": round(study.best_value, DIGITS)}


def parameters_of(trial: FrozenTrial, recipe: Recipe) -> dict[str, Any]:
    """All parameters of the recipe, the trial's among them."""
    return {**recipe.parameters, **{name: _rounded(value) for name, value in trial.params.items()}}


def _ended(study: optuna.Study, attempt: Attempt, error: float, folds: int, learnt: int) -> bool:
    """Whether a trial ends with this fold, the last one or one that it is pruned after; the study is told if so."""
    from optuna.trial import TrialState

    hopeless = attempt.note(error) and len(attempt.errors) < folds
    if len(attempt.errors) < folds and not hopeless:
        return False
    attempt.trial.set_user_attr("learnt", learnt)
    if hopeless:
        study.tell(attempt.trial, state=TrialState.PRUNED)
    else:
        study.tell(attempt.trial, attempt.mean)
    return True


def _suggest(trial: optuna.Trial, name: str, allowed: SearchRange) -> int | float:
    if allowed.kind == "int":
        return trial.suggest_int(name, int(allowed.low), int(allowed.high), log=allowed.log)
    return _rounded(trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log))


def _rounded(value: int | float) -> int | float:
    """As the tables print it, so that the parameters that are recorded are the ones that were tried."""
    return round(value, DIGITS)
