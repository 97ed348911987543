"""Every champion comes back byte for byte, from the cache alone, and never with a byte that is not its own."""

import hashlib
import shutil
from pathlib import Path

import pytest
from dvc.cli import main

from homei import lake
from homei.config import Promote
from homei.model import champions, package
from homei.model.promote import promote
from homei.serve import launch
from homei.verify import CACHE

SETTINGS = Promote(draws=400, confidence=0.95, fewest=100)


def hashes(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def dvc(*command):
    assert main(list(command)) == 0


@pytest.fixture
def three(promoted, tmp_path, monkeypatch):
    """A copy of a project with three champions, which is the current folder; the files of their Bentos by version."""
    folder, bentos = promoted
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "copy", symlinks=True))
    return {name: hashes(bento) for name, bento in bentos.items()}


def test_every_champion_comes_back_byte_for_byte_even_without_its_bento_in_the_store(three):
    shutil.rmtree(package.HOME)
    for name in ("v1.0.0", "v1.2.0", "v1.1.0"):
        champions.roll_back(champions.find(name))
        bento, told = launch.champion_bento()
        assert hashes(bento) == three[name]
        assert told.startswith(f"{name} (valuation:")
        assert champions.in_use().name == name
        assert champions.uncommitted() == []
    assert [taken["action"] for taken in champions.decisions()] == ["promote"] * 3 + ["rollback"] * 3


def test_a_rollback_touches_nothing_that_was_built_and_tells_services(three):
    before = hashes(Path("models")) | hashes(Path("data"))
    champions.roll_back(champions.find("v1.0.0"))
    after = hashes(Path("models")) | hashes(Path("data"))
    told = champions.IN_USE.relative_to("models").as_posix()
    assert before.pop(told) != after.pop(told)
    assert after == before
    assert lake.read_json(champions.IN_USE)["tag"] == "valuation:first"


def test_services_are_not_told_of_a_champion_that_git_would_not_take(three, monkeypatch):
    before = champions.IN_USE.read_bytes()
    lake.write_text("#!/bin/sh\nexit 1\n", Path(".git/hooks/pre-commit"))
    Path(".git/hooks/pre-commit").chmod(0o755)
    with pytest.raises(champions.ChampionError):
        champions.roll_back(champions.find("v1.0.0"))
    assert champions.IN_USE.read_bytes() == before


def test_without_a_name_it_is_the_replaced_one_again_and_again_until_there_is_none(three):
    for name in ("v1.1.0", "v1.0.0"):
        assert champions.version_before().name == name
        champions.roll_back(champions.version_before())
    with pytest.raises(champions.ChampionError, match="no champion before"):
        champions.version_before()


def test_a_challenger_is_judged_against_the_one_that_was_rolled_back_to(three):
    champions.roll_back(champions.find("v1.0.0"))
    decision = promote(SETTINGS, 1)
    assert (decision["against"], decision["version"]) == ("v1.0.0", "v1.3.0")
    assert champions.version_before().name == "v1.0.0"


def test_gto_and_dvc_read_the_versions_that_are_written_here(three):
    from dvc.api import artifacts_show
    from gto import api

    assert [found["version"] for found in api.show(".", champions.ARTIFACT)] == ["v1.2.0", "v1.1.0", "v1.0.0"]
    assert artifacts_show("valuation", version="v1.1.0")["rev"] == champions.find("v1.1.0").commit


def test_a_champion_whose_files_were_changed_is_restored_before_it_is_served(three):
    lake.write_text("other\n", champions.FOLDER / "bento/src/homei/serve.py")
    bento, _ = launch.champion_bento()
    assert hashes(bento) == three["v1.2.0"]


def test_a_flipped_byte_in_the_cache_is_never_handed_out(three):
    digest = hashlib.md5(b"first\n", usedforsecurity=False).hexdigest()
    kept = CACHE / digest[:2] / digest[2:]
    kept.chmod(0o644)
    kept.write_text("firsT\n")
    before, tags = hashes(champions.FOLDER), champions.git("tag")
    with pytest.raises(champions.ChampionError, match="its bytes in DVC's cache are not those that were promoted"):
        champions.roll_back(champions.find("v1.0.0"))
    assert (hashes(champions.FOLDER), champions.git("tag")) == (before, tags)
    assert champions.in_use().name == "v1.2.0"


@pytest.mark.parametrize("lost", ["*.dir", "*"])
def test_a_champion_that_no_cache_has_is_told_with_its_remedy(three, lost):
    for path in CACHE.glob(f"??/{lost}"):
        path.unlink()
    with pytest.raises(champions.ChampionError, match=r"neither in DVC's cache nor in its remote(?s:.*)dvc pull"):
        champions.restore(champions.find("v1.0.0"))


def test_who_clones_what_was_published_has_every_champion(three, tmp_path, monkeypatch):
    here, hub, store, colleague = Path.cwd(), tmp_path / "hub.git", tmp_path / "store", tmp_path / "colleague"
    champions.git("init", "--quiet", "--bare", str(hub))
    champions.git("remote", "add", "hub", str(hub))
    dvc("remote", "add", "--quiet", "--default", "store", str(store))
    champions.git("commit", "--quiet", "--message", "Where data goes", "--", ".dvc/config")
    for name in ("v1.0.0", "v1.1.0", "v1.2.0"):
        champions.roll_back(champions.find(name))
        # What `homei rollback` and `homei promote` say publishes it.
        champions.git("push", "--quiet", "--follow-tags", "hub", "HEAD:main")
        dvc("push", "--quiet", str(champions.PINNED))
    champions.git("clone", "--quiet", "--branch", "main", str(hub), str(colleague))
    shutil.rmtree(here)
    monkeypatch.chdir(colleague)
    assert champions.in_use().name == "v1.2.0"
    for name, bento in three.items():
        assert hashes(champions.restore(champions.find(name)) / champions.BENTO) == bento


def test_an_unknown_version_is_told_with_those_there_are(three):
    with pytest.raises(champions.ChampionError, match=r"no champion v7: there are v1\.0\.0, v1\.1\.0, v1\.2\.0"):
        champions.find("v7")


def test_the_one_in_use_is_no_version_to_go_back_to(three):
    with pytest.raises(champions.ChampionError, match=r"v1\.2\.0 is in use already"):
        champions.roll_back(champions.find("v1.2.0"))


def git_refuses(why: str) -> None:
    hook = Path(".git/hooks/pre-commit")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho {why} >&2\nexit 1\n")
    hook.chmod(0o755)


def test_what_git_will_not_commit_leaves_nothing_behind(three):
    before, taken = champions.git("tag"), champions.decisions()
    git_refuses("not today")
    with pytest.raises(champions.ChampionError, match="not today"):
        champions.roll_back(champions.find("v1.0.0"))
    assert (champions.uncommitted(), champions.git("tag"), champions.decisions()) == ([], before, taken)
    assert hashes(launch.champion_bento()[0]) == three["v1.2.0"]


def test_a_first_promotion_that_git_will_not_commit_leaves_nothing_behind(challenger):
    challenger(0.2)
    git_refuses("not today")
    with pytest.raises(champions.ChampionError, match="not today"):
        promote(SETTINGS, 1)
    assert (champions.uncommitted(), champions.git("tag"), champions.decisions()) == ([], "", [])


def test_a_stage_that_gto_withdrew_is_left_by_the_version_before(three):
    from gto import api

    api.unassign(".", champions.ARTIFACT, version="v1.2.0", stage=champions.STAGE)
    assert champions.in_use().name == "v1.1.0"


def test_no_champion_to_serve_is_told_with_its_remedy(challenger):
    challenger(0.2)
    with pytest.raises(launch.LaunchError, match="homei promote"):
        launch.champion_bento()
