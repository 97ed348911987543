"""Stage `card`: the model card, and the page on the five quality-control factors of 89 FR 64538.

The order of the card follows Mitchell et al. (2019), Model Cards for Model Reporting.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pandas as pd

from homei.config.city import CityConfig
from homei.reporting import accuracy_views, equity_views, feed_views
from homei.reporting.html_page import Html, page, render, table
from homei.reporting.number_formats import label, text
from homei.reporting.results import REPORTS, read_results
from homei.storage import lake
from homei.storage.stable_html import stable_html

CARD = REPORTS / "card/model_card.html"
CONTROL = REPORTS / "card/quality_control.html"
RESULTS = ("quality", "resolved", "metrics", "backtest", "drift", "meta", "best", "bento", "slices")
N_SLICES = 5  # slices with the largest errors


def run(city: CityConfig) -> None:
    """Writes CARD and CONTROL; raises MissingTableError for a missing result."""
    results = read_results(RESULTS)
    subtitle = f"{city.title} · as of {city.as_of} · model {results.bento['tag']}"
    pages = {
        CARD: ("Model card", model_card(results, city)),
        CONTROL: ("Five factors of quality control", quality_control(results)),
    }
    for path, (title, body) in pages.items():
        lake.write_text(stable_html(page(title, body, subtitle)), path)


def model_card(results: SimpleNamespace, city: CityConfig) -> str:
    """The model card's body."""
    metrics, backtest, quality = results.metrics, results.backtest, results.quality
    parameters = list(results.best["parameters"].items())
    return render(
        "card.html.j2",
        **vars(results),
        text=text,
        city=city,
        months=[f"{month // 12}-{month % 12 + 1:02d}" for month in results.meta["months"]],
        rejected=_reason_table(quality["reasons"], "rows"),
        nominal_price=feed_views.describe_nominal_price(results.resolved, results.meta["currency"]),
        flagged=_reason_table(results.resolved["reasons"], "sales"),
        studies=accuracy_views.study_table(metrics, "Study", accuracy_views.STUDIES),
        pooled=accuracy_views.study_table(backtest["pooled"], "Estimator", accuracy_views.ESTIMATORS),
        verdicts=accuracy_views.verdict_table(metrics["verdicts"]),
        worst=accuracy_views.slice_table(results.slices.nlargest(N_SLICES, "mdape")),
        parameters=table(pd.DataFrame(parameters, columns=["parameter", "value"], dtype=object)),
        backtested=accuracy_views.verdict_table(backtest["verdicts"]),
        confidence=accuracy_views.confidence_table(pd.DataFrame(metrics["confidence"]["groups"])),
        differences=equity_views.difference_table(metrics["fairness"]),
        flags=_flag_table(results.meta["applicability"]["policy"]),
        absent=[column["column"] for column in quality["columns"] if not column["present"]],
    )


def quality_control(results: SimpleNamespace) -> str:
    """The body of the page on the five factors of 89 FR 64538."""
    verdicts = [verdict["ok"] for verdict in results.metrics["verdicts"] if verdict["ok"] is not None]
    differences = equity_views.difference_table(results.metrics["fairness"])
    failing, judged = verdicts.count(False), len(verdicts)
    values = {"failing": failing, "judged": judged, "differences": differences}
    return render("quality_control.html.j2", **vars(results), text=text, **values)


def _reason_table(reasons: list[dict[str, Any]], unit: str) -> Html:
    """A table of reasons with their number of rows; nothing without reasons."""
    if not reasons:
        return Html("")
    counts = pd.DataFrame(reasons, columns=["reason", unit])
    return table(counts.assign(reason=counts["reason"].map(label)))


def _flag_table(policy: Mapping[str, Any]) -> Html:
    """A table of the effects of each applicability flag."""
    rows = []
    for name, factor in policy["widen"].items():
        refused = ["with " + " and ".join(map(label, flags)) for flags in policy["refuse"] if name in flags]
        rows.append((label(name), f"{factor:g} times", "; ".join(refused) or "never"))
    return table(pd.DataFrame(rows, columns=["flag", "interval width", "refused"]))
