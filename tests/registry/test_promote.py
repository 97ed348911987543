"""A challenger replaces the champion only if it is significantly better and passes all rules."""

import subprocess
import sys
from pathlib import Path

import pytest

from homei.registry import champions
from homei.registry.config import PromoteConfig
from homei.registry.promote import PromotionError, format_champions, format_decision, promote
from homei.storage import lake

PROJECT = Path(__file__).parents[2]
SETTINGS = PromoteConfig(draws=400, confidence=0.95, min_sales=100)


def decide(write=True):
    return promote(SETTINGS, 1, write)


def failed(decision):
    return [rule["name"] for rule in decision["rules"] if not rule["ok"]]


def test_the_first_champion_needs_only_to_pass_its_own_rules(challenger):
    challenger(0.2)
    assert decide()["version"] == "v1.0.0"
    tags = champions.git("tag", "--list").splitlines()
    assert tags == ["valuation#production#1", "valuation@v1.0.0"]
    assert champions.uncommitted_files() == []
    assert "out-of-time MdAPE" in champions.git("tag", "--list", "--format=%(contents)", "valuation@v1.0.0")


def test_a_better_challenger_is_promoted_and_an_equal_or_worse_one_is_refused(challenger):
    challenger(0.2, "first")
    decide()
    same = decide()
    assert (same["action"], same["compared"]["difference"], failed(same)) == ("refuse", 0, ["better_than_champion"])
    challenger(0.1, "better")
    better = decide()
    assert (better["version"], better["against"]) == ("v1.1.0", "v1.0.0")
    assert better["compared"]["interval"][1] < 0
    challenger(0.3, "worse")
    worse = decide()
    assert worse["version"] is None
    assert "significantly worse" in format_decision(worse)
    actions = [decision["action"] for decision in champions.decisions()]
    assert actions == ["promote", "refuse", "promote", "refuse"]
    assert champions.champion_in_use().name == "v1.1.0"
    assert [line.split()[:3] for line in format_champions().splitlines()][1] == ["v1.1.0", "in", "use"]


@pytest.mark.parametrize("rule", ["prd", "coverage", "better_than_linear"])
def test_a_challenger_that_fails_a_rule_is_refused(challenger, rule):
    challenger(0.2)
    challenger(0.1, "unsound", fails=rule)
    decision = decide()
    assert failed(decision) == [rule]
    assert f"FAILS   {rule}" in format_decision(decision)
    assert champions.champion_in_use() is None


def test_a_dry_run_records_nothing(challenger):
    challenger(0.2)
    before = champions.git("rev-parse", "HEAD")
    assert "Would be promoted" in format_decision(decide(write=False), dry_run=True)
    assert (champions.git("rev-parse", "HEAD"), champions.git("tag"), champions.decisions()) == (before, "", [])
    assert champions.uncommitted_files() == []


def test_uncommitted_files_raise_an_error(challenger, tmp_path):
    challenger(0.2)
    (tmp_path / "dvc.yaml").write_text((tmp_path / "dvc.yaml").read_text() + "# later\n")
    with pytest.raises(PromotionError, match=r"(?s)commit these first.*dvc\.yaml"):
        decide()


def test_a_model_changed_after_its_build_raises_an_error(challenger):
    challenger(0.2)
    lake.write_json({}, Path("models/valuation/meta.json"))
    with pytest.raises(PromotionError, match="dvc repro"):
        decide()


def test_a_changed_bento_raises_an_error(challenger):
    store = challenger(0.2)
    lake.write_text("other\n", store / "src" / "homei" / "serve.py")
    with pytest.raises(PromotionError, match=r"serve\.py: its bytes"):
        decide()


def test_no_common_sales_raise_an_error(challenger):
    challenger(0.2)
    decide()
    challenger(0.1, "elsewhere", first=5000)
    with pytest.raises(PromotionError, match="only 0 sales"):
        decide()


def test_the_command_exits_with_1_and_lists_failed_rules_for_a_refused_challenger(challenger, tmp_path):
    challenger(0.2, fails="prb")
    (tmp_path / "params.yaml").symlink_to(PROJECT / "params.yaml")
    champions.git("add", ".")
    champions.git("commit", "--quiet", "--message", "Parameters")
    done = subprocess.run([sys.executable, "-m", "homei", "promote"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "FAILS   prb                   About prb." in done.stdout
    assert "Refused: " in done.stdout
