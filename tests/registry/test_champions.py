"""Every champion is restored byte for byte from DVC's cache, and never with changed bytes."""

import hashlib
import shutil
from pathlib import Path

import pytest
from dvc.cli import main

from homei.pipeline.verify import CACHE
from homei.registry import champions, package
from homei.registry.config import PromoteConfig
from homei.registry.promote import promote
from homei.serving import launch
from homei.storage import lake

SETTINGS = PromoteConfig(draws=400, confidence=0.95, min_sales=100)


def hashes(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def dvc(*command):
    assert main(list(command)) == 0


@pytest.fixture
def three_champions(promoted, tmp_path, monkeypatch):
    """The Bento files by version of a project with three champions, copied to the current folder."""
    folder, bentos = promoted
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "copy", symlinks=True))
    return {name: hashes(bento) for name, bento in bentos.items()}


def test_every_champion_is_restored_without_its_bento_in_the_store(three_champions):
    shutil.rmtree(package.HOME)
    for name in ("v1.0.0", "v1.2.0", "v1.1.0"):
        champions.roll_back(champions.find_version(name))
        bento, name_in_use = launch.champion_bento()
        assert hashes(bento) == three_champions[name]
        assert name_in_use.startswith(f"{name} (valuation:")
        assert champions.champion_in_use().name == name
        assert champions.uncommitted_files() == []
    assert [decision["action"] for decision in champions.decisions()] == ["promote"] * 3 + ["rollback"] * 3


def test_a_rollback_changes_only_the_record_that_services_watch(three_champions):
    before = hashes(Path("models")) | hashes(Path("data"))
    champions.roll_back(champions.find_version("v1.0.0"))
    after = hashes(Path("models")) | hashes(Path("data"))
    name_in_use = champions.IN_USE.relative_to("models").as_posix()
    assert before.pop(name_in_use) != after.pop(name_in_use)
    assert after == before
    assert lake.read_json(champions.IN_USE)["tag"] == "valuation:first"


def test_services_keep_the_champion_if_the_commit_of_a_rollback_fails(three_champions, monkeypatch):
    before = champions.IN_USE.read_bytes()
    lake.write_text("#!/bin/sh\nexit 1\n", Path(".git/hooks/pre-commit"))
    Path(".git/hooks/pre-commit").chmod(0o755)
    with pytest.raises(champions.ChampionError):
        champions.roll_back(champions.find_version("v1.0.0"))
    assert champions.IN_USE.read_bytes() == before


def test_rollbacks_without_a_version_go_back_one_champion_at_a_time(three_champions):
    for name in ("v1.1.0", "v1.0.0"):
        assert champions.previous_champion().name == name
        champions.roll_back(champions.previous_champion())
    with pytest.raises(champions.ChampionError, match="no champion before"):
        champions.previous_champion()


def test_a_challenger_is_compared_with_the_champion_after_a_rollback(three_champions):
    champions.roll_back(champions.find_version("v1.0.0"))
    decision = promote(SETTINGS, 1)
    assert (decision["against"], decision["version"]) == ("v1.0.0", "v1.3.0")
    assert champions.previous_champion().name == "v1.0.0"


def test_gto_and_dvc_read_the_versions(three_champions):
    from dvc.api import artifacts_show
    from gto import api

    assert [found["version"] for found in api.show(".", champions.ARTIFACT)] == ["v1.2.0", "v1.1.0", "v1.0.0"]
    assert artifacts_show("valuation", version="v1.1.0")["rev"] == champions.find_version("v1.1.0").commit


def test_a_changed_champion_is_restored_before_serving(three_champions):
    lake.write_text("other\n", champions.FOLDER / "bento/src/homei/serve.py")
    bento, _ = launch.champion_bento()
    assert hashes(bento) == three_champions["v1.2.0"]


def test_a_changed_byte_in_the_cache_raises_an_error(three_champions):
    digest = hashlib.md5(b"first\n", usedforsecurity=False).hexdigest()
    cached = CACHE / digest[:2] / digest[2:]
    cached.chmod(0o644)
    cached.write_text("firsT\n")
    before, tags = hashes(champions.FOLDER), champions.git("tag")
    with pytest.raises(champions.ChampionError, match="its bytes in DVC's cache differ from those promoted"):
        champions.roll_back(champions.find_version("v1.0.0"))
    assert (hashes(champions.FOLDER), champions.git("tag")) == (before, tags)
    assert champions.champion_in_use().name == "v1.2.0"


@pytest.mark.parametrize("missing_objects", ["*.dir", "*"])
def test_the_error_for_a_champion_missing_from_the_cache_names_the_remedy(three_champions, missing_objects):
    for path in CACHE.glob(f"??/{missing_objects}"):
        path.unlink()
    with pytest.raises(champions.ChampionError, match=r"neither in DVC's cache nor in its remote(?s:.*)dvc pull"):
        champions.restore(champions.find_version("v1.0.0"))


def test_a_clone_of_the_published_repository_has_every_champion(three_champions, tmp_path, monkeypatch):
    here, hub, store, colleague = Path.cwd(), tmp_path / "hub.git", tmp_path / "store", tmp_path / "colleague"
    champions.git("init", "--quiet", "--bare", str(hub))
    champions.git("remote", "add", "hub", str(hub))
    dvc("remote", "add", "--quiet", "--default", "store", str(store))
    champions.git("commit", "--quiet", "--message", "Where data goes", "--", ".dvc/config")
    for name in ("v1.0.0", "v1.1.0", "v1.2.0"):
        champions.roll_back(champions.find_version(name))
        # As `homei rollback` and `homei promote` print.
        champions.git("push", "--quiet", "--follow-tags", "hub", "HEAD:main")
        dvc("push", "--quiet", str(champions.PINNED))
    champions.git("clone", "--quiet", "--branch", "main", str(hub), str(colleague))
    shutil.rmtree(here)
    monkeypatch.chdir(colleague)
    assert champions.champion_in_use().name == "v1.2.0"
    for name, bento in three_champions.items():
        assert hashes(champions.restore(champions.find_version(name)) / champions.BENTO) == bento


def test_the_error_for_an_unknown_version_names_the_known_ones(three_champions):
    with pytest.raises(champions.ChampionError, match=r"no champion v7: choose one of v1\.0\.0, v1\.1\.0, v1\.2\.0"):
        champions.find_version("v7")


def test_rolling_back_to_the_version_in_use_raises_an_error(three_champions):
    with pytest.raises(champions.ChampionError, match=r"v1\.2\.0 is in use already"):
        champions.roll_back(champions.find_version("v1.2.0"))


def git_refuses(why: str) -> None:
    hook = Path(".git/hooks/pre-commit")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho {why} >&2\nexit 1\n")
    hook.chmod(0o755)


def test_a_failed_commit_of_a_rollback_changes_nothing(three_champions):
    before, decision = champions.git("tag"), champions.decisions()
    git_refuses("not today")
    with pytest.raises(champions.ChampionError, match="not today"):
        champions.roll_back(champions.find_version("v1.0.0"))
    assert (champions.uncommitted_files(), champions.git("tag"), champions.decisions()) == ([], before, decision)
    assert hashes(launch.champion_bento()[0]) == three_champions["v1.2.0"]


def test_a_failed_commit_of_a_first_promotion_changes_nothing(challenger):
    challenger(0.2)
    git_refuses("not today")
    with pytest.raises(champions.ChampionError, match="not today"):
        promote(SETTINGS, 1)
    assert (champions.uncommitted_files(), champions.git("tag"), champions.decisions()) == ([], "", [])


def test_unassigning_a_version_in_gto_puts_the_previous_one_into_use(three_champions):
    from gto import api

    api.unassign(".", champions.ARTIFACT, version="v1.2.0", stage=champions.STAGE)
    assert champions.champion_in_use().name == "v1.1.0"


def test_the_error_without_a_champion_names_the_remedy(challenger):
    challenger(0.2)
    with pytest.raises(launch.LaunchError, match="homei promote"):
        launch.champion_bento()
