"""The study that several processes search together: its name, its database, its trials."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from homei import lake
from homei.config import SearchRange, Tuning
from homei.databases import remedy, words
from homei.model import estimators, incomplete, preprocess, ratio, recipe
from homei.model.recipe import Recipe

if TYPE_CHECKING:
    import optuna
    from sqlalchemy import URL

DATABASE = "HOMEI_STUDY_DATABASE"
FILE = Path("models/search/studies.sqlite")
BEAT = "heartbeat"  # the attribute of the study: seconds
OWN = "own"  # the attribute of the trial of the model's own parameters
RETRIES = 3  # of a trial whose process died: one that kills each process that takes it must come to an end
PATIENCE = 10  # seconds to connect
PAUSES = (0.2, 0.4, 0.8, 1.6)  # seconds
POSTGRESQL = "postgresql+psycopg"
# What an error depends on beside sales and parameters: trials of other code are no trials of this one.
_CODE = (estimators, incomplete, preprocess, ratio, recipe)

Opened = TypeVar("Opened")


class StudyError(ValueError):
    """A database that can't be used: the message names its variable, never its password."""


def name_of(own: Recipe, ranges: Mapping[str, SearchRange], tuning: Tuning, source: str, data: str) -> str:
    """A study's name, another one for other sales, inputs, parameters, ranges, folds or code: hdb-lightgbm-1f3a…"""
    told = {
        "data": data,
        "recipe": {field.name: getattr(own, field.name) for field in dataclasses.fields(own)},
        "ranges": dict(ranges),
        "folds": [tuning.folds, tuning.fold_months],
        "code": [lake.digest(Path(module.__file__)) for module in _CODE],
    }
    text = json.dumps(told, sort_keys=True, default=lambda section: section.model_dump())
    return f"{source}-{own.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def address(variable: str) -> URL:
    """The database whose address an environment variable holds; a file of the project's where DATABASE is not set.

    Raises StudyError.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        # What stands there may be an address with its password.
        raise StudyError(
            "--database: give the name of the environment variable that holds the address, not the address"
        )
    text = os.environ.get(variable)
    if text is None and variable != DATABASE:
        raise StudyError(f"--database {variable}: this environment variable is not set")
    if text is None:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        return make_url(f"sqlite:///{FILE}")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # SQLAlchemy's message holds the address.
        example = f"{POSTGRESQL}://homei:$PASSWORD@db.example.com/studies"
        raise StudyError(f"{variable} holds no address of a database: give one such as {example}") from None
    return url.set(drivername=POSTGRESQL) if url.drivername in ("postgres", "postgresql") else url


def place(url: URL) -> str:
    """Where a database is, without who asks it: postgresql at db.example.com:5432/studies."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.get_backend_name()} at {url.host}{f':{url.port}' if url.port else ''}/{url.database}"


def join(
    variable: str, name: str, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner,
    first: Mapping[str, Any], heartbeat: int,
) -> optuna.Study:  # fmt: skip
    """The study of that name, begun with the parameters `first` by whoever comes first.

    A process that is silent for three heartbeats (seconds) is taken for dead, and its trial is given to another: all
    must beat alike. Raises StudyError.
    """
    import optuna

    url = address(variable)

    def joined() -> optuna.Study:
        storage = _storage(url, heartbeat)
        try:
            study = optuna.create_study(storage=storage, study_name=name, sampler=sampler, pruner=pruner)
        except optuna.exceptions.DuplicatedStudyError:
            return optuna.load_study(storage=storage, study_name=name, sampler=sampler, pruner=pruner)
        study.set_user_attr(BEAT, heartbeat)
        study.enqueue_trial(dict(first), user_attrs={OWN: True})
        return study

    study = _patiently(joined, url, variable)
    beat = study.user_attrs.get(BEAT, heartbeat)
    if beat != heartbeat:
        raise StudyError(
            f"--heartbeat {heartbeat}: the processes of this study beat every {beat} seconds, so give {beat}"
        )
    return study


def again(retries: int | None = None) -> Callable[[optuna.Study, optuna.trial.FrozenTrial], None]:
    """What puts a trial that was not finished back to be taken by the next process."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # so called since 2021
        return RetryHeartbeatStaleTrialCallback(max_retry=retries)


def _storage(url: URL, heartbeat: int) -> optuna.storages.RDBStorage:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage

    backend = url.get_backend_name()
    connect = {"sqlite": {"timeout": 100}, "postgresql": {"connect_timeout": PATIENCE}}.get(backend, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(
            # Optuna fills a template of its own in.
            re.sub(r"([{}])", r"\1\1", url.render_as_string(hide_password=False)),
            engine_kwargs={"connect_args": connect, "pool_pre_ping": True},
            heartbeat_interval=heartbeat,
            grace_period=3 * heartbeat,
            heartbeat_stale_trial_callback=again(RETRIES),
        )


def _patiently(opened: Callable[[], Opened], url: URL, variable: str) -> Opened:
    """What `opened` gives, tried anew where another process is just making the same tables; raises StudyError."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    pauses = iter(PAUSES)
    while True:
        try:
            return opened()
        except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError) as error:
            # Optuna wraps what SQLAlchemy raises, and SQLAlchemy what the driver does.
            found = error if isinstance(error, SQLAlchemyError) else error.__cause__ or error
            pause = next(pauses, None)
            if pause is None or not _just_made(found):
                raise StudyError(f"{variable}: {_explained(found, url)}") from None
        time.sleep(pause)


def _just_made(error: BaseException) -> bool:
    from sqlalchemy.exc import IntegrityError

    return isinstance(error, IntegrityError) or "already exists" in words(error)


def _explained(error: BaseException, url: URL) -> str:
    from sqlalchemy.exc import NoSuchModuleError

    if isinstance(error, ModuleNotFoundError):
        return f"{url.drivername} needs a driver: {remedy(error)}"
    if isinstance(error, NoSuchModuleError):
        return f"{url.drivername} is no kind of database that SQLAlchemy knows"
    told = words(error)
    return f"{place(url)} can't be used: {told.replace(str(url.password), '***') if url.password else told}"
