"""Charts of series and categories as inline SVG.

Formats (`y_format` and others) are those of `number_formats.text`: "percent", "number", "ratio", "EUR".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from homei.reporting import number_formats
from homei.reporting.chart_canvas import ACCENT, GRID, QUIET, SECOND, SERIES, TEXT, Picture, Size, format_axis, picture
from homei.reporting.map_charts import city_map, density

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

N_BINS = 40  # of a histogram
__all__ = ["Picture", "bars", "city_map", "density", "histogram", "lines", "strips"]


def lines(
    frame: pd.DataFrame,
    x: str,
    ys: Sequence[str],
    labels: Sequence[str] | None = None,
    title: str = "",
    y_format: str = "number",
    band: tuple[str, str] | None = None,
    reference: float | None = None,
    zero: bool = False,
    size: Size = "half",
) -> Picture:
    """A line chart of the columns `ys` over the column `x`, in the order of the rows, with a legend.

    `x` may hold numbers, dates or texts such as "2016-07". `band` names the columns of a band's lower and upper limit.
    `reference` draws a horizontal line. `zero` starts the axis at zero. Missing values leave gaps.
    """

    def draw(_: object, axes: Axes) -> None:
        places = _places(axes, frame[x])
        if band:
            low, high = (frame[edge].to_numpy(float) for edge in band)
            axes.fill_between(places, low, high, color=ACCENT, alpha=0.16, linewidth=0)
        if reference is not None:
            axes.axhline(reference, color=QUIET, linewidth=1, dashes=(4, 3))
        style = {"linewidth": 1.9, "marker": "o" if len(frame) <= 24 else "", "markersize": 3.5}
        for column, label, colour in zip(ys, labels or ys, SERIES * len(ys), strict=False):
            axes.plot(places, frame[column].to_numpy(float), color=colour, label=label, **style)
        if len(ys) > 1:  # above the axes, because labels at the line ends would overlap
            axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=len(ys))
        if zero:
            axes.set_ylim(bottom=0)
        format_axis(axes.yaxis, y_format)

    return picture(draw, title, size)


def bars(
    labels: Sequence[object],
    values: Sequence[float],
    title: str = "",
    intervals: Sequence[tuple[float, float]] | None = None,
    reference: float | None = None,
    formats: str = "percent",
    highlight: object = None,
    size: Size | None = None,
) -> Picture:
    """A horizontal bar chart in the given order, with the value at each bar.

    With `intervals` of (low, high), values are dots with whiskers on an axis that may start above zero.
    `reference` draws a vertical line. `highlight` is the label of the bar to emphasise.
    More than 12 bars make a taller chart.
    """
    heights = np.asarray(values, dtype=float)
    rows = np.arange(len(heights))

    def draw(_: object, axes: Axes) -> None:
        axes.grid(False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="x", length=0)
        if reference is not None:
            axes.axvline(reference, color=QUIET, linewidth=1, dashes=(4, 3))
        if intervals is None:
            colours = [ACCENT if highlight in (None, label) else QUIET for label in labels]
            drawn = axes.barh(rows, np.nan_to_num(heights), height=0.6, color=colours, alpha=0.85, linewidth=0)
            axes.bar_label(drawn, [number_formats.text(float(value), formats) for value in heights], padding=4)
            axes.margins(x=0.28 if (heights < 0).any() else 0.16)  # space for the labels, which stand left and right
            axes.axvline(0, color=GRID, linewidth=1)
            axes.set_xticks([])
        else:
            axes.grid(True, axis="x")
            axes.hlines(rows, *np.asarray(intervals, dtype=float).T, color=ACCENT, alpha=0.45, linewidth=3)
            axes.plot(heights, rows, "o", color=ACCENT, markersize=5.5)
            format_axis(axes.xaxis, formats)
        axes.set_yticks(rows, [str(label) for label in labels])
        axes.set_ylim(len(rows) - 0.4, -0.6)

    return picture(draw, title, size or ("tall" if len(heights) > 12 else "half"))


def histogram(values: Sequence[float], title: str = "", x_format: str = "number") -> Picture:
    """A histogram as shares of all values, with a dashed line at the median.

    The axis extends from the 0.5th to the 99.5th percentile.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, [0.005, 0.995]) if values.size else (0.0, 1.0)

    def draw(_: object, axes: Axes) -> None:
        ends, shares = (low, high if high > low else low + 1), np.full(values.size, 1 / max(values.size, 1))
        axes.hist(values, N_BINS, ends, weights=shares, color=ACCENT, alpha=0.75, linewidth=0)
        if values.size:
            median = float(np.median(values))
            axes.axvline(median, color=TEXT, linewidth=1.1, dashes=(4, 3))
            axes.annotate(
                f"median {number_formats.text(median, x_format)}", (median, 1), (5, -2),
                xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
            )  # fmt: skip
        format_axis(axes.xaxis, x_format)
        format_axis(axes.yaxis, "percent", ticks=4)

    return picture(draw, title)


def strips(
    labels: Sequence[str], months: Sequence[str], states: np.ndarray, notes: Sequence[str], title: str = ""
) -> Picture:
    """One horizontal strip per label over the months: pale where a check passes, orange where it fails.

    `states` has the shape (labels, months) with 1 (passes), 0 (fails) and NaN (unknown, a gap). `months` are texts
    such as "2016-07". `notes` are written at the right end of each strip.
    """

    def draw(_: object, axes: Axes) -> None:
        axes.grid(False)
        axes.spines["bottom"].set_visible(False)
        for row, (state, note) in enumerate(zip(states, notes, strict=True)):
            for value, colour, alpha in ((1, ACCENT, 0.4), (0, SECOND, 1.0)):
                axes.broken_barh(_runs(state == value), (row - 0.34, 0.68), color=colour, alpha=alpha, linewidth=0)
            axes.annotate(note, (len(months), row), (5, 0), textcoords="offset points", va="center", fontsize=8.5)
        axes.set(xlim=(0, len(months)), ylim=(len(labels) - 0.5, -0.5))
        axes.set_yticks(range(len(labels)), labels)
        years = {place: month[:4] for place, month in enumerate(months) if month.endswith("-01") or len(months) < 12}
        axes.set_xticks(list(years), list(years.values()))

    return picture(draw, title, (10.4, 0.24 * len(labels) + 0.75))


def _runs(states: np.ndarray) -> list[tuple[int, int]]:
    """Start and length of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], states.astype(int), [0]])))
    return [(int(start), int(end - start)) for start, end in edges.reshape(-1, 2)]


def _places(axes: Axes, column: pd.Series) -> np.ndarray:
    """The x positions of a column's values; sets about six tick labels if the values are not numbers."""
    if column.dtype.kind in "iuf":
        return column.to_numpy(float)
    texts = [f"{value:%Y-%m}" if column.dtype.kind == "M" else str(value) for value in column]
    step = max(1, -(-len(texts) // 6))
    axes.set_xticks(range(0, len(texts), step), texts[::step])
    return np.arange(len(texts), dtype=float)
