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
from typing import Any

import optuna
import pandas as pd
import yaml
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from homei.storage import lake
from homei.training import shared_study, tune
from homei.training.config import SearchRange
from homei.training.shared_study import CONFIGURED, StudyError
from homei.training.time_splits import tuning_sales
from homei.training.training_recipe import Recipe
from homei.training.tuning_gain import TuningGain

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
        trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
        trial_run = tune.TrialRun.start(trial, self.recipe, self.ranges)
        for n_left in reversed(range(len(self.folds))):
            if self.stopped.is_set():
                trial.study.stop()
                raise _Stopped
            errors = trial_run.next_errors(self.folds)
            try:
                should_prune = trial_run.report(*errors)
            except UpdateFinishedTrialError:
                self.lost.set()
                raise
            if should_prune and n_left and not trial.user_attrs.get(CONFIGURED):
                raise optuna.TrialPruned
        return trial_run.mean


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
    recipe = Recipe.from_config(p)
    name = shared_study.study_name(recipe, p.model.search, p.tuning, p.city.name, lake.version(lake.TRAINING_SET))
    first = tune.configured_parameters(recipe, p.model.search)
    sampler, pruner = tune.sampler(p.tuning, seed=None), tune.pruner(p.tuning)
    study = shared_study.join_study(database, name, sampler, pruner, first, heartbeat_seconds)
    folds = tune.tuning_folds(tuning_sales(lake.read(lake.TRAINING_SET), p.split), p.tuning)
    with database_errors(database):
        with stop_on_signals() as stopped:
            objective = Objective(recipe, p.model.search, folds, stopped, threading.Event())
            optimize(study, objective, n_trials or p.tuning.trials, minutes, p.train.workers)
        return study_result(study, recipe, p.city.title, database)


def optimize(study: optuna.Study, objective: Objective, n_trials: int, minutes: float | None, workers: int) -> None:
    """Runs `workers` trials in parallel until the study has `n_trials` ended trials of any process."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tqdm(total=n_trials, desc="trials", unit="trial", disable=None) as bar:

        def update(study: optuna.Study, trial: FrozenTrial | None = None) -> None:
            ended = tune.ended_trials(study)
            bar.n = len(ended)
            values = [each.value for each in ended if each.value is not None]
            bar.set_postfix_str(f"best {min(values):.3%}" if values else "")
            if trial and trial.state.name == "FAIL":
                shared_study.retry_callback()(study, trial)
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

    def on_thread_error(arguments: threading.ExceptHookArgs) -> None:
        # Optuna's heartbeat threads fail with the search, which reports the error.
        if not _is_database_error(arguments.exc_value):
            previous(arguments)

    previous, threading.excepthook = threading.excepthook, on_thread_error
    try:
        yield
    except Exception as error:
        if not _is_database_error(error):
            raise
        # The original message contains the SQL statement with its values.
        message = "the database connection was lost; ended trials are stored, run it again to continue"
        raise StudyError(f"{database}: {message}") from None
    finally:
        threading.excepthook = previous


def _is_database_error(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from or while handling, is the database's."""
    is_own = isinstance(error, (SQLAlchemyError, StorageInternalError))
    return is_own or (error is not None and _is_database_error(error.__cause__ or error.__context__))


def study_result(study: optuna.Study, recipe: Recipe, city: str, variable: str) -> StudyResult | None:
    """The study's current result; None before the configured parameters are evaluated."""
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
        database=shared_study.database_name(shared_study.database_url(variable)),
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
    return table.assign(folds_so_far=table["folds"].cumsum())


def search_minutes(starts: Sequence[datetime], ends: Sequence[datetime]) -> list[float]:
    """For each trial's end, the minutes until then in which any trial was running: pauses are not counted."""
    moments = pd.DataFrame({"time": [*starts, *ends], "change": [1] * len(starts) + [-1] * len(ends)})
    moments = moments.groupby("time")["change"].sum().cumsum().reset_index(name="n_running")
    was_running = moments["n_running"].shift(fill_value=0) > 0
    minutes = (moments["time"].diff() / pd.Timedelta(minutes=1)).where(was_running, 0.0).cumsum()
    return minutes.set_axis(moments["time"])[list(ends)].round(4).tolist()


def format_parameters(parameters: Mapping[str, Any]) -> str:
    """The parameters as YAML for params/model/<name>.yaml."""
    return yaml.safe_dump({"parameters": dict(parameters)}, sort_keys=False)
