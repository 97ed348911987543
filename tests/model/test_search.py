"""The search outside the graph: processes that share a study on a real PostgreSQL, are killed, stopped, and go on."""

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

from homei import lake, params
from homei.model import search, shared_study, tune
from homei.report import shared_search

PROJECT = Path(__file__).parents[2]
PASSWORD = "open-sesame"
SMALL = {"n_estimators": 25, "learning_rate": 0.2, "num_leaves": 15, "colsample_bytree": 0.4, "subsample": 0.7}


@pytest.fixture(scope="module")
def server(postgresql):
    """A PostgreSQL that takes any password."""
    with postgresql() as running:
        yield running


class Database:
    """What is in a database of studies, by its address."""

    def __init__(self, url):
        self.url, self.engine = url, sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)

    def states(self):
        """Of all trials, in the order of their numbers."""
        if not sqlalchemy.inspect(self.engine).has_table("trials"):
            return []
        with self.engine.connect() as connection:
            return [state for (state,) in connection.exec_driver_sql("select state::text from trials order by number")]

    def trials(self):
        """Of the one study there is."""
        (summary,) = optuna.get_all_study_summaries(self.url)
        return optuna.load_study(study_name=summary.study_name, storage=self.url).trials


@contextlib.contextmanager
def known_with_password(url, monkeypatch):
    """A database whose address with a password is in the environment variable that `homei search` reads."""
    database = Database(url)
    monkeypatch.setenv(shared_study.DATABASE, url.replace("postgres@", f"postgres:{PASSWORD}@"))
    yield database
    database.engine.dispose()


@pytest.fixture
def database(server, monkeypatch, request):
    """An empty database of the server."""
    name = f"studies_{zlib.crc32(request.node.name.encode())}"
    engine = sqlalchemy.create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"create database {name}")
    engine.dispose()
    with known_with_password(server.url.removesuffix("postgres") + name, monkeypatch) as found:
        yield found


@pytest.fixture
def project(ready, tmp_path, monkeypatch):
    """Makes the current folder a project of the small city, whose model has that many trees; gives its sections."""
    monkeypatch.chdir(tmp_path)

    def make(trees=25, seed=3):
        values = yaml.safe_load(params.compose(["source=demo", "train.workers=1"], PROJECT / "params"))
        values["model"]["parameters"] |= SMALL | {"n_estimators": trees}
        Path("params.yaml").write_text(yaml.safe_dump(values))
        lake.write(ready(seed=seed), lake.READY)
        return params.pick(*search.SECTIONS)

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


def test_two_processes_that_begin_at_once_share_one_study_and_tell_no_password(database, project):
    project()
    processes = [homei("--trials", "8"), homei("--trials", "8")]
    printed = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    page = shared_search.PAGE.read_text()
    assert PASSWORD not in page + "".join(printed)
    assert all("not byte-reproducible" in text for text in [page, *printed])
    ended = [trial for trial in database.trials() if trial.state.name in ("COMPLETE", "PRUNED")]
    assert 8 <= len(ended) <= 9
    assert len({trial.user_attrs["worker"] for trial in ended}) == 2
    assert len([trial for trial in ended if trial.user_attrs.get(shared_study.OWN)]) == 1
    assert len({tuple(trial.params.values()) for trial in ended}) == len(ended)


def test_what_a_killed_process_was_at_is_tried_again_and_a_stopped_one_puts_it_back(database, project):
    """The model's own parameters are tried first: by one that is killed, by one that is stopped, and then for good."""
    given = project(trees=400)
    killed = homei("--heartbeat", "1")
    wait_for(lambda: database.states() == ["RUNNING"])
    time.sleep(0.3)
    killed.kill()
    killed.communicate()
    time.sleep(3.2)
    stopped = homei("--heartbeat", "1")
    wait_for(lambda: database.states() == ["FAIL", "RUNNING"])
    stopped.send_signal(signal.SIGINT)
    said = stopped.communicate(timeout=60)[0]
    assert "not valued yet: run it again" in said
    assert "Traceback" not in said
    assert database.states() == ["FAIL", "FAIL", "WAITING"]
    found = search.run(given, 2, None, shared_study.DATABASE, 1)
    assert database.states() == ["FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert found.earned.own == found.trials["value"].iloc[0]
    own = {name: given.model.parameters[name] for name in given.model.search}
    assert [trial.params == own for trial in database.trials()] == [True, True, True, False]


def test_a_database_that_goes_away_amid_a_search_is_told_and_what_had_ended_is_kept(postgresql, project, monkeypatch):
    with postgresql() as own, known_with_password(own.url, monkeypatch) as database:
        given = project(trees=200)
        going = homei("--trials", "50")
        wait_for(lambda: "COMPLETE" in database.states())
        own.stop()
        said = going.communicate(timeout=60)[0]
        assert going.returncode == 1
        assert said.splitlines() == [
            "homei: HOMEI_STUDY_DATABASE: the database went away amid the search: what has ended is kept; "
            "run it again to go on"
        ]
        own.start()
        kept = database.states().count("COMPLETE")
        found = search.run(given, kept, None, shared_study.DATABASE, 30)
        assert (found.trials["state"] == "complete").sum() == kept >= 1


def test_without_a_database_a_file_is_searched_in_and_gone_on_with(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    given = project()
    first = search.run(given, 2, None, shared_study.DATABASE, 30)
    again = search.run(given, 5, None, shared_study.DATABASE, 30)
    assert shared_study.FILE.exists()
    assert (first.study, len(first.trials), len(again.trials)) == (again.study, 2, 5)
    assert again.trials["number"].tolist()[:2] == first.trials["number"].tolist()
    assert len(search.run(given, 5, None, shared_study.DATABASE, 30).trials) == 5
    assert again.earned.own == first.earned.own
    given_back = yaml.safe_load(search.block(again.parameters))["parameters"]
    assert set(given_back) == set(given.model.parameters)
    best = again.trials.loc[again.trials["value"].idxmin()]
    assert all(given_back[name] == best[name] for name in given.model.search)


def test_a_process_whose_trial_was_given_to_another_says_so(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    learn = tune.Attempt.error

    def taken_away(attempt, folds):
        attempt.trial.storage.set_trial_state_values(attempt.trial._trial_id, optuna.trial.TrialState.FAIL)
        return learn(attempt, folds)

    monkeypatch.setattr(tune.Attempt, "error", taken_away)
    with pytest.raises(shared_study.StudyError, match=r"silent for three heartbeats.*: run it again to go on"):
        search.run(project(), 2, None, shared_study.DATABASE, 30)


def test_processes_that_do_not_beat_alike_do_not_share_a_study(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    search.run(project(), 1, None, shared_study.DATABASE, 30)
    with pytest.raises(shared_study.StudyError, match=r"--heartbeat 2: .* beat every 30 seconds, so give 30"):
        search.run(project(), 2, None, shared_study.DATABASE, 2)


def test_minutes_that_are_over_begin_no_trial(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    assert search.run(project(), 50, 1e-9, shared_study.DATABASE, 30) is None


def test_a_hopeless_trial_is_pruned_in_a_shared_search_too(project, monkeypatch):
    monkeypatch.delenv(shared_study.DATABASE, raising=False)
    given = project()
    ranges = {"learning_rate": given.model.search["subsample"].model_copy(update={"low": 0.0001, "high": 0.3})}
    given.model = given.model.model_copy(update={"search": ranges})
    pruner = given.tuning.pruner.model_copy(update={"startup_trials": 1})
    given.tuning = given.tuning.model_copy(update={"pruner": pruner})
    found = search.run(given, 12, None, shared_study.DATABASE, 30)
    pruned = found.trials["state"] == "pruned"
    assert pruned.any()
    assert set(found.trials.loc[pruned, "folds"]) == {1}
    assert found.earned.saved == pruned.sum()
    shared_search.write(found)
    assert "not byte-reproducible" in shared_search.PAGE.read_text()


def test_minutes_without_a_trial_under_way_do_not_count():
    begin = datetime(2026, 1, 1)  # noqa: DTZ001 (Optuna's are without a zone, too)
    at = [begin + timedelta(minutes=minute) for minute in range(100)]
    starts, ends = [at[0], at[1], at[60]], [at[4], at[3], at[65]]
    assert search.minutes_until(starts, ends).tolist() == [4, 3, 9]


def test_a_thread_that_finds_the_database_away_says_nothing_of_its_own(monkeypatch):
    def fails(error):
        def raising():
            raise error

        thread = threading.Thread(target=raising)
        thread.start()
        thread.join()

    told = []
    monkeypatch.setattr(threading, "excepthook", lambda thread: told.append(thread.exc_type))
    with search.gone("HOMEI_STUDY_DATABASE"):
        fails(sqlalchemy.exc.OperationalError("select 1", {}, Exception("gone")))
        fails(LookupError("another"))
    fails(sqlalchemy.exc.OperationalError("select 1", {}, Exception("later")))
    assert told == [LookupError, sqlalchemy.exc.OperationalError]
