"""Stage `card`: the model card, and the page on the five quality-control factors of 89 FR 64538.

The order of the card follows Mitchell et al. (2019), Model Cards for Model Reporting.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from homei.config.city import CityConfig
from homei.reporting import backtest_views, equity_views
from homei.reporting.html_page import Html, page, render, table
from homei.reporting.number_formats import label, text
from homei.reporting.ratio_study_views import INTERVAL, confidence_table, study_table, verdict_table
from homei.reporting.summary_sentences import span
from homei.storage import lake
from homei.storage.stable_html import stable_html

REPORTS = Path("reports")
CARD = REPORTS / "card/model_card.html"
CONTROL = REPORTS / "card/quality_control.html"
RESULTS = {
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
N_SLICES = 5  # slices with the largest errors
STUDIES = {
    "out_of_time": "Model, out of time",
    "random_split": "Model, random split",
    "linear": "Ridge regression",
    "naive": "Median of similar properties",
    "noise_floor": "Noise floor",
}
POOLED = {**backtest_views.ESTIMATORS, "model": "Model"}


def run(city: CityConfig) -> None:
    """Writes CARD and CONTROL; raises MissingTableError for a missing result."""
    results, slices = {name: lake.read_json(path) for name, path in RESULTS.items()}, lake.read_csv(SLICES)
    subtitle = f"{city.title} · as of {city.as_of} · model {results['bento']['tag']}"
    pages = {
        CARD: ("Model card", model_card(results, slices, city)),
        CONTROL: ("Five factors of quality control", quality_control(results)),
    }
    for path, (title, body) in pages.items():
        lake.write_text(stable_html(page(title, body, subtitle)), path)


def model_card(results: Mapping[str, Any], slices: pd.DataFrame, city: CityConfig) -> str:
    """The model card's body. `results` holds the content of RESULTS, `slices` the slices of the hold-out."""
    return render(
        "card.html.j2",
        **results,
        text=text,
        city=city,
        months=[_month(month) for month in results["meta"]["months"]],
        rejected=_counts(results["quality"]["reasons"], "rows"),
        flagged=_counts(results["resolved"]["reasons"], "sales"),
        studies=study_table({title: results["metrics"][name] for name, title in STUDIES.items()}, "Estimator"),
        pooled=study_table({title: results["backtest"]["pooled"][name] for name, title in POOLED.items()}, "Estimator"),
        verdicts=verdict_table(results["metrics"]["verdicts"]),
        worst=_slice_table(slices.nlargest(N_SLICES, "mdape")),
        parameters=_parameter_table(results["best"]["parameters"]),
        backtested=verdict_table(results["backtest"]["verdicts"]),
        confidence=confidence_table(pd.DataFrame(results["metrics"]["confidence"]["groups"])),
        differences=equity_views.difference_table(results["metrics"]["fairness"]),
        flags=_flag_table(results["meta"]["scope"]["policy"]),
        absent=[column["column"] for column in results["quality"]["columns"] if not column["present"]],
    )


def quality_control(results: Mapping[str, Any]) -> str:
    """The body of the page on the five factors of 89 FR 64538. `results` holds the content of RESULTS."""
    verdicts = [verdict["ok"] for verdict in results["metrics"]["verdicts"] if verdict["ok"] is not None]
    return render(
        "quality_control.html.j2",
        **results,
        text=text,
        failing=verdicts.count(False),
        judged=len(verdicts),
        differences=equity_views.difference_table(results["metrics"]["fairness"]),
    )


def _counts(reasons: list[dict[str, Any]], unit: str) -> Html:
    counts = pd.DataFrame(reasons, columns=["reason", unit])
    return table(counts.assign(reason=counts["reason"].map(label)))


def _slice_table(slices: pd.DataFrame) -> Html:
    intervals = slices[["mdape_low", "mdape_high"]].to_numpy()
    rows = pd.DataFrame(
        {
            "group": slices["slice"].map(label) + ": " + slices["value"].astype(str),
            "sales": slices["n"],
            "error": slices["mdape"],
            "interval": [span(*ends, "percent") for ends in intervals],
        }
    )
    return table(rows, {"error": "percent"}, {"error": "Median error", "interval": INTERVAL})


def _parameter_table(parameters: dict[str, Any]) -> Html:
    rows = [(name, str(value)) for name, value in parameters.items()]
    return table(pd.DataFrame(rows, columns=["parameter", "value"]))


def _flag_table(policy: dict[str, Any]) -> Html:
    """A table of the effects of each applicability flag."""
    rows = []
    for name, factor in policy["widen"].items():
        refused = ["with " + " and ".join(map(label, flags)) for flags in policy["refuse"] if name in flags]
        rows.append(
            {"flag": label(name), "interval width": f"{factor:g} times", "refused": "; ".join(refused) or "never"}
        )
    return table(pd.DataFrame(rows))


def _month(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02d}"
