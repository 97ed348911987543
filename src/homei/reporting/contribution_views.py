"""Charts of feature contributions: importance, dependence, and waterfalls of single properties."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from homei.reporting import charts
from homei.reporting.chart_canvas import ACCENT, QUIET, SECOND, Picture, format_axis, picture
from homei.reporting.html_page import Html, figure, figures
from homei.reporting.number_formats import label, text
from homei.training.contributions import sorted_by_size
from homei.training.encoding import columns_of
from homei.training.estimators import UnexplainedError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from homei.training.valuation_model import ValuationModel

SAMPLE = 800  # sales: enough dots for a chart, and one to five seconds of TreeSHAP
N_DEPENDENCES = 4  # numeric inputs with a dependence chart
MAX_BARS = 15
EXAMPLES = {"Low price": 0.1, "Median price": 0.5, "High price": 0.9}  # quantiles of the price


class SampleContributions(NamedTuple):
    """Contributions of each input to the values of a sample of sales.

    `effects` holds the contributions as shares of the value, `values` the inputs; both by input, one entry per sale.
    """

    effects: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    categorical: tuple[str, ...]
    unavailable: str  # reason why the model has no contributions, or empty

    def ranked(self, names: Sequence[str]) -> list[tuple[str, float]]:
        """Inputs with their mean absolute contribution, largest first."""
        return sorted_by_size(names, [round(float(np.abs(self.effects[name]).mean()), 6) for name in names])


def sample_contributions(model: ValuationModel, sales: pd.DataFrame, seed: int) -> SampleContributions:
    """Contributions for a random sample of at most SAMPLE sales."""
    columns = columns_of(sales.sample(min(SAMPLE, len(sales)), random_state=seed))
    encoder = model.fitted.encoder
    try:
        contributions = model.contributions(columns)
    except UnexplainedError as error:
        return SampleContributions({}, {}, (), str(error))
    names, matrix = encoder.names, encoder.matrix(columns)
    values = {name: columns.get(name, matrix[:, place]) for place, name in enumerate(names)}
    values["month"] = (columns["month"] - columns["month"].max()) / 12
    logs = dict(zip(names, contributions.effects.T, strict=True))
    if "square_meters" in logs:  # The model has two inputs for the area: their contributions are added.
        logs["square_meters"] = logs["square_meters"] + logs.pop("log_area")
    shares = {name: np.round(np.expm1(log), 6) for name, log in logs.items()}
    return SampleContributions(shares, values, tuple(encoder.categories), "")


def importance(sample: SampleContributions) -> Picture | Html:
    """Bar chart of the mean absolute contribution of the most important inputs."""
    if sample.unavailable:
        return Html(f"<p>No contributions available: {escape(sample.unavailable)}.</p>")
    names, sizes = zip(*sample.ranked(list(sample.effects))[:MAX_BARS], strict=True)
    return charts.bars(names, sizes, "Mean absolute contribution to the value", size="tall")


def dependences(sample: SampleContributions) -> Html:
    """Dependence charts of the most important numeric inputs and of the most important categorical input."""
    if sample.unavailable:
        return Html("")
    numeric = sample.ranked([name for name in sample.effects if name not in sample.categorical])[:N_DEPENDENCES]
    charted = [dependence(sample.values[name], sample.effects[name], _title(name)) for name, _ in numeric]
    charted += [_by_category(sample, name) for name, _ in sample.ranked(sample.categorical)[:1]]
    return figures(*charted)


def dependence(values: Sequence[float], effects: Sequence[float], title: str) -> Picture:
    """Scatter plot of an input's contribution over its value, without missing values."""
    x, y = np.round(np.asarray(values, dtype=float), 6), np.asarray(effects, dtype=float)

    def draw(_: object, axes: Axes) -> None:
        axes.axhline(0, color=QUIET, linewidth=1)
        axes.scatter(x[np.isfinite(x)], y[np.isfinite(x)], s=8, color=ACCENT, alpha=0.45, linewidths=0)
        format_axis(axes.xaxis, "number")
        format_axis(axes.yaxis, "change")

    return picture(draw, title)


def waterfall(start: float, parts: Sequence[tuple[str, float]], title: str, currency: str) -> Picture:
    """Waterfall chart from the average property to the value, in the currency."""
    names, amounts = zip(*parts, strict=True)
    ends = start + np.cumsum([0.0, *amounts])
    bars = [(0.0, start, QUIET, text(start, currency))]
    for low, amount in zip(ends, amounts, strict=False):
        sign = "+" if round(amount) > 0 else ""
        bars.append((low, amount, ACCENT if amount >= 0 else SECOND, sign + text(float(amount))))
    bars.append((0.0, ends[-1], QUIET, text(float(ends[-1]), currency)))

    def draw(_: object, axes: Axes) -> None:
        axes.grid(False)
        for row, (left, width, colour, amount) in enumerate(bars):
            axes.barh(row, width, 0.6, left, color=colour, alpha=0.85, linewidth=0)
            right = max(left, left + width)
            axes.annotate(amount, (right, row), (4, 0), textcoords="offset points", va="center")
        for row, end in enumerate(ends):
            axes.plot([end, end], [row, row + 1], color=QUIET, linewidth=0.8)
        axes.set_yticks(range(len(bars)), ["average property", *map(_title, names), "value"])
        axes.set(ylim=(len(bars) - 0.4, -0.6), xlim=(0, 1.3 * max(*ends, 1.0)))
        format_axis(axes.xaxis, "number", ticks=4)

    return picture(draw, title, (5.2, 0.28 * len(bars) + 0.9))


def property_waterfalls(model: ValuationModel, sales: pd.DataFrame, currency: str) -> Html:
    """Waterfall charts of a sale with a low, a median and a high price."""
    ranked = sales.sort_values(["price", "transaction_id"])
    chosen = ranked.iloc[[int(share * (len(ranked) - 1)) for share in EXAMPLES.values()]]
    columns = columns_of(chosen)
    try:
        contributions = model.contributions(columns).by_feature()
    except UnexplainedError:
        return Html("")
    starts, amounts = contributions.in_money(model.value(columns).price)
    charted = []
    for title, sale, start, parts in zip(EXAMPLES, chosen.to_dict("records"), starts, amounts, strict=True):
        chart = waterfall(start, sorted_by_size(contributions.names, parts), title, currency)
        attributes = f"{text(sale['square_meters'])} m², {sale['property_type']}, {sale['location']}"
        charted.append(figure(chart, f"{attributes}; sale price {text(sale['price'], currency)}."))
    return figures(*charted)


def _by_category(sample: SampleContributions, name: str) -> Picture:
    """Bar chart of the mean contribution of each frequent category, largest first."""
    values = [value if isinstance(value, str) else "unknown" for value in sample.values[name]]
    effects = pd.Series(sample.effects[name]).groupby(values).agg(["size", "mean"]).round(6)
    frequent = effects.sort_values("size", ascending=False, kind="stable")[:MAX_BARS]
    means = frequent["mean"].sort_index().sort_values(ascending=False, kind="stable")
    return charts.bars(means.index, means, _title(name), formats="change")


def _title(name: str) -> str:
    return "month, in years before the last" if name == "month" else label(name)
