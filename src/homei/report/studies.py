"""Ratio studies as tables and pictures: side by side, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from homei.report import charts
from homei.report.formats import text
from homei.report.page import Html, cards, figures, table

# What a ratio study measures, in the order of reading: its title, and how it is written.
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
    """The hold-out in four figures."""
    study, intervals = metrics["out_of_time"], metrics["intervals"]
    level = text(intervals["level"], "percent0")
    items = [
        ("Median error", study["mdape"], "percent2", f"of {text(study['n'])} sales that the model had not seen"),
        ("Within 10\u202f% of the price", study["ppe10"], "percent", "of all valuations"),
        ("Dispersion (COD)", study["cod"], "percent2", "mean distance of the ratios to their median"),
        (f"Prices inside the {level} interval", intervals["coverage"], "percent", width_note(metrics)),
    ]
    return cards([{"label": label, "value": text(value, how), "note": note} for label, value, how, note in items])


def width_note(study: Mapping[str, Any]) -> str:
    """How wide the intervals are beside plain split-conformal ones, for a card."""
    own, plain = (text(study[kind]["mean_relative_width"], "percent") for kind in ("intervals", "split_conformal"))
    return f"{own} of the value wide on average; plain split-conformal {plain}"


def study_table(studies: Mapping[str, Mapping[str, Any]], title: str) -> Html:
    """Ratio studies by name, one a row; `title` heads their names."""
    rows = pd.DataFrame([{title: name, **study} for name, study in studies.items()], columns=[title, *MEASURES])
    return table(rows.astype(dict.fromkeys(list(MEASURES)[1:], "float64")), FORMATS, HEADINGS)


def confidence_table(groups: pd.DataFrame) -> Html:
    """What valuations said of their confidence beside what came, the surest fifth first."""
    rows = groups.assign(group=["surest", *[""] * (len(groups) - 2), "least sure"][: len(groups)])
    headings = {"group": "Fifth", "n": "Sales", "stated": "Said", "came": "Came", "low": "from", "high": "to"}
    return table(rows, dict.fromkeys(["stated", "came", "low", "high"], "percent"), headings)


def slice_pictures(slices: pd.DataFrame) -> Html:
    """The median error of each slice with its interval, a picture for each way to slice but by location."""
    kinds = slices[slices["slice"] != "location"].groupby("slice", sort=False)
    return figures(
        *(
            charts.bars(part["value"], part["mdape"], f"Median error by {_words(name)}", _intervals(part))
            for name, part in kinds
        )
    )


def _intervals(slices: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(slices["mdape_low"], slices["mdape_high"], strict=True))


def _words(name: str) -> str:
    return {"price_decile": "tenth of worth", "age": "age in years"}.get(name, name.replace("_", " "))
