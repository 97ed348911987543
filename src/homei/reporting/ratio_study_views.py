"""Ratio studies and verdicts as cards, tables and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from homei.reporting import charts, summary_sentences
from homei.reporting.html_page import Html, cards, figures, table
from homei.reporting.number_formats import label, text

INTERVAL = "95\u202f% interval"
# Title and format of each statistic, in display order.
MEASURES = {
    "n": ("Sales", "number"),
    "mdape": ("Median error", "percent2"),
    "mape": ("Mean error", "percent2"),
    "ppe10": ("Within 10\u202f%", "percent"),
    "r2": ("R²", "ratio"),
    "median_ratio": ("Median ratio", "ratio"),
    "cod": ("COD", "percent2"),
    "prd": ("PRD", "ratio"),
    "prb": ("PRB", "ratio"),
}
HEADINGS = {name: title for name, (title, _) in MEASURES.items()}
FORMATS = {name: how for name, (_, how) in MEASURES.items()}


def headline(metrics: Mapping[str, Any]) -> Html:
    """Four headline figures of the hold-out."""
    study, intervals = metrics["out_of_time"], metrics["intervals"]
    level = text(intervals["level"], "percent0")
    items = [
        ("Median error", study["mdape"], "percent2", f"of {text(study['n'])} sales after the training period"),
        ("Within 10\u202f% of the price", study["ppe10"], "percent", "of all valuations"),
        ("Dispersion (COD)", study["cod"], "percent2", "mean deviation of the ratios from their median"),
        (f"Prices inside the {level} interval", intervals["coverage"], "percent", width_note(metrics)),
    ]
    return cards([{"label": title, "value": text(value, how), "note": note} for title, value, how, note in items])


def width_note(study: Mapping[str, Any]) -> str:
    """A note for a card: mean interval width, and that of plain split-conformal intervals."""
    model, plain = (text(study[kind]["mean_relative_width"], "percent") for kind in ("intervals", "split_conformal"))
    return f"{model} mean width; plain split-conformal {plain}"


def verdict_table(verdicts: Sequence[Mapping[str, Any]]) -> Html:
    """A table of verdicts: measure, value, limits, interval, verdict and its meaning."""
    return table(summary_sentences.verdict_table(verdicts), {"verdict": "verdict"}, {"interval": INTERVAL})


def study_table(studies: Mapping[str, Mapping[str, Any]], title: str) -> Html:
    """A table of ratio studies, one a row; `title` is the heading of their names."""
    rows = pd.DataFrame([{title: name, **study} for name, study in studies.items()], columns=[title, *MEASURES])
    return table(rows.astype(dict.fromkeys(list(MEASURES)[1:], "float64")), FORMATS, HEADINGS)


def confidence_table(groups: pd.DataFrame) -> Html:
    """Stated and observed confidence by fifth, highest confidence first."""
    rows = groups.assign(group=["highest confidence", *[""] * (len(groups) - 2), "lowest confidence"][: len(groups)])
    headings = {"group": "Fifth", "n": "Sales", "low": "from", "high": "to"}
    return table(rows, dict.fromkeys(["stated", "observed", "low", "high"], "percent"), headings)


def slice_charts(slices: pd.DataFrame) -> Html:
    """Charts of the median error by slice with its interval, except by location."""
    kinds = slices[slices["slice"] != "location"].groupby("slice", sort=False)
    titles = {name: f"Median error by {'age in years' if name == 'age' else label(name)}" for name, _ in kinds}
    return figures(
        *(
            charts.bars(part["value"], part["mdape"], titles[name], part[["mdape_low", "mdape_high"]].to_numpy())
            for name, part in kinds
        )
    )
