"""The front page: verdicts, charts and links to all reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from homei.config.city import CityConfig
from homei.reporting import charts, feed_views, summary_sentences
from homei.reporting.html_page import Html, cards, figure, figures, page, render, table
from homei.reporting.number_formats import text
from homei.storage import lake
from homei.storage.stable_html import stable_html

if TYPE_CHECKING:
    from homei.evaluation.config import EvaluateConfig

REPORTS = Path("reports")
EVALUATION = REPORTS / "evaluation"
BACKTEST = REPORTS / "backtest/backtest.json"
BENTO = Path("models/bento.json")
INDEX = REPORTS / "site/index.html"
LISTED = 5  # of the best and of the worst slices
FAR = 0.05  # a square whose median error is beyond this is counted as off
LINKS = [
    ("backtest/backtest.html", "Backtest", "Each of the last months, valued by a model of earlier months"),
    ("evaluation/evaluate.html", "Accuracy", "Ratio study, equity, fairness and intervals of the hold-out"),
    ("card/model_card.html", "Model card", "Purpose, data, accuracy, limits and lineage of the model"),
    ("card/quality_control.html", "Quality control", "Evidence for the five factors of the US rule"),
    ("notebooks/train.html", "Training", "Tuning, the final model and its most important inputs"),
    ("notebooks/explore.html", "Sales and prices", "Sales by month, type and location"),
    ("quality/quality.html", "Data quality", "Rejected records by reason and file"),
    ("curated/data_quality.html", "Data quality by month", "Completeness, validity and freshness of each feed"),
    ("curated/dictionary.html", "Curated tables", "Data dictionary of the tables for analysts"),
    ("drift/drift.html", "Drift", "Changes between the hold-out and the training period"),
    ("drift/data_drift.html", "Drift by attribute", "Distributions of both periods, by Evidently"),
    ("drift/regression.html", "Drift of the errors", "Errors of both periods, by Evidently"),
]


class Findings(NamedTuple):
    """The results that the front page shows."""

    backtest: dict[str, Any]
    metrics: dict[str, Any]
    drift: dict[str, Any]
    quality: dict[str, Any]
    resolved: dict[str, Any]
    tag: str
    index: pd.DataFrame
    pairs: pd.DataFrame
    deciles: pd.DataFrame
    months: pd.DataFrame
    cells: pd.DataFrame
    slices: pd.DataFrame


def run(city: CityConfig, evaluate: EvaluateConfig) -> None:
    """Stage: reports/site/index.html from what the other stages measured; MissingTableError names what isn't there."""
    found = load()
    body = compose(found, city.currency, evaluate.min_slice)
    subtitle = f"{city.title} · as of {city.as_of} · model {found.tag}"
    lake.write_text(stable_html(page("Valuation report", body, subtitle, depth=0)), INDEX)


def load() -> Findings:
    """The findings that lie in reports/, models/ and the lake."""
    return Findings(
        backtest=lake.read_json(BACKTEST),
        metrics=lake.read_json(EVALUATION / "metrics.json"),
        drift=lake.read_json(REPORTS / "drift/drift.json"),
        quality=lake.read_json(REPORTS / "quality/quality.json"),
        resolved=lake.read_json(REPORTS / "resolve/resolve.json"),
        tag=lake.read_json(BENTO)["tag"],
        index=lake.read(lake.MARKET_INDEX),
        pairs=lake.read_csv(EVALUATION / "predicted_actual.csv"),
        deciles=lake.read_csv(EVALUATION / "ratio_by_decile.csv"),
        months=lake.read_csv(EVALUATION / "error_by_month.csv"),
        cells=lake.read_csv(EVALUATION / "error_map.csv"),
        slices=lake.read_csv(EVALUATION / "slices.csv"),
    )


def compose(found: Findings, currency: str, min_slice: int) -> str:
    """The front page's body."""
    headline = summary_sentences.headline(found.backtest, found.metrics, found.drift, found.quality)
    return render(
        "site.html.j2",
        conclusion=summary_sentences.conclusion(found.metrics),
        summary=summary_sentences.summary(headline),
        cards=cards(headline),
        verdicts=_verdicts(found.metrics["verdicts"]),
        closeness=figures(_errors(found), _pairs(found.pairs, currency)),
        fairness=figures(_deciles(found.deciles), _months(found.months)),
        places=figures(_map(found.cells), _index(found.index, currency)),
        worst=_slices(found.slices.nlargest(LISTED, "mdape")),
        best=_slices(found.slices.nsmallest(LISTED, "mdape")),
        min_slice=min_slice,
        drift=found.drift["verdict"],
        shift=summary_sentences.shift_sentences(found.metrics, found.drift),
        feeds=figures(feed_views.reasons_picture(found.resolved), feed_views.feed_table(found.quality, found.resolved)),
        links=LINKS,
    )


def _verdicts(verdicts: list[dict[str, Any]]) -> Html:
    titles = {"interval": "95 % interval", "meaning": "Meaning"}
    return table(summary_sentences.verdict_table(verdicts), {"verdict": "verdict"}, titles)


def _errors(found: Findings) -> Html:
    errors = summary_sentences.errors(found.metrics)
    shuffled, real = found.metrics["random_split"]["mdape"], found.metrics["out_of_time"]["mdape"]
    flatters = "flatters" if shuffled < real else "does not flatter"
    return figure(
        charts.bars(
            list(errors), list(errors.values()), "Typical error", highlight=summary_sentences.MODEL, size="square"
        ),
        "The median of the errors, as a share of the price, on months the model had not seen. "
        f"Testing on shuffled sales {flatters} here: {text(shuffled, 'percent')} instead of {text(real, 'percent')}.",
    )


def _pairs(pairs: pd.DataFrame, currency: str) -> Html:
    near = (np.abs(pairs.predicted / pairs.actual - 1) <= 0.2).mean()
    return figure(
        charts.density(
            pairs.actual,
            pairs.predicted,
            f"Valuation against price, {currency}",
            formats=currency,
            labels=("Price paid", "Valuation"),
        ),
        "Darker is more sales; on the dashed line the two are equal. "
        f"{text(near, 'percent')} of the sales lie within 20\u202f% of it.",
    )


def _deciles(deciles: pd.DataFrame) -> Html:
    cheap, dear = deciles.median_ratio.iloc[0], deciles.median_ratio.iloc[-1]
    return figure(
        charts.bars(
            deciles.decile.map(_tenth),
            deciles.median_ratio,
            "Valuation over price, from cheap to dear",
            intervals=deciles[["low", "high"]].to_numpy(),
            reference=1.0,
            formats="percent0",
        ),
        f"The cheapest tenth is valued at {text(cheap, 'percent')} of the price paid, the dearest at "
        f"{text(dear, 'percent')}. Bars are 95\u202f% intervals; if no group were favoured, "
        "all would reach 100\u202f%.",
    )


def _months(months: pd.DataFrame) -> Html:
    best, worst = months.loc[months.mdape.idxmin()], months.loc[months.mdape.idxmax()]
    return figure(
        charts.lines(
            months,
            "month",
            ["mdape"],
            title="Typical error, month by month",
            y_format="percent",
            band=("low", "high"),
            zero=True,
        ),
        f"From {text(best.mdape, 'percent')} in {best.month} to {text(worst.mdape, 'percent')} in {worst.month}; "
        "the band is the 95\u202f% interval.",
    )


def _map(cells: pd.DataFrame) -> Html:
    above, below = int((cells.median_error > FAR).sum()), int((cells.median_error < -FAR).sum())
    far = text(FAR, "percent0")
    return figure(
        charts.city_map(
            cells.longitude,
            cells.latitude,
            cells.median_error,
            "Where valuations err",
            size=cells.n,
            formats="change",
        ),
        "Blue is valued below the price paid, orange above; a larger dot is more sales. "
        f"Of {text(len(cells))} squares, {below} are more than {far} below and {above} more than {far} above.",
    )


def _index(index: pd.DataFrame, currency: str) -> Html:
    known = index.dropna(subset=["market_level"]).sort_values("month")
    known = known.assign(
        month=[f"{month // 12}-{month % 12 + 1:02d}" for month in known.month], level=np.exp(known.market_level)
    )
    first, last = known.iloc[0], known.iloc[-1]
    return figure(
        charts.lines(known, "month", ["level"], title=f"The city's price index, {currency} per m²"),
        "Price per m², corrected for the mix of properties sold: "
        f"{text(last.level / first.level - 1, 'change')} from {first.month} to {last.month}.",
    )


def _slices(slices: pd.DataFrame) -> Html:
    shown = pd.DataFrame(
        {
            "group": slices["slice"].str.replace("_", " ") + ": " + slices["value"].astype(str),
            "sales": slices.n,
            "error": slices.mdape,
            "interval": [
                summary_sentences.span(*ends, "percent")
                for ends in zip(slices.mdape_low, slices.mdape_high, strict=True)
            ],
            "median_ratio": slices.median_ratio,
        }
    )
    titles = {"error": "Error", "interval": "95 % interval", "median_ratio": "Level"}
    return table(shown, {"error": "percent", "median_ratio": "ratio"}, titles)


def _tenth(decile: int) -> str:
    return {1: "cheapest tenth", 10: "dearest tenth"}.get(int(decile), str(decile))
