"""Promotion: a challenger replaces the champion only where it is better beyond noise, and is sound by itself.

The challenger is what the workspace holds: what dvc.lock records, all of it committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from homei import config, lake
from homei.model import champions, package
from homei.model.challenge import PromotionError, Rule, both_valued, lead, lead_rule
from homei.model.evaluate import REPORTS, rounded
from homei.model.train import VALUATION
from homei.verify import md5, recorded_outputs

METRICS = REPORTS / "metrics.json"
STAGES = ("evaluate", "package")
# By name in the champion's folder: what was promoted, and what it is compared by.
PARTS = {champions.RECORD: package.RECORD, "metrics.json": METRICS, "predictions": lake.PREDICTIONS}


def promote(settings: config.Promote, seed: int, write: bool = True) -> dict[str, Any]:
    """The decision on the challenger, with its numbers and rules; with `write` it is recorded and comes into effect.

    Its `action` is "promote" or "refuse". Raises PromotionError where the challenger is not whole and committed, or
    shares no sales with the champion.
    """
    check_challenger()
    champion = champions.in_use()
    metrics, record = lake.read_json(METRICS), package.recorded()
    rules, compared = standing(metrics["verdicts"]), None
    if champion:
        folder = champions.restore(champion)
        check_city(folder, metrics["source"])
        pairs = both_valued(folder, lake.read(lake.PREDICTIONS), settings.fewest)
        compared = lead(pairs, settings, seed)
        rules = [lead_rule(compared, champion.name), *rules]
    decision = _decision(rules, compared, champion, metrics, record)
    if write and decision["action"] == "promote":
        version = champions.crown({**PARTS, champions.BENTO: package.bento_folder(record["tag"])}, decision)
        return {**decision, "version": version.name}
    if write:
        champions.record(decision, f"Refuse {decision['summary']}")
    return decision


def check_challenger() -> None:
    """Raises PromotionError where the workspace is not committed, not built, or not what dvc.lock records."""
    if changed := champions.uncommitted():
        raise PromotionError("\n".join(["commit these first, so that the challenger can be built again:", *changed]))
    from dvc.repo import Repo

    with Repo() as repo:
        stale = repo.status(targets=list(STAGES), with_deps=True)
    if stale:
        raise PromotionError(f"{', '.join(sorted(stale))}: not what the code and the data make; run `dvc repro` first")
    recorded = recorded_outputs(Path())
    wrong = [path for path in (VALUATION, *PARTS.values()) if md5(path) != recorded.get(path.as_posix())]
    problems = [f"{path}: its bytes are not those that dvc.lock records" for path in wrong] + package.verify_bento()
    if problems:
        raise PromotionError("\n".join([*problems, "`dvc repro` builds what is missing, `homei verify` tells more"]))


def check_city(champion: Path, source: str) -> None:
    """Raises PromotionError where the champion values another city than the challenger's."""
    other = lake.read_json(champion / "metrics.json")["source"]
    if other != source:
        raise PromotionError(
            f"the champion values {other}, the challenger {source}: a clone of its own keeps another city's champions "
            f"(without the tags {champions.ARTIFACT}@… and {champions.ARTIFACT}#…)"
        )


def standing(verdicts: list[Mapping[str, Any]]) -> list[Rule]:
    """The rules that a model must pass by itself: the ratio bands, the intervals' coverage, and every baseline."""
    told = {verdict["name"]: verdict for verdict in verdicts}
    rivals = [name for name in told if name.startswith("better_than_")]
    names = [*config.Bands.model_fields, "coverage", *(rivals or ["better_than_naive"])]
    if missing := [name for name in names if name not in told]:
        raise PromotionError(f"{METRICS} has no verdict on {', '.join(missing)}: run `dvc repro evaluate`")
    return [Rule(name, told[name]["ok"] is True, told[name]["text"]) for name in names]


def _decision(
    rules: list[Rule],
    compared: Mapping[str, Any] | None,
    champion: champions.Version | None,
    metrics: Mapping[str, Any],
    record: Mapping[str, Any],
) -> dict[str, Any]:
    failed = [rule.name for rule in rules if not rule.ok]
    model = {name: record[name] for name in ("model_version", "data_version", "as_of", "tag", "digest")}
    error = metrics["out_of_time"]["mdape"]
    summary = f"model {model['model_version']} of {metrics['source']}, out-of-time MdAPE {error:.2%}"
    summary += f"; fails {', '.join(failed)}" if failed else ""
    return {
        **champions.decided("refuse" if failed else "promote", summary),
        "version": None,
        "against": champion.name if champion else None,
        "source": metrics["source"],
        **model,
        "out_of_time": metrics["out_of_time"],
        "intervals": metrics["intervals"],
        "compared": rounded(compared) if compared else None,
        "rules": [asdict(rule) for rule in rules],
    }


def told(decision: Mapping[str, Any], dry_run: bool = False) -> str:
    """A decision as people read it: each rule with its sentence, then what came of it."""
    rules = [f"{'passes' if rule['ok'] else 'FAILS '}  {rule['name']:<21} {rule['text']}" for rule in decision["rules"]]
    if decision["action"] == "refuse":
        end = f"Refused: {decision['summary']}"
    elif dry_run:
        end = f"Would be promoted: {decision['summary']}"
    else:
        end = f"Promoted to {decision['version']}: {decision['summary']}. Publish it: git push --follow-tags, dvc push"
    return "\n".join([*rules, end])


def listed() -> str:
    """The champions, the earliest first, one a line: version, whether in use, day, model, error, and its tag."""
    taken = {made["version"]: made for made in champions.decisions() if made["action"] == "promote"}
    lines = []
    for version in champions.versions():
        made = taken.get(version.name)
        use = "in use" if version.in_use else ""
        numbers = f"{made['decided_at'][:10]}  {made['summary']}" if made else "promoted elsewhere"
        lines.append(f"{version.name:<8} {use:<7} {numbers}")
    return "\n".join(lines) or "There is no champion yet: `homei promote` makes what was built the first one."
