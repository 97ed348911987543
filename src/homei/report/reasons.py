"""What moves a model's values, as pictures: the size of each input, how it works, and homes from start to value."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.ticker import FixedLocator

from homei.model.estimators import UnexplainedError
from homei.model.preprocess import columns_of
from homei.model.reasons import by_size
from homei.report import charts
from homei.report.drawing import ACCENT, QUIET, SECOND, Picture, format_axis, picture
from homei.report.formats import text
from homei.report.page import Html, figure, figures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from homei.model.valuation import Valuation

SAMPLE = 800  # sales; as many dots as a picture can hold, and a second or five of TreeSHAP
STRONGEST = 4  # numeric inputs whose dependence is shown
MOST_BARS = 15
HOMES = {"A cheap home": 0.1, "A middling home": 0.5, "A dear home": 0.9}  # where they are among prices


class Told(NamedTuple):
    """What a model told of a sample of sales, as shares of the value: `added` and `values` by input, sales long."""

    added: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    categorical: tuple[str, ...]
    silence: str  # why nothing is told; empty where something is

    def strongest(self, names: Sequence[str]) -> list[tuple[str, float]]:
        """Inputs and by what share of the value they move it on average, the largest first."""
        return by_size(names, [round(float(np.abs(self.added[name]).mean()), 6) for name in names])


def told(model: Valuation, sales: pd.DataFrame, seed: int) -> Told:
    """What the model says of up to 800 of the sales, drawn by `seed`."""
    columns = columns_of(sales.sample(min(SAMPLE, len(sales)), random_state=seed))
    encoder = model.fitted.encoder
    try:
        reasons = model.reasons(columns)
    except UnexplainedError as error:
        return Told({}, {}, (), str(error))
    names, matrix = encoder.names, encoder.matrix(columns)
    values = {name: columns.get(name, matrix[:, place]) for place, name in enumerate(names)}
    values["month"] = (columns["month"] - columns["month"].max()) / 12
    added = dict(zip(names, reasons.added.T, strict=True))
    if "square_meters" in added:  # two inputs of one quantity: only together do they say what a square metre does
        added["square_meters"] = added["square_meters"] + added.pop("log_area")
    shares = {name: np.round(np.expm1(logs), 6) for name, logs in added.items()}
    return Told(shares, values, tuple(encoder.categories), "")


def importance(found: Told) -> Picture | Html:
    """By what share of the value each input moves it, up or down, on average: the strongest fifteen."""
    if found.silence:
        return Html(f"<p>There are no reasons to show: {escape(found.silence)}.</p>")
    names, sizes = zip(*found.strongest(list(found.added))[:MOST_BARS], strict=True)
    return charts.bars(names, sizes, "Moves the value by, on average", None, None, "percent", None, "tall")


def dependences(found: Told) -> Html:
    """How the strongest inputs work: four numeric ones value by value, and the strongest categorical one."""
    if found.silence:
        return Html("")
    numeric = found.strongest([name for name in found.added if name not in found.categorical])[:STRONGEST]
    pictures = [dependence(found.values[name], found.added[name], _words(name)) for name, _ in numeric]
    kinds = found.strongest(found.categorical)[:1]
    return figures(*pictures, *(_by_category(found, name) for name, _ in kinds))


def dependence(values: Sequence[float], added: Sequence[float], title: str) -> Picture:
    """An input's values along, by what share each one moves the value up: one dot a sale; unknown ones are left out."""
    x, y = np.round(np.asarray(values, dtype=float), 6), np.asarray(added, dtype=float)

    def draw(_: object, axes: Axes) -> None:
        axes.axhline(0, color=QUIET, linewidth=1)
        axes.scatter(x[np.isfinite(x)], y[np.isfinite(x)], s=8, color=ACCENT, alpha=0.45, linewidths=0)
        format_axis(axes.xaxis, "number")
        format_axis(axes.yaxis, "change")

    return picture(draw, title)


def waterfall(start: float, parts: Sequence[tuple[str, float]], title: str, currency: str) -> Picture:
    """From the start down to the value, a floating bar for what each part adds or takes, in the currency."""
    amounts = np.array([amount for _, amount in parts], dtype=float)
    ends = start + np.concatenate([[0.0], np.cumsum(amounts)])
    rows = np.arange(len(parts) + 2)

    def draw(_: object, axes: Axes) -> None:
        axes.grid(False)
        axes.barh(rows[[0, -1]], ends[[0, -1]], height=0.6, color=QUIET, alpha=0.85, linewidth=0)
        colours = [ACCENT if amount >= 0 else SECOND for amount in amounts]
        axes.barh(rows[1:-1], amounts, left=ends[:-1], height=0.6, color=colours, alpha=0.85, linewidth=0)
        for row, end in enumerate(ends):
            axes.plot([end, end], [row, row + 1], color=QUIET, linewidth=0.8)
        said = [text(start, currency), *map(_signed, amounts), text(ends[-1], currency)]
        right = [ends[0], *np.maximum(ends[1:], ends[:-1]), ends[-1]]
        for row, (place, words) in enumerate(zip(right, said, strict=True)):
            axes.annotate(words, (place, row), (4, 0), textcoords="offset points", va="center")
        axes.yaxis.set_major_locator(FixedLocator(rows))
        axes.set_yticklabels(["average home", *(_words(name) for name, _ in parts), "value"])
        axes.set(ylim=(len(rows) - 0.4, -0.6), xlim=(0, 1.3 * max(*ends, 1.0)))
        format_axis(axes.xaxis, "number", ticks=4)

    return picture(draw, title, (5.2, 0.28 * len(rows) + 0.9))


def homes(model: Valuation, sales: pd.DataFrame, currency: str) -> Html:
    """A cheap, a middling and a dear one of the sales, from the average home to its value."""
    ranked = sales.sort_values(["price", "transaction_id"])
    chosen = ranked.iloc[[int(share * (len(ranked) - 1)) for share in HOMES.values()]]
    columns = columns_of(chosen)
    try:
        reasons = model.reasons(columns).by_feature()
    except UnexplainedError:
        return Html("")
    money = reasons.in_money(model.value(columns).price)
    pictures = []
    for title, sale, start, added in zip(HOMES, chosen.to_dict("records"), *money, strict=True):
        drawn = waterfall(start, by_size(reasons.names, added), title, currency)
        pictures.append(figure(drawn, _caption(sale, currency)))
    return figures(*pictures)


def _by_category(found: Told, name: str) -> Picture:
    """The mean share by which each of the commonest values moves the value, from the top down."""
    values = np.array([value if isinstance(value, str) else "unknown" for value in found.values[name]])
    known, counts = np.unique(values, return_counts=True)
    common = known[np.argsort(-counts, kind="stable")][:MOST_BARS]
    means = [(str(value), round(float(found.added[name][values == value].mean()), 6)) for value in common]
    labels, sizes = zip(*sorted(means, key=lambda pair: (-pair[1], pair[0])), strict=True)
    return charts.bars(labels, sizes, _words(name), None, None, "change")


def _caption(sale: dict[str, Any], currency: str) -> str:
    what = f"{text(sale['square_meters'])} m², {sale['property_type']}, {sale['location']}"
    return f"{what}; sold for {text(sale['price'], currency)}."


def _signed(amount: float) -> str:
    return ("+" if round(amount) > 0 else "") + text(float(amount))


def _words(name: str) -> str:
    return {"month": "month, in years from the last"}.get(name, name.replace("_", " "))
