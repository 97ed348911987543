"""Promotion: a challenger replaces the champion if it is significantly better and passes all rules.

The challenger is the committed workspace, as recorded in dvc.lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from homei.evaluation.config import Bands
from homei.evaluation.evaluate import REPORTS
from homei.evaluation.ratio_study import rounded
from homei.pipeline.verify import md5, recorded_outputs
from homei.registry import champions, package
from homei.registry.champion_comparison import (
    PromotionError,
    Rule,
    compare_errors,
    comparison_rule,
    prediction_pairs,
)
from homei.registry.config import PromoteConfig
from homei.storage import lake
from homei.training.valuation_model import VALUATION

METRICS = REPORTS / "metrics.json"
STAGES = ("evaluate", "package")
# By name in the champion's folder: the evaluation that later challengers are compared with.
PARTS = {champions.RECORD: package.RECORD, "metrics.json": METRICS, "predictions": lake.PREDICTIONS}


def promote(config: PromoteConfig, seed: int, write: bool = True) -> dict[str, Any]:
    """The decision on the challenger, with numbers and rules; `write` records it and puts it into effect.

    Its `action` is "promote" or "refuse". Raises PromotionError if the challenger is incomplete or not committed, or
    shares no sales with the champion.
    """
    check_challenger()
    champion = champions.champion_in_use()
    metrics, record = lake.read_json(METRICS), package.read_record()
    rules, comparison = own_rules(metrics["verdicts"]), None
    if champion:
        folder = champions.restore(champion)
        check_same_city(folder, metrics["source"])
        pairs = prediction_pairs(folder, lake.read(lake.PREDICTIONS), config.min_sales)
        comparison = compare_errors(pairs, config, seed)
        rules = [comparison_rule(comparison, champion.name), *rules]
    decision = _decision(rules, comparison, champion, metrics, record)
    if write and decision["action"] == "promote":
        version = champions.register_champion({**PARTS, champions.BENTO: package.bento_folder(record["tag"])}, decision)
        return {**decision, "version": version.name}
    if write:
        champions.record_decision(decision, f"Refuse {decision['summary']}")
    return decision


def check_challenger() -> None:
    """Raises PromotionError if the workspace is not committed, not built, or differs from dvc.lock."""
    if changed := champions.uncommitted_files():
        raise PromotionError("\n".join(["commit these first, so that the challenger can be rebuilt:", *changed]))
    from dvc.repo import Repo

    with Repo() as repo:
        stale = repo.status(targets=list(STAGES), with_deps=True)
    if stale:
        raise PromotionError(f"{', '.join(sorted(stale))}: out of date with code or data; run `dvc repro` first")
    recorded = recorded_outputs(Path())
    changed = [path for path in (VALUATION, *PARTS.values()) if md5(path) != recorded.get(path.as_posix())]
    problems = [f"{path}: its bytes differ from those recorded in dvc.lock" for path in changed]
    if problems := problems + package.verify_bento():
        raise PromotionError("\n".join([*problems, "`dvc repro` rebuilds what is missing; see also `homei verify`"]))


def check_same_city(champion: Path, city: str) -> None:
    """Raises PromotionError if the champion values another city than the challenger."""
    champion_city = lake.read_json(champion / "metrics.json")["source"]
    if champion_city != city:
        raise PromotionError(
            f"the champion values {champion_city}, the challenger {city}: use a separate clone for another city "
            f"(without the tags {champions.ARTIFACT}@… and {champions.ARTIFACT}#…)"
        )


def own_rules(verdicts: list[Mapping[str, Any]]) -> list[Rule]:
    """The rules that a model must pass on its own: ratio bands, interval coverage, and every baseline."""
    by_name = {verdict["name"]: verdict for verdict in verdicts}
    baselines = [name for name in by_name if name.startswith("better_than_")]
    names = [*Bands.model_fields, "coverage", *(baselines or ["better_than_naive"])]
    if missing := [name for name in names if name not in by_name]:
        raise PromotionError(f"{METRICS} has no verdict on {', '.join(missing)}: run `dvc repro evaluate`")
    return [Rule(name, by_name[name]["ok"] is True, by_name[name]["text"]) for name in names]


def _decision(
    rules: list[Rule],
    comparison: Mapping[str, Any] | None,
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
        **champions.new_decision("refuse" if failed else "promote", summary),
        "version": None,
        "against": champion.name if champion else None,
        "source": metrics["source"],
        **model,
        "out_of_time": metrics["out_of_time"],
        "intervals": metrics["intervals"],
        "compared": rounded(comparison) if comparison else None,
        "rules": [asdict(rule) for rule in rules],
    }


def format_decision(decision: Mapping[str, Any], dry_run: bool = False) -> str:
    """A decision as text: a line for each rule, then the outcome."""
    rules = [f"{'passes' if rule['ok'] else 'FAILS '}  {rule['name']:<21} {rule['text']}" for rule in decision["rules"]]
    if decision["action"] == "refuse":
        outcome = f"Refused: {decision['summary']}"
    elif dry_run:
        outcome = f"Would be promoted: {decision['summary']}"
    else:
        outcome = f"Promoted to {decision['version']}: {decision['summary']}."
        outcome += " Publish it: git push --follow-tags, dvc push"
    return "\n".join([*rules, outcome])


def format_champions() -> str:
    """All promoted versions, one a line: version, whether in use, date, model and error."""
    promotions = {made["version"]: made for made in champions.decisions() if made["action"] == "promote"}
    lines = []
    for version in champions.versions():
        promotion = promotions.get(version.name)
        status = "in use" if version.in_use else ""
        details = f"{promotion['decided_at'][:10]}  {promotion['summary']}" if promotion else "promoted elsewhere"
        lines.append(f"{version.name:<8} {status:<7} {details}")
    return "\n".join(lines) or "There is no champion yet: `homei promote` promotes the model built here."
