"""The Optuna study that several processes search together: its name, database and storage."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from homei.storage import lake
from homei.storage.database_errors import driver_message, install_command
from homei.training import attribute_masking, encoding, estimators, time_splits, training_recipe, tune
from homei.training.config import SearchRange, TuningConfig
from homei.training.training_recipe import Recipe

DATABASE = "HOMEI_STUDY_DATABASE"
FILE = Path("models/search/studies.sqlite")
HEARTBEAT = "heartbeat"  # study attribute: seconds
CONFIGURED = "own"  # trial attribute of the configured parameters
MAX_RETRIES = 3  # of a trial whose process died, so that a trial that kills its process ends
CONNECT_TIMEOUT_SECONDS = 10
RETRY_SECONDS = (0.2, 0.4, 0.8, 1.6)
POSTGRESQL = "postgresql+psycopg"
# The code that errors depend on, besides sales and parameters: a change starts another study.
_CODE = (estimators, attribute_masking, encoding, time_splits, training_recipe, tune)


class StudyError(ValueError):
    """A database that cannot be used: the message names its variable, never its password."""


def study_name(recipe: Recipe, ranges: Mapping[str, SearchRange], tuning: TuningConfig, city: str, data: str) -> str:
    """A name such as hdb-lightgbm-1f3a…, unique for sales, recipe, ranges, folds and code."""
    content = {
        "data": data,
        "recipe": vars(recipe),
        "ranges": dict(ranges),
        "folds": [tuning.folds, tuning.fold_months],
        "code": [lake.digest(Path(module.__file__)) for module in _CODE],
    }
    text = json.dumps(content, sort_keys=True, default=lambda section: section.model_dump())
    return f"{city}-{recipe.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def database_url(variable: str) -> URL:
    """The database URL in an environment variable; the SQLite FILE if DATABASE is not set."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        # The option may hold a URL with its password, so it is not repeated.
        raise StudyError("--database: give the name of the environment variable that holds the URL, not the URL")
    text = os.environ.get(variable)
    if text is None and variable != DATABASE:
        raise StudyError(f"--database {variable}: this environment variable is not set")
    if text is None:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        return make_url(f"sqlite:///{FILE}")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # SQLAlchemy's message contains the URL.
        example = f"{POSTGRESQL}://homei:$PASSWORD@db.example.com/studies"
        raise StudyError(f"{variable} is not a database URL: give one such as {example}") from None
    return url.set(drivername=POSTGRESQL) if url.drivername in ("postgres", "postgresql") else url


def database_name(url: URL) -> str:
    """The database without credentials: postgresql at db.example.com:5432/studies."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.get_backend_name()} at {url.host}{f':{url.port}' if url.port else ''}/{url.database}"


def join_study(
    variable: str,
    name: str,
    sampler: optuna.samplers.BaseSampler,
    pruner: optuna.pruners.BasePruner,
    first: Mapping[str, Any],
    heartbeat_seconds: int,
) -> optuna.Study:
    """The study of that name; the process that creates it enqueues the parameters `first`.

    A process without a heartbeat for three intervals counts as dead, and its trial is given to another process, so all
    processes need the same interval. Raises StudyError.
    """
    url = database_url(variable)

    def create_or_load() -> optuna.Study:
        storage = _storage(url, heartbeat_seconds)
        try:
            study = optuna.create_study(storage=storage, study_name=name, sampler=sampler, pruner=pruner)
        except optuna.exceptions.DuplicatedStudyError:
            return optuna.load_study(storage=storage, study_name=name, sampler=sampler, pruner=pruner)
        study.set_user_attr(HEARTBEAT, heartbeat_seconds)
        study.enqueue_trial(dict(first), user_attrs={CONFIGURED: True})
        return study

    study = _with_retries(create_or_load, url, variable)
    expected = study.user_attrs.get(HEARTBEAT, heartbeat_seconds)
    if expected != heartbeat_seconds:
        raise StudyError(f"--heartbeat {heartbeat_seconds}: the study's processes use {expected}; give {expected}")
    return study


def retry_callback(max_retries: int | None = None) -> Callable[[optuna.Study, optuna.trial.FrozenTrial], None]:
    """A callback that enqueues an unfinished trial again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RetryHeartbeatStaleTrialCallback(max_retry=max_retries)


def _storage(url: URL, heartbeat_seconds: int) -> optuna.storages.RDBStorage:
    arguments = {"sqlite": {"timeout": 100}, "postgresql": {"connect_timeout": CONNECT_TIMEOUT_SECONDS}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(
            # Optuna formats the URL as a template.
            re.sub(r"([{}])", r"\1\1", url.render_as_string(hide_password=False)),
            engine_kwargs={"connect_args": arguments.get(url.get_backend_name(), {}), "pool_pre_ping": True},
            heartbeat_interval=heartbeat_seconds,
            grace_period=3 * heartbeat_seconds,
            heartbeat_stale_trial_callback=retry_callback(MAX_RETRIES),
        )


def _with_retries(create_or_load: Callable[[], optuna.Study], url: URL, variable: str) -> optuna.Study:
    """The study, with retries while another process creates the same tables; raises StudyError."""
    for pause_seconds in (*RETRY_SECONDS, None):
        try:
            return create_or_load()
        except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError) as error:
            # Optuna wraps the errors of SQLAlchemy.
            cause = error if isinstance(error, SQLAlchemyError) else error.__cause__ or error
            is_conflict = isinstance(cause, IntegrityError) or "already exists" in driver_message(cause)
            if pause_seconds is None or not is_conflict:
                raise StudyError(f"{variable}: {_explanation(cause, url)}") from None
        time.sleep(pause_seconds)
    raise AssertionError  # the last attempt returns or raises


def _explanation(error: BaseException, url: URL) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{url.drivername} needs a driver: {install_command(error)}"
    if isinstance(error, NoSuchModuleError):
        return f"{url.drivername} is not a database that SQLAlchemy supports"
    message = driver_message(error)
    return f"{database_name(url)} failed: {message.replace(str(url.password), '***') if url.password else message}"
