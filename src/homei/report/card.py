"""The model card and the page on the American rule's five factors, from what the other stages measured.

The card's order is that of Mitchell et al. (2019), Model Cards for Model Reporting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from homei import config, lake
from homei.config import FLAGS
from homei.report import equity, findings
from homei.report.formats import text
from homei.report.page import Html, page, render, table
from homei.report.stable import stable_html
from homei.report.studies import confidence_table, study_table

REPORTS = Path("reports")
CARD = REPORTS / "card/model_card.html"
CONTROL = REPORTS / "card/quality_control.html"
FOUND = {
    "quality": REPORTS / "quality/quality.json",
    "resolved": REPORTS / "resolve/resolve.json",
    "metrics": REPORTS / "evaluation/metrics.json",
    "backtest": REPORTS / "backtest/backtest.json",
    "drift": REPORTS / "drift/drift.json",
    "meta": Path("models/valuation/meta.json"),
    "best": Path("models/tuning/best.json"),
    "bento": Path("models/bento.json"),
}
SLICES = REPORTS / "evaluation/slices.csv"
LISTED = 5  # of the slices with the largest errors
STUDIES = {
    "out_of_time": "The model, on months it had not seen",
    "random_split": "The model, on shuffled sales",
    "linear": "Linear rival",
    "naive": "Naive rival",
    "noise_floor": "Noise floor",
}
POOLED = {"model": "The model", "untuned": "Untuned rival", "linear": "Linear rival", "naive": "Naive rival"}


class Findings(NamedTuple):
    """What the stages before left: JSON by name (FOUND), and the slices of the hold-out."""

    told: dict[str, Any]
    slices: pd.DataFrame


def run(source: config.Source) -> None:
    """Stage: reports/card/model_card.html and quality_control.html; MissingTableError names what isn't there."""
    found = Findings({name: lake.read_json(path) for name, path in FOUND.items()}, lake.read_csv(SLICES))
    subtitle = f"{source.title} · as of {source.as_of} · model {found.told['bento']['tag']}"
    pages = {
        CARD: ("Model card", model_card(found, source)),
        CONTROL: ("Five factors of quality control", quality_control(found)),
    }
    for path, (title, body) in pages.items():
        lake.write_text(stable_html(page(title, body, subtitle)), path)


def model_card(found: Findings, source: config.Source) -> str:
    """The model card's body."""
    told = found.told
    return render(
        "card.html.j2",
        **told,
        text=text,
        source=source,
        months=[_month(month) for month in told["meta"]["months"]],
        rejected=_counts(told["quality"]["reasons"], "rows"),
        flagged=_counts(told["resolved"]["reasons"], "sales"),
        studies=study_table({title: told["metrics"][name] for name, title in STUDIES.items()}, "Estimator"),
        pooled=study_table({title: told["backtest"]["pooled"][name] for name, title in POOLED.items()}, "Estimator"),
        verdicts=_verdicts(told["metrics"]["verdicts"]),
        worst=_slices(found.slices.nlargest(LISTED, "mdape")),
        parameters=_parameters(told["best"]["parameters"]),
        backtested=_verdicts(told["backtest"]["verdicts"]),
        confidence=confidence_table(pd.DataFrame(told["metrics"]["confidence"]["groups"])),
        differences=equity.difference_table(told["metrics"]["fairness"]),
        flags=_flags(told["meta"]["scope"]["policy"]),
        absent=[column["column"] for column in told["quality"]["columns"] if not column["present"]],
    )


def quality_control(found: Findings) -> str:
    """The body of the page that goes through the five factors of 89 FR 64538."""
    verdicts = found.told["metrics"]["verdicts"]
    failing = sum(verdict["ok"] is False for verdict in verdicts)
    differences = equity.difference_table(found.told["metrics"]["fairness"])
    judged = sum(verdict["ok"] is not None for verdict in verdicts)
    return render(
        "quality_control.html.j2", **found.told, text=text, failing=failing, judged=judged, differences=differences
    )


def _verdicts(verdicts: list[dict[str, Any]]) -> Html:
    titles = {"interval": "95 % interval", "meaning": "What it says"}
    return table(findings.verdict_table(verdicts), {"verdict": "verdict"}, titles)


def _counts(reasons: list[dict[str, Any]], unit: str) -> Html:
    rows = [{"reason": reason["reason"].replace("_", " "), unit: reason[unit]} for reason in reasons]
    return table(pd.DataFrame(rows, columns=["reason", unit]))


def _slices(slices: pd.DataFrame) -> Html:
    spans = zip(slices["mdape_low"], slices["mdape_high"], strict=True)
    shown = pd.DataFrame(
        {
            "group": slices["slice"].str.replace("_", " ") + ": " + slices["value"].astype(str),
            "sales": slices["n"],
            "error": slices["mdape"],
            "interval": [findings.span(*ends, "percent") for ends in spans],
        }
    )
    return table(shown, {"error": "percent"}, {"error": "Median error", "interval": "95 % interval"})


def _parameters(parameters: dict[str, Any]) -> Html:
    rows = [(name, str(value)) for name, value in parameters.items()]
    return table(pd.DataFrame(rows, columns=["parameter", "value"]))


def _flags(policy: dict[str, Any]) -> Html:
    """What each flag does to a valuation that has it."""
    together = {name: [_listed(flags) for flags in policy["refuse"] if name in flags] for name in FLAGS}
    rows = [
        {
            "flag": name.replace("_", " "),
            "widens the interval": f"{policy['widen'].get(name, 1):g} times",
            "is refused": "; ".join(together[name]) or "never",
        }
        for name in FLAGS
    ]
    return table(pd.DataFrame(rows))


def _listed(flags: list[str]) -> str:
    return "with " + " and ".join(name.replace("_", " ") for name in flags)


def _month(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02d}"
