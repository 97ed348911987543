"""Parallel search: processes that share a study on PostgreSQL, are killed, stopped and continued."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
import sqlalchemy
import yaml

from homei.config import params
from homei.reporting import parallel_search_page
from homei.storage import lake
from homei.training import parallel_search, shared_study, tune

PROJECT = Path(__file__).parents[2]
PASSWORD = "open-sesame"
SMALL = {"n_estimators": 25, "learning_rate": 0.2, "num_leaves": 15, "colsample_bytree": 0.4, "subsample": 0.7}


@pytest.fixture(scope="module")
def server(postgresql):
    """A PostgreSQL server that accepts any password."""
    with postgresql() as running:
        yield running


class Database:
    """The contents of a study database."""

    def __init__(self, url):
        self.url, self.engine = url, sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)

    def states(self):
        """The states of all trials in the order of their numbers."""
        if not sqlalchemy.inspect(self.engine).has_table("trials"):
            return []
        with self.engine.connect() as connection:
            return [state for (state,) in connection.exec_driver_sql("select state::text from trials order by number")]

    def has_heartbeat(self):
        if self.states() != ["RUNNING"]:
            return False
        with self.engine.connect() as connection:
            return connection.exec_driver_sql("select count(*) from trial_heartbeats").scalar_one() > 0

    def age_heartbeats(self):
        """Makes running trials stale without waiting for three heartbeats."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql("update trial_heartbeats set heartbeat = heartbeat - interval '1 minute'")

    def trials(self):
        """The trials of the only study."""
        (summary,) = optuna.get_all_study_summaries(self.url)
        return optuna.load_study(study_name=summary.study_name, storage=self.url).trials


@contextlib.contextmanager
def database_with_password(url, monkeypatch):
    """A database whose URL with a password is in the environment variable of `homei search`."""
    database = Database(url)
    monkeypatch.setenv(shared_study.DATABASE, url.replace("postgres@", f"postgres:{PASSWORD}@"))
    yield database
    database.engine.dispose()


@pytest.fixture
def database(server, monkeypatch, request):
    """An empty database on the server."""
    name = f"studies_{zlib.crc32(request.node.name.encode())}"
    engine = sqlalchemy.create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"create database {name}")
    engine.dispose()
    with database_with_password(server.url.removesuffix("postgres") + name, monkeypatch) as result:
        yield result


@pytest.fixture
def project(ready, tmp_path, monkeypatch):
    """Creates a project of the small city in the current folder, and returns its sections."""
    monkeypatch.chdir(tmp_path)

    def make(trees=25, seed=3):
        values = yaml.safe_load(params.compose(["city=demo", "train.workers=1"], PROJECT / "params"))
        values["model"]["parameters"] |= SMALL | {"n_estimators": trees}
        Path("params.yaml").write_text(yaml.safe_dump(values))
        lake.write(ready(seed=seed), lake.TRAINING_SET)
        return params.pick(*parallel_search.SECTIONS)

    return make


def homei(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    command = [sys.executable, "-m", "homei", "search", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(happened):
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_simultaneous_processes_share_a_study_without_printing_the_password(database, project):
    project()
    processes = [homei("--trials", "8"), homei("--trials", "8")]
    printed = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    page = parallel_search_page.PAGE.read_text()
    assert PASSWORD not in page + "".join(printed)
    assert all("not byte-reproducible" in text for text in [page, *printed])
    ended = [trial for trial in database.trials() if trial.state.name in ("COMPLETE", "PRUNED")]
    assert 8 <= len(ended) <= 9
    assert len({trial.user_attrs["worker"] for trial in ended}) == 2
    assert len([trial for trial in ended if trial.user_attrs.get(shared_study.CONFIGURED)]) == 1
    assert len({tuple(trial.params.values()) for trial in ended}) == len(ended)


@pytest.mark.slow
def test_trials_of_killed_and_stopped_processes_are_retried(database, project):
    """A killed and a stopped process try the configured parameters before they are completed."""
    sections = project(trees=400)
    killed = homei("--heartbeat", "1")
    wait_for(database.has_heartbeat)
    killed.kill()
    killed.communicate()
    database.age_heartbeats()
    stopped = homei("--heartbeat", "1")
    wait_for(lambda: database.states() == ["FAIL", "RUNNING"])
    stopped.send_signal(signal.SIGINT)
    output = stopped.communicate(timeout=60)[0]
    assert "is not complete yet: run the command again" in output
    assert "Traceback" not in output
    assert database.states() == ["FAIL", "FAIL", "WAITING"]
    result = parallel_search.run(sections, 2, None, shared_study.DATABASE, 1)
    assert database.states() == ["FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert result.gain.configured == result.trials["value"].iloc[0]
    own = {name: sections.model.parameters[name] for name in sections.model.search}
    killed, *retried, suggested = (trial.params for trial in database.trials())
    assert killed.items() <= own.items()  # it may have been killed before it stored all of them
    assert [*retried, suggested != own] == [own, own, True]


@pytest.mark.slow
def test_a_lost_database_is_reported_and_ended_trials_are_kept(postgresql, project, monkeypatch):
    with postgresql() as own, database_with_password(own.url, monkeypatch) as database:
        sections = project(trees=200)
        going = homei("--trials", "50")
        wait_for(lambda: "COMPLETE" in database.states())
        own.stop()
        output = going.communicate(timeout=60)[0]
        assert going.returncode == 1
        assert output.splitlines() == [
            "homei: HOMEI_STUDY_DATABASE: the database connection was lost; ended trials are stored, "
            "run it again to continue"
        ]
        own.start()
        kept = database.states().count("COMPLETE")
        result = parallel_search.run(sections, kept, None, shared_study.DATABASE, 30)
        assert (result.trials["state"] == "complete").sum() == kept >= 1


def test_without_a_database_a_file_is_used_and_continued(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    sections = project()
    first = parallel_search.run(sections, 2, None, shared_study.DATABASE, 30)
    repeated = parallel_search.run(sections, 5, None, shared_study.DATABASE, 30)
    assert shared_study.FILE.exists()
    assert (first.study, len(first.trials), len(repeated.trials)) == (repeated.study, 2, 5)
    assert repeated.trials["number"].tolist()[:2] == first.trials["number"].tolist()
    assert len(parallel_search.run(sections, 5, None, shared_study.DATABASE, 30).trials) == 5
    assert repeated.gain.configured == first.gain.configured
    given_back = yaml.safe_load(parallel_search.format_parameters(repeated.parameters))["parameters"]
    assert set(given_back) == set(sections.model.parameters)
    best = repeated.trials.loc[repeated.trials["value"].idxmin()]
    assert all(given_back[name] == best[name] for name in sections.model.search)


def test_a_process_that_lost_its_trial_raises_an_error(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    learn = tune.TrialRun.next_errors

    def taken_away(attempt, folds):
        attempt.trial.storage.set_trial_state_values(attempt.trial._trial_id, optuna.trial.TrialState.FAIL)
        return learn(attempt, folds)

    monkeypatch.setattr(tune.TrialRun, "next_errors", taken_away)
    with pytest.raises(
        shared_study.StudyError, match=r"sent no heartbeat for three intervals.*: run it again to continue"
    ):
        parallel_search.run(project(), 2, None, shared_study.DATABASE, 30)


def test_processes_with_different_heartbeats_cannot_share_a_study(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    parallel_search.run(project(), 1, None, shared_study.DATABASE, 30)
    with pytest.raises(shared_study.StudyError, match=r"--heartbeat 2: .* use 30; give 30"):
        parallel_search.run(project(), 2, None, shared_study.DATABASE, 2)


def test_no_trial_starts_after_the_time_limit(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    assert parallel_search.run(project(), 50, 1e-9, shared_study.DATABASE, 30) is None


def test_bad_trials_are_pruned_in_a_shared_search(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    sections = project()
    ranges = {"learning_rate": sections.model.search["subsample"].model_copy(update={"low": 0.0001, "high": 0.3})}
    sections.model = sections.model.model_copy(update={"search": ranges})
    pruner = sections.tuning.pruner.model_copy(update={"startup_trials": 1})
    sections.tuning = sections.tuning.model_copy(update={"pruner": pruner})
    result = parallel_search.run(sections, 12, None, shared_study.DATABASE, 30)
    pruned = result.trials["state"] == "pruned"
    assert pruned.any()
    assert set(result.trials.loc[pruned, "folds"]) == {1}
    assert result.gain.folds_saved == pruned.sum()
    parallel_search_page.write(result)
    assert "not byte-reproducible" in parallel_search_page.PAGE.read_text()


def test_minutes_without_a_running_trial_are_not_counted():
    begin = datetime(2026, 1, 1)  # noqa: DTZ001 (Optuna's are without a zone, too)
    at = [begin + timedelta(minutes=minute) for minute in range(100)]
    starts, ends = [at[0], at[1], at[60]], [at[4], at[3], at[65]]
    assert parallel_search.search_minutes(starts, ends) == [4, 3, 9]


def test_database_errors_of_threads_are_not_printed(monkeypatch):
    def fails(error):
        def raising():
            raise error

        thread = threading.Thread(target=raising)
        thread.start()
        thread.join()

    reported = []
    monkeypatch.setattr(threading, "excepthook", lambda thread: reported.append(thread.exc_type))
    with parallel_search.database_errors("HOMEI_STUDY_DATABASE"):
        fails(sqlalchemy.exc.OperationalError("select 1", {}, Exception("gone")))
        fails(LookupError("another"))
    fails(sqlalchemy.exc.OperationalError("select 1", {}, Exception("later")))
    assert reported == [LookupError, sqlalchemy.exc.OperationalError]
