"""Stage `site`: the front page with verdicts, charts and links to all reports."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from homei.config.city import CityConfig
from homei.reporting import accuracy_views, charts, feed_views, summary_sentences
from homei.reporting.html_page import Html, cards, figure, figures, page, render
from homei.reporting.number_formats import text
from homei.reporting.results import REPORTS, read_results
from homei.storage import lake
from homei.storage.stable_html import stable_html

if TYPE_CHECKING:
    from homei.evaluation.config import EvaluateConfig

INDEX = REPORTS / "site/index.html"
RESULTS = (
    "backtest", "metrics", "drift", "quality", "resolved", "bento", "index", "pairs", "deciles", "months", "areas",
    "slices",
)  # fmt: skip
N_SLICES = 5  # of the best and of the worst slices
LARGE_ERROR = 0.05  # median error beyond which an area is counted in the map's caption
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


def run(city: CityConfig, evaluate: EvaluateConfig) -> None:
    """Writes reports/site/index.html; raises MissingTableError, naming the result that is missing."""
    results = read_results(RESULTS)
    subtitle = f"{city.title} · as of {city.as_of} · model {results.bento['tag']}"
    body = _body(results, city.currency, evaluate.min_slice)
    lake.write_text(stable_html(page("Valuation report", body, subtitle, is_front_page=True)), INDEX)


def _body(results: SimpleNamespace, currency: str, min_slice: int) -> str:
    metrics, drift = results.metrics, results.drift
    headline = summary_sentences.headline(results.backtest, metrics, drift, results.quality)
    feed_table = feed_views.feed_table(results.quality, results.resolved)
    return render(
        "site.html.j2",
        conclusion=summary_sentences.conclusion(metrics),
        summary=summary_sentences.summary(headline),
        cards=cards(*headline),
        verdicts=accuracy_views.verdict_table(metrics["verdicts"]),
        accuracy=figures(_errors(results), _pairs(results.pairs, currency)),
        fairness=figures(_deciles(results.deciles), _months(results.months)),
        areas=figures(_map(results.areas), _price_index(results.index, currency)),
        worst=accuracy_views.slice_table(results.slices.nlargest(N_SLICES, "mdape")),
        best=accuracy_views.slice_table(results.slices.nsmallest(N_SLICES, "mdape")),
        min_slice=min_slice,
        drift=drift["verdict"],
        shift=summary_sentences.shift_sentences(metrics, drift),
        feeds=figures(feed_views.reasons_picture(results.resolved, currency), feed_table),
        links=LINKS,
    )


def _errors(results: SimpleNamespace) -> Html:
    errors = summary_sentences.errors(results.metrics)
    shuffled, real = (results.metrics[name]["mdape"] for name in ("random_split", "out_of_time"))
    model = accuracy_views.STUDIES["out_of_time"]
    return figure(
        charts.bars(list(errors), list(errors.values()), "Typical error", highlight=model, size="square"),
        "The median of the errors, as a share of the price, on months after the training period. A test on shuffled "
        f"sales of all months would report {text(shuffled, 'percent')} instead of {text(real, 'percent')}.",
    )


def _pairs(pairs: pd.DataFrame, currency: str) -> Html:
    near, title = (np.abs(pairs.predicted / pairs.actual - 1) <= 0.2).mean(), f"Valuation against price, {currency}"
    return figure(
        charts.density(pairs.actual, pairs.predicted, title, currency, ("Price paid", "Valuation")),
        "Darker is more sales; on the dashed line the two are equal. "
        f"{text(near, 'percent')} of the sales lie within 20\u202f% of it.",
    )


def _deciles(deciles: pd.DataFrame) -> Html:
    titles = deciles.decile.map(lambda decile: {1: "cheapest tenth", 10: "dearest tenth"}.get(decile, str(decile)))
    cheap, dear = (text(deciles.median_ratio.iloc[place], "percent") for place in (0, -1))
    title, intervals = "Valuation over price, from cheap to dear", deciles[["low", "high"]].to_numpy()
    return figure(
        charts.bars(titles, deciles.median_ratio, title, intervals, 1.0, "percent0"),
        f"The cheapest tenth is valued at {cheap} of the price paid, the dearest at {dear}. "
        "Bars are 95\u202f% intervals; if no group were favoured, all would reach 100\u202f%.",
    )


def _months(months: pd.DataFrame) -> Html:
    best, worst = months.loc[months.mdape.idxmin()], months.loc[months.mdape.idxmax()]
    title, band = "Typical error, month by month", ("low", "high")
    return figure(
        charts.lines(months, "month", ["mdape"], title=title, y_format="percent", band=band, zero=True),
        f"From {text(best.mdape, 'percent')} in {best.month} to {text(worst.mdape, 'percent')} in {worst.month}; "
        "the band is the 95\u202f% interval.",
    )


def _map(areas: pd.DataFrame) -> Html:
    above, below = int((areas.median_error > LARGE_ERROR).sum()), int((areas.median_error < -LARGE_ERROR).sum())
    title, limit = "Median error by area", text(LARGE_ERROR, "percent0")
    chart = charts.city_map(areas.longitude, areas.latitude, areas.median_error, title, size=areas.n, formats="change")
    if areas.empty:
        return figure(chart)
    return figure(
        chart,
        "Blue is valued below the price paid, orange above; a larger dot is more sales. "
        f"Of {text(len(areas))} squares, {below} are more than {limit} below and {above} more than {limit} above.",
    )


def _price_index(index: pd.DataFrame, currency: str) -> Html:
    known = index.dropna(subset=["market_level"]).sort_values("month")
    months = [f"{month // 12}-{month % 12 + 1:02d}" for month in known.month]
    levels = known.assign(month=months, level=np.exp(known.market_level))
    first, last = levels.iloc[0], levels.iloc[-1]
    return figure(
        charts.lines(levels, "month", ["level"], title=f"The city's price index, {currency} per m²"),
        "Price per m², corrected for the mix of properties sold: "
        f"{text(last.level / first.level - 1, 'change')} from {first.month} to {last.month}.",
    )
