"""Two Bentos and one service: a newer model is loaded under load, or both answer in an experiment."""

import concurrent.futures
import itertools
import json
import shutil
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import yaml
from bentos import INPUTS, REPOSITORY, answering, build, homes, inside, package_it, running, train_small
from build_cache import copy_of
from dvc.repo import Repo
from project_copy import free_port

from homei.config import params
from homei.registry import champions, package
from homei.serving import launch
from homei.serving.contract import read
from homei.serving.experiment import experiment_environment as experiment
from homei.serving.experiment_checks import ExperimentError, check_experiment
from homei.serving.model_reload import follow_environment as setting
from homei.serving.predictor import Predictor
from homei.serving.property_model import property_model, rows_of
from homei.storage import lake

OLDER = Path("older.json")  # the record of the first Bento
PRICE, BATCH = "/api/v1/predict/price", "/api/v1/predict/batch"


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """A project in which a second model was built: its folder, and both records."""
    inputs = [*INPUTS, "tests/serving/test_two_bentos.py"]
    folder = copy_of("two-bentos", inputs, build_both, tmp_path_factory.mktemp("newer"))
    return folder, lake.read_json(folder / OLDER), lake.read_json(folder / package.RECORD)


def build_both(folder):
    copy_of("bento", INPUTS, build, folder)
    with inside(folder):
        shutil.copyfile(package.RECORD, OLDER)
        train_small(params.check(params.read()), trees=15)
        package_it()


def test_a_running_bento_takes_the_newer_one_under_load_without_dropping_a_request(away, newer):
    folder, before, after = newer
    rows = list(homes(read(folder / package.bento_folder(before["tag"]) / "src"), 40))
    prices = {record["model_version"]: prices_of(folder / package.bento_folder(record["tag"]), rows)
              for record in (before, after)}  # fmt: skip
    assert len(prices) == 2
    record, bento = folder / "follow.json", str((folder / package.HOME).resolve() / "bentos" / "{tag}")
    lake.write_json(before, record)
    stop, swapped, seen = threading.Event(), threading.Event(), []

    def hammer(url):
        with httpx.Client(base_url=url, timeout=30) as client:
            for number in itertools.cycle(range(len(rows))):
                if stop.is_set():
                    return
                began_later = swapped.is_set()
                answer = client.post(PRICE, json=rows[number])
                seen.append((answer.status_code, began_later, number, answer.json()))

    with (
        answering(away, "127.0.0.1", settings=setting(record, bento)) as url,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        hammering = [pool.submit(hammer, url) for _ in range(8)]
        try:
            time.sleep(1)
            lake.write_json(after, record)
            wait_for(url, f'model_version="{after["model_version"]}",variant="latest"}} 1.0')
            time.sleep(0.5)  # the metrics are told just before
            swapped.set()
            time.sleep(0.5)
        finally:
            stop.set()
        assert [each.result() for each in hammering] == [None] * 8
        assert httpx.get(url + "/readyz").status_code == 200
        assert 'homei_reload_total{outcome="taken"} 1.0' in httpx.get(url + "/metrics").text
    assert {status for status, *_ in seen} == {200}
    assert {answer["model_version"] for *_, answer in seen} == set(prices)
    assert all(answer["predicted_price"] == prices[answer["model_version"]][number] for *_, number, answer in seen)
    assert {answer["model_version"] for _, began_later, _, answer in seen if began_later} == {after["model_version"]}


def wait_for(url, metric):
    end = time.monotonic() + 30
    while metric not in httpx.get(url + "/metrics", timeout=30).text:
        assert time.monotonic() < end, metric
        time.sleep(0.1)


def prices_of(bento, rows):
    contract = read(bento / "src")
    checked = rows_of([property_model(contract).model_validate(row) for row in rows], contract)
    return [answer["predicted_price"] for answer in Predictor.load(bento / "src", contract).value(checked)]


@pytest.mark.slow
def test_champion_and_challenger_answer_side_by_side_each_as_it_does_alone(away, newer):
    folder, champion, challenger = newer
    older, newest = (folder / package.bento_folder(record["tag"]) for record in (champion, challenger))
    settings = params.section("experiment", yaml.safe_load(params.compose([], REPOSITORY / "params"))["experiment"])
    design = check_experiment(older, newest, settings.model_copy(update={"share": 0.4}))
    assert (design.champion, design.challenger) == (champion["model_version"], challenger["model_version"])
    rows = [row | {"property_id": f"P{number}"} for number, row in enumerate(homes(read(newest / "src"), 60))]
    prices = {variant: prices_of(bento, rows) for variant, bento in (("champion", older), ("challenger", newest))}
    served = folder, away[1]
    with answering(served, "127.0.0.1", settings=experiment(design, older), bento=newest) as url:
        answers = httpx.post(url + BATCH, json={"properties": rows}, timeout=60).json()["valuations"]
        counted = httpx.get(url + "/metrics").text
    assert {answer["variant"] for answer in answers} == {"champion", "challenger"}
    for number, answer in enumerate(answers):
        assert answer["variant"] == design.variant(f"P{number}")
        assert answer["predicted_price"] == prices[answer["variant"]][number]
    for variant, version in (("champion", design.champion), ("challenger", design.challenger)):
        assert f'model_version="{version}",variant="{variant}"}} 1.0' in counted


@pytest.mark.slow
def test_a_challengers_code_may_differ_as_long_as_it_values_the_champion_alike(newer, tmp_path):
    folder, champion, challenger = newer
    older, newest = (folder / package.bento_folder(record["tag"]) for record in (champion, challenger))
    settings = params.section("experiment", yaml.safe_load(params.compose([], REPOSITORY / "params"))["experiment"])
    settings = settings.model_copy(update={"share": 0.4})
    changed = shutil.copytree(newest, tmp_path / "changed")
    module = changed / "src" / "homei" / "training" / "valuation_model.py"
    code = module.read_text()
    module.write_text(code + "# Not a word more.\n")
    assert check_experiment(older, changed, settings).champion == champion["model_version"]
    module.write_text(code.replace("np.round(np.exp(ends), 2)", "np.round(np.exp(ends), 1)"))
    with pytest.raises(ExperimentError, match="values otherwise"):
        check_experiment(older, changed, settings)


@pytest.fixture(scope="module")
def crowned(newer):
    """The project under git and DVC with the older model as champion; call it to promote a record."""
    folder, before, _ = newer

    def register_champion(record):
        lake.write_json(record, folder.parent / "record.json")
        parts = {champions.RECORD: folder.parent / "record.json", champions.BENTO: package.bento_folder(record["tag"])}
        return champions.register_champion(parts, champions.new_decision("promote", record["tag"]))

    with inside(folder):
        (folder / ".gitignore").write_text("/data\n/models\n/registry/champion\n/.dvc/cache\n")
        champions.git("init", "--quiet")
        champions.git("config", "user.name", "Ada")
        champions.git("config", "user.email", "ada@example.com")
        Repo.init().close()
        champions.git("add", ".")
        champions.git("commit", "--quiet", "--message", "A project")
        register_champion(before)
        yield register_champion


def test_an_experiment_is_between_the_champion_and_what_was_built_last(newer, crowned):
    folder, before, after = newer
    with pytest.raises(ExperimentError, match=r"experiment\.share is 0"):
        launch.experiment_bento()
    plain = (folder / "params.yaml").read_text()
    lake.write_text(plain.replace("share: 0.0\n", "share: 0.25\n"), folder / "params.yaml")
    bento, told, environment = launch.experiment_bento()
    assert bento == (folder / package.bento_folder(after["tag"])).resolve()
    assert told == f"champion v1.0.0 ({before['tag']}) and, for 25% by property, challenger {after['tag']}"
    assert environment["HOMEI_VARIANT"] == "challenger"
    named = json.loads(environment["HOMEI_EXPERIMENT"])
    assert named["name"] == f"first/property/0.25/{before['model_version']}/{after['model_version']}"
    assert named["champion"] == str((folder / "registry/champion/bento").resolve())
    assert "HOMEI_FOLLOWS" not in environment
    lake.write_text(plain, folder / "params.yaml")


@pytest.mark.slow
def test_a_champion_that_is_served_gives_way_to_the_promoted_one_and_comes_back_with_a_rollback(newer, crowned):
    folder, before, after = newer
    port = free_port()
    code = f"from homei.serving.launch import launch; launch('127.0.0.1', {port}, champion=True)"
    row = next(homes(read(folder / package.bento_folder(before["tag"]) / "src"), 1))

    def answers_by(record):
        end = time.monotonic() + 30
        while httpx.post(url + PRICE, json=row).json()["model_version"] != record["model_version"]:
            assert time.monotonic() < end
            time.sleep(0.1)

    with running([sys.executable, "-c", code], f"http://127.0.0.1:{port}", cwd=folder) as url:
        answers_by(before)
        crowned(after)
        answers_by(after)
        champions.roll_back(champions.find_version("v1.0.0"))
        answers_by(before)
