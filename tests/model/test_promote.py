"""A challenger replaces the champion only where it is better beyond noise and sound by itself; all else is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from homei import lake
from homei.config import Promote
from homei.model import champions
from homei.model.promote import PromotionError, listed, promote, told

PROJECT = Path(__file__).parents[2]
SETTINGS = Promote(draws=400, confidence=0.95, fewest=100)


def judged(write=True):
    return promote(SETTINGS, 1, write)


def failed(decision):
    return [rule["name"] for rule in decision["rules"] if not rule["ok"]]


def test_the_first_champion_needs_only_to_be_sound(challenger):
    challenger(0.2)
    assert judged()["version"] == "v1.0.0"
    tags = champions.git("tag", "--list").splitlines()
    assert tags == ["valuation#production#1", "valuation@v1.0.0"]
    assert champions.uncommitted() == []
    assert "out-of-time MdAPE" in champions.git("tag", "--list", "--format=%(contents)", "valuation@v1.0.0")


def test_a_better_one_takes_its_place_and_a_like_or_worse_one_never_does(challenger):
    challenger(0.2, "first")
    judged()
    same = judged()
    assert (same["action"], same["compared"]["difference"], failed(same)) == ("refuse", 0, ["better_than_champion"])
    challenger(0.1, "better")
    better = judged()
    assert (better["version"], better["against"]) == ("v1.1.0", "v1.0.0")
    assert better["compared"]["interval"][1] < 0
    challenger(0.3, "worse")
    worse = judged()
    assert worse["version"] is None
    assert "worse beyond noise" in told(worse)
    actions = [decision["action"] for decision in champions.decisions()]
    assert actions == ["promote", "refuse", "promote", "refuse"]
    assert champions.in_use().name == "v1.1.0"
    assert [line.split()[:3] for line in listed().splitlines()][1] == ["v1.1.0", "in", "use"]


@pytest.mark.parametrize("rule", ["prd", "coverage", "better_than_linear"])
def test_one_that_is_not_sound_is_refused_however_good(challenger, rule):
    challenger(0.2)
    challenger(0.1, "unsound", fails=rule)
    decision = judged()
    assert failed(decision) == [rule]
    assert f"FAILS   {rule}" in told(decision)
    assert champions.in_use() is None


def test_a_dry_run_leaves_nothing_behind(challenger):
    challenger(0.2)
    before = champions.git("rev-parse", "HEAD")
    assert "Would be promoted" in told(judged(write=False), dry_run=True)
    assert (champions.git("rev-parse", "HEAD"), champions.git("tag"), champions.decisions()) == (before, "", [])
    assert champions.uncommitted() == []


def test_what_is_not_committed_is_no_challenger(challenger, tmp_path):
    challenger(0.2)
    (tmp_path / "dvc.yaml").write_text((tmp_path / "dvc.yaml").read_text() + "# later\n")
    with pytest.raises(PromotionError, match=r"(?s)commit these first.*dvc\.yaml"):
        judged()


def test_a_model_that_was_changed_after_it_was_built_is_no_challenger(challenger):
    challenger(0.2)
    lake.write_json({}, Path("models/valuation/meta.json"))
    with pytest.raises(PromotionError, match="dvc repro"):
        judged()


def test_a_bento_that_was_changed_is_no_challenger(challenger):
    store = challenger(0.2)
    lake.write_text("other\n", store / "src" / "homei" / "serve.py")
    with pytest.raises(PromotionError, match=r"serve\.py: its bytes"):
        judged()


def test_sales_that_only_one_has_valued_decide_nothing(challenger):
    challenger(0.2)
    judged()
    challenger(0.1, "elsewhere", first=5000)
    with pytest.raises(PromotionError, match="only 0 sales"):
        judged()


def test_a_refused_challenger_ends_the_command_with_1_and_every_failed_rule(challenger, tmp_path):
    challenger(0.2, fails="prb")
    (tmp_path / "params.yaml").symlink_to(PROJECT / "params.yaml")
    champions.git("add", ".")
    champions.git("commit", "--quiet", "--message", "Parameters")
    done = subprocess.run([sys.executable, "-m", "homei", "promote"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "FAILS   prb                   About prb." in done.stdout
    assert "Refused: " in done.stdout
