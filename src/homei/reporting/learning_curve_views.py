"""The learning curve as sentences, a chart and a table."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from homei.reporting import charts
from homei.reporting.html_page import Html, figure, table
from homei.reporting.number_formats import points, text

CAPTION = "The band is the 95\u202f% interval of the median error. The last point is the model of the hold-out."
HEADINGS = {
    "n_sales": "Sales",
    "mdape": "Median error",
    "low": "Lower limit",
    "high": "Upper limit",
    "ppe10": "Within 10\u202f%",
}
FORMATS = {name: "number" if name == "n_sales" else "percent2" for name in HEADINGS}


def learning_curve_section(curve: pd.DataFrame, sample: dict[str, Any]) -> Html:
    """Sentences on the training set and the gain from more sales.

    With several sizes, a chart and a table follow.
    """
    sentences = f"{describe_sample(sample, int(curve['n_sales'].iloc[-1]))} {describe_last_step(curve)}"
    paragraph = Html(f"<p>{escape(sentences)}</p>")
    if len(curve) < 2:
        return paragraph
    named = curve.assign(size=[text(size, "number") for size in curve["n_sales"]])
    chart = charts.lines(
        named, "size", ["mdape"], title="Median error of the hold-out, by sales trained on", y_format="percent2",
        band=("low", "high"), size="wide",
    )  # fmt: skip
    return Html(paragraph + figure(chart, CAPTION, wide=True) + table(curve, FORMATS, HEADINGS))


def describe_sample(sample: dict[str, Any], n_before: int) -> str:
    """Sentences on how many market sales there are, and whether the training set is a sample of them."""
    n_sales, before = text(sample["market_sales"], "number"), text(n_before, "number")
    usable = f"{before} of them are usable and before the hold-out."
    if not sample["is_sampled"]:
        return f"The training set holds all {n_sales} market sales; {usable}"
    return (
        f"The city has {n_sales} market sales. The training set is a sample by location, type and year, at a rate of "
        f"{text(sample['rate'], 'percent')} (features.max_training_rows = "
        f"{text(sample['max_training_rows'], 'number')}); {usable}"
    )


def describe_last_step(curve: pd.DataFrame) -> str:
    """A sentence on the change of the error between the two largest sizes."""
    if len(curve) < 2:
        return "There are too few sales for a smaller training set to compare with (train.learning_curve_rows)."
    smaller, whole = curve.iloc[-2], curve.iloc[-1]
    change = whole["mdape"] - smaller["mdape"]
    return (
        f"With {text(whole['n_sales'] / smaller['n_sales'], 'decimal')} times the sales of the largest sample, the "
        f"median error {'fell' if change < 0 else 'rose'} by {points(abs(change), 2)} points."
    )
