"""`homei search`: the search of the stage `tune` outside the graph, for as many processes and machines as one has.

Who is quicker decides what is tried next, so another search finds others: what it finds becomes reproducible once it
stands in params/model/.
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

from homei import lake
from homei.config import SearchRange
from homei.features.columns import month_of
from homei.model import tune
from homei.model.earned import Earned
from homei.model.recipe import Recipe, untested
from homei.model.shared_study import OWN, StudyError, address, again, join, name_of, place

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

SECTIONS = ("seed", "source", "features", "split", "model", "tuning", "train")
CAVEAT = "not byte-reproducible: which parameters are tried depends on who is quicker"


class _Stopped(Exception):  # noqa: N818
    """A trial that is given up since the process is asked to stop."""


@dataclass(frozen=True)
class Searcher:
    """What a process tries; `stopped` asks it to stop, `lost` says that one of its trials was given to another."""

    own: Recipe
    ranges: Mapping[str, SearchRange]
    folds: Sequence[tune.Fold]
    stopped: threading.Event
    lost: threading.Event

    def __call__(self, trial: optuna.Trial) -> float:
        """The folds' mean error; raises TrialPruned, or _Stopped.

        The model's own parameters, which all others are measured against, are never pruned.
        """
        import optuna

        trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
        attempt = tune.Attempt.of(trial, self.own, self.ranges)
        for left in reversed(range(len(self.folds))):
            if self.stopped.is_set():
                trial.study.stop()
                raise _Stopped
            if self._hopeless(attempt) and left and not trial.user_attrs.get(OWN):
                raise optuna.TrialPruned
        return attempt.mean

    def _hopeless(self, attempt: tune.Attempt) -> bool:
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            return attempt.note(attempt.error(self.folds))
        except UpdateFinishedTrialError:
            self.lost.set()
            raise


@dataclass(frozen=True)
class Found:
    """What a study has found so far, by all who search it.

    `trials` is `tune.trials` with the worker that ended each trial, and minutes: those of the search until then.
    """

    study: str
    title: str  # the source's
    model: str
    kept_in: str
    trials: pd.DataFrame
    failed: int
    parameters: Mapping[str, Any]  # the model's own, the best trial's in their place
    own: int  # the trial of the model's own parameters

    @property
    def earned(self) -> Earned:
        return Earned.of(self.trials, self.own)

    @property
    def minutes(self) -> float:
        return float(self.trials["minutes"].max())


def run(p: SimpleNamespace, number: int | None, minutes: float | None, database: str, heartbeat: int) -> Found | None:
    """Searches until the study has `number` trials (by default tuning.trials), for `minutes` at most, or until Ctrl-C.

    `p` holds SECTIONS. Returns what the study has found, by this process and others; None while the model's own
    parameters, which all others are measured against, are not valued.
    Raises StudyError.
    """
    own = Recipe.of(p.seed, p.source, p.features, p.model, p.train)
    name = name_of(own, p.model.search, p.tuning, p.source.name, lake.digest(lake.READY))
    first = tune.own_parameters(own, p.model.search)
    study = join(database, name, tune.sampler(p.tuning, seed=None), tune.pruner(p.tuning), first, heartbeat)
    folds = tune.origins(untested(lake.read(lake.READY), month_of(p.source.as_of), p.split), p.tuning)
    with gone(database):
        with interruptible() as stopped:
            searcher = Searcher(own, p.model.search, folds, stopped, threading.Event())
            go_on(study, searcher, number or p.tuning.trials, minutes, p.train.workers)
        return found(study, own, p.source.title, place(address(database)))


def go_on(study: optuna.Study, searcher: Searcher, number: int, minutes: float | None, workers: int) -> None:
    """Tries parameters, `workers` trials side by side, until the study has `number` of them, whoever ended them."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tqdm(total=number, desc="trials", unit="trial", disable=None) as bar:

        def told(study: optuna.Study, trial: FrozenTrial | None = None) -> None:
            ended = tune.ended(study)
            bar.n = len(ended)
            values = [each.value for each in ended if each.value is not None]
            bar.set_postfix_str(f"best {min(values):.3%}" if values else "")
            if trial and trial.state.name == "FAIL":
                again()(study, trial)
            if len(ended) >= number and trial:
                study.stop()

        told(study)
        if bar.n >= number:
            return
        limits = {"n_trials": number - bar.n, "timeout": minutes and 60 * minutes}
        try:
            study.optimize(searcher, n_jobs=workers, callbacks=[told], catch=_Stopped, **limits)
        except ValueError as error:
            if not searcher.lost.is_set():
                raise
            silent = "this process was silent for three heartbeats, and what it was at was given to another"
            raise StudyError(f"{silent}: run it again to go on") from error


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C and `kill` set instead of ending the process at once; the second one does end it."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def gone(database: str) -> Iterator[None]:
    """Says that the database went away amid the search, and what to do; once, whichever threads find it out."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    def is_away(error: BaseException | None) -> bool:
        # Optuna fails in other ways, too, while it handles what the database raised.
        return any(isinstance(cause, (SQLAlchemyError, StorageInternalError)) for cause in _causes(error))

    def ended(thread: threading.ExceptHookArgs) -> None:
        # Optuna's heartbeats have threads of their own; the search ends as they do.
        if not is_away(thread.exc_value):
            before(thread)

    before, threading.excepthook = threading.excepthook, ended
    try:
        yield
    except Exception as error:
        if not is_away(error):
            raise
        # The errors hold the statement and its values; what matters is the remedy.
        remedy = "what has ended is kept; run it again to go on"
        raise StudyError(f"{database}: the database went away amid the search: {remedy}") from None
    finally:
        threading.excepthook = before


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from or while handling, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def found(study: optuna.Study, own: Recipe, title: str, kept_in: str) -> Found | None:
    """What the study holds by now; None while the model's own parameters are not valued."""
    from optuna.trial import TrialState

    ended = {trial.number: trial for trial in tune.ended(study)}
    first = [number for number, trial in ended.items() if trial.user_attrs.get(OWN)]
    if not first:
        return None
    table = trials([*ended.values()])
    best = ended[int(table.loc[table["value"].idxmin(), "number"])]
    return Found(
        study=study.study_name,
        title=title,
        model=own.name,
        kept_in=kept_in,
        trials=table,
        failed=len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,))),
        parameters=tune.parameters_of(best, own),
        own=first[0],
    )


def trials(ended: Sequence[FrozenTrial]) -> pd.DataFrame:
    """`tune.table` in the order in which the trials ended, with the columns minutes and worker."""
    minutes = minutes_until([trial.datetime_start for trial in ended], [trial.datetime_complete for trial in ended])
    workers = [trial.user_attrs["worker"] for trial in ended]
    table = tune.table(ended).assign(minutes=minutes, worker=workers)
    table = table.sort_values(["minutes", "number"], ignore_index=True)
    return table.assign(learnt=table["folds"].cumsum())


def minutes_until(starts: Sequence[datetime], ends: Sequence[datetime]) -> np.ndarray:
    """For each trial's end the minutes until then in which a trial was under way: pauses of the search don't count."""
    first = min(starts)
    spans = sorted(
        ((start - first).total_seconds() / 60, (end - first).total_seconds() / 60)
        for start, end in zip(starts, ends, strict=True)
    )
    whole: list[list[float]] = []
    for start, end in spans:
        if whole and start <= whole[-1][1]:
            whole[-1][1] = max(whole[-1][1], end)
        else:
            whole.append([start, end])
    moments = np.array([(end - first).total_seconds() / 60 for end in ends])
    return np.round(sum(np.clip(moments - start, 0, end - start) for start, end in whole), 4)


def block(parameters: Mapping[str, Any]) -> str:
    """The parameters as they stand in params/model/<name>.yaml."""
    return yaml.safe_dump({"parameters": dict(parameters)}, sort_keys=False)
