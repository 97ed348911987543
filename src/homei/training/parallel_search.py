"""`homei search`: hyperparameter search outside the graph, on several processes and machines.

The result depends on the speed of the processes. Copy the parameters into params/model/ to make it reproducible.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml
from tqdm import tqdm

from homei.features.columns import month_of
from homei.storage import lake
from homei.training import tune
from homei.training.config import SearchRange
from homei.training.shared_study import (
    CONFIGURED,
    StudyError,
    database_name,
    database_url,
    join_study,
    retry_callback,
    study_name,
)
from homei.training.training_recipe import Recipe, tuning_sales
from homei.training.tuning_gain import TuningGain

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

SECTIONS = ("seed", "city", "features", "split", "model", "tuning", "train")
CAVEAT = "not byte-reproducible: the trials depend on the speed of the processes"


class _Stopped(Exception):  # noqa: N818
    """Ends a trial because the process was asked to stop."""


@dataclass(frozen=True)
class Objective:
    """The study's objective; `stopped` ends it, `lost` is set if another process got its trial."""

    recipe: Recipe
    ranges: Mapping[str, SearchRange]
    folds: Sequence[tune.Fold]
    stopped: threading.Event
    lost: threading.Event

    def __call__(self, trial: optuna.Trial) -> float:
        """The mean error over folds; raises TrialPruned, or _Stopped.

        The configured parameters, with which all others are compared, are never pruned.
        """
        import optuna

        trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
        trial_run = tune.TrialRun.start(trial, self.recipe, self.ranges)
        for n_left in reversed(range(len(self.folds))):
            if self.stopped.is_set():
                trial.study.stop()
                raise _Stopped
            if self._should_prune(trial_run) and n_left and not trial.user_attrs.get(CONFIGURED):
                raise optuna.TrialPruned
        return trial_run.mean

    def _should_prune(self, trial_run: tune.TrialRun) -> bool:
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            return trial_run.report(trial_run.next_error(self.folds))
        except UpdateFinishedTrialError:
            self.lost.set()
            raise


@dataclass(frozen=True)
class StudyResult:
    """The result of a study so far, from all processes.

    `trials` is `tune.trial_table` with worker (of each trial) and minutes (of the search until the trial ended).
    """

    study: str
    city: str  # title
    model: str
    database: str
    trials: pd.DataFrame
    n_failed: int
    parameters: Mapping[str, Any]  # all parameters, with those of the best trial
    configured_trial: int

    @property
    def gain(self) -> TuningGain:
        return TuningGain.from_trials(self.trials, self.configured_trial)

    @property
    def minutes(self) -> float:
        return float(self.trials["minutes"].max())


def run(
    p: SimpleNamespace, n_trials: int | None, minutes: float | None, database: str, heartbeat_seconds: int
) -> StudyResult | None:
    """Searches until the study has `n_trials` (default tuning.trials), for `minutes`, or until Ctrl-C.

    `p` has SECTIONS. Returns the study's result from all processes, or None before the configured parameters are
    evaluated. Raises StudyError.
    """
    recipe = Recipe.from_config(p.seed, p.city, p.features, p.model, p.train)
    name = study_name(recipe, p.model.search, p.tuning, p.city.name, lake.digest(lake.TRAINING_SET))
    first = tune.configured_parameters(recipe, p.model.search)
    sampler, pruner = tune.sampler(p.tuning, seed=None), tune.pruner(p.tuning)
    study = join_study(database, name, sampler, pruner, first, heartbeat_seconds)
    sales = tuning_sales(lake.read(lake.TRAINING_SET), month_of(p.city.as_of), p.split)
    folds = tune.tuning_folds(sales, p.tuning)
    with database_errors(database):
        with stop_on_signals() as stopped:
            objective = Objective(recipe, p.model.search, folds, stopped, threading.Event())
            optimize(study, objective, n_trials or p.tuning.trials, minutes, p.train.workers)
        return study_result(study, recipe, p.city.title, database_name(database_url(database)))


def optimize(study: optuna.Study, objective: Objective, n_trials: int, minutes: float | None, workers: int) -> None:
    """Runs `workers` trials in parallel until the study has `n_trials` ended trials of any process."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tqdm(total=n_trials, desc="trials", unit="trial", disable=None) as bar:

        def update(study: optuna.Study, trial: FrozenTrial | None = None) -> None:
            ended = tune.ended_trials(study)
            bar.n = len(ended)
            values = [each.value for each in ended if each.value is not None]
            bar.set_postfix_str(f"best {min(values):.3%}" if values else "")
            if trial and trial.state.name == "FAIL":
                retry_callback()(study, trial)
            if len(ended) >= n_trials and trial:
                study.stop()

        update(study)
        if bar.n >= n_trials:
            return
        limits = {"n_trials": n_trials - bar.n, "timeout": minutes and 60 * minutes}
        try:
            study.optimize(objective, n_jobs=workers, callbacks=[update], catch=_Stopped, **limits)
        except ValueError as error:
            if not objective.lost.is_set():
                raise
            message = "this process sent no heartbeat for three intervals, and its trial was given to another process"
            raise StudyError(f"{message}: run it again to continue") from error


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second one raises KeyboardInterrupt."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def database_errors(database: str) -> Iterator[None]:
    """Reports a lost database once as StudyError, with a remedy, whichever thread notices it."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    def is_database_error(error: BaseException | None) -> bool:
        # Optuna raises other errors while it handles those of the database.
        return any(isinstance(cause, (SQLAlchemyError, StorageInternalError)) for cause in _error_chain(error))

    def on_thread_error(arguments: threading.ExceptHookArgs) -> None:
        # Optuna's heartbeat threads fail with the search, which reports the error.
        if not is_database_error(arguments.exc_value):
            previous(arguments)

    previous, threading.excepthook = threading.excepthook, on_thread_error
    try:
        yield
    except Exception as error:
        if not is_database_error(error):
            raise
        # The original message contains the SQL statement with its values.
        message = "the database connection was lost; ended trials are stored, run it again to continue"
        raise StudyError(f"{database}: {message}") from None
    finally:
        threading.excepthook = previous


def _error_chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def study_result(study: optuna.Study, recipe: Recipe, city: str, database: str) -> StudyResult | None:
    """The study's current result; None before the configured parameters are evaluated."""
    from optuna.trial import TrialState

    ended = {trial.number: trial for trial in tune.ended_trials(study)}
    configured = [number for number, trial in ended.items() if trial.user_attrs.get(CONFIGURED)]
    if not configured:
        return None
    table = timed_trials([*ended.values()])
    best = ended[int(table.loc[table["value"].idxmin(), "number"])]
    return StudyResult(
        study=study.study_name,
        city=city,
        model=recipe.name,
        database=database,
        trials=table,
        n_failed=len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,))),
        parameters=tune.trial_parameters(best, recipe),
        configured_trial=configured[0],
    )


def timed_trials(ended: Sequence[FrozenTrial]) -> pd.DataFrame:
    """`tune.trial_table` in the order in which the trials ended, with the columns minutes and worker."""
    minutes = search_minutes([trial.datetime_start for trial in ended], [trial.datetime_complete for trial in ended])
    workers = [trial.user_attrs["worker"] for trial in ended]
    table = tune.trial_table(ended).assign(minutes=minutes, worker=workers)
    table = table.sort_values(["minutes", "number"], ignore_index=True)
    return table.assign(learnt=table["folds"].cumsum())


def search_minutes(starts: Sequence[datetime], ends: Sequence[datetime]) -> np.ndarray:
    """For each trial's end, the minutes until then in which any trial was running: pauses are not counted."""
    begin, end = (pd.to_datetime(pd.Series(list(times))) for times in (starts, ends))
    order = begin.sort_values(kind="stable").index
    latest_end = end[order].cummax().shift()
    pause = (begin[order] - latest_end).clip(lower=pd.Timedelta(0)).fillna(pd.Timedelta(0))
    # The pauses before a moment are those that end with a start before it.
    starts_before = np.searchsorted(begin[order].to_numpy(), end.to_numpy(), side="right") - 1
    paused = pause.cumsum().to_numpy()[starts_before]
    return np.round(((end - begin.min()).to_numpy() - paused) / np.timedelta64(1, "m"), 4)


def format_parameters(parameters: Mapping[str, Any]) -> str:
    """The parameters as YAML for params/model/<name>.yaml."""
    return yaml.safe_dump({"parameters": dict(parameters)}, sort_keys=False)
