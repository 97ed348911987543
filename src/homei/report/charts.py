"""Charts of series and categories, each a `Picture`: deterministic inline SVG in the page's colours.

Formats (`y_format` and such) are those of `report.formats.text`: "percent", "number", "ratio", "EUR".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter

from homei.report import formats
from homei.report.drawing import ACCENT, GRID, QUIET, SECOND, SERIES, TEXT, Picture, Size, format_axis, picture
from homei.report.maps import city_map, density, scatter

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Picture", "bars", "city_map", "density", "histogram", "lines", "scatter", "strips"]


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
    """Columns `ys` over the column `x`, in order of the rows, each line named at its end.

    `x` may hold numbers, dates or texts such as "2016-07"; `band` names the columns of a band's lower and upper edge;
    `reference` is a level worth comparing with; `zero` starts the axis there. Missing values leave gaps.
    """

    def draw(_: object, axes: Axes) -> None:
        places = _places(axes, frame[x])
        if band:
            low, high = (frame[edge].to_numpy(float) for edge in band)
            axes.fill_between(places, low, high, color=ACCENT, alpha=0.16, linewidth=0)
        if reference is not None:
            axes.axhline(reference, color=QUIET, linewidth=1, dashes=(4, 3))
        for column, colour in zip(ys, SERIES * len(ys), strict=False):
            dot = "o" if len(frame) <= 24 else ""
            axes.plot(places, frame[column].to_numpy(float), color=colour, linewidth=1.9, marker=dot, markersize=3.5)
        if len(ys) > 1:
            _name_lines(axes, labels or ys)
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
    """Horizontal bars from top to bottom as given, each with its value.

    `intervals` are (low, high) whiskers: the values then are dots, on an axis that need not start at zero;
    `reference` is a level worth comparing with. The bar of the label `highlight` stands out, the others step back.
    More than 12 bars make a taller picture.
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
            _draw_bars(axes, rows, heights, formats, [highlight in (None, label) for label in labels])
        else:
            axes.grid(True, axis="x")
            axes.hlines(rows, *np.asarray(intervals, dtype=float).T, color=ACCENT, alpha=0.45, linewidth=3)
            axes.plot(heights, rows, "o", color=ACCENT, markersize=5.5)
            format_axis(axes.xaxis, formats)
        axes.yaxis.set_major_locator(FixedLocator(rows))
        axes.set_yticklabels([str(label) for label in labels])
        axes.set_ylim(len(rows) - 0.4, -0.6)

    return picture(draw, title, size or ("tall" if len(heights) > 12 else "half"))


def histogram(
    values: Sequence[float],
    title: str = "",
    x_format: str = "number",
    bins: int = 40,
    reference: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Picture:
    """How often each value occurs, as shares of all; a dashed line marks `reference` (else the median).

    `limits` bound the axis, by default the 0.5th and 99.5th percentiles, so that a few extremes don't flatten the rest.
    """
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    low, high = limits or (np.quantile(known, [0.005, 0.995]) if known.size else (0.0, 1.0))

    def draw(_: object, axes: Axes) -> None:
        counts, edges = np.histogram(known, bins=bins, range=(low, high if high > low else low + 1))
        shares = counts / max(known.size, 1)
        axes.bar(edges[:-1], shares, np.diff(edges), align="edge", color=ACCENT, alpha=0.75, linewidth=0)
        if known.size:
            middle = float(np.median(known)) if reference is None else reference
            axes.axvline(middle, color=TEXT, linewidth=1.1, dashes=(4, 3))
            word = f"median {formats.text(middle, x_format)}" if reference is None else formats.text(middle, x_format)
            axes.annotate(
                word, (middle, 1), (5, -2), xycoords=("data", "axes fraction"), textcoords="offset points", va="top"
            )
        format_axis(axes.xaxis, x_format)
        format_axis(axes.yaxis, "percent", ticks=4)

    return picture(draw, title)


def strips(
    labels: Sequence[str], months: Sequence[str], states: np.ndarray, notes: Sequence[str], title: str = ""
) -> Picture:
    """A strip a row along the months: pale where a thing holds, in the second colour where it fails.

    `states` is labels x months of 1 (holds), 0 (fails) and NaN (nothing is known, a gap); `months` are texts such as
    "2016-07"; `notes` stand at the strips' right ends.
    """

    def draw(_: object, axes: Axes) -> None:
        axes.grid(False)
        axes.spines["bottom"].set_visible(False)
        for row, (state, said) in enumerate(zip(states, notes, strict=True)):
            for value, colour, alpha in ((1, ACCENT, 0.4), (0, SECOND, 1.0)):
                axes.broken_barh(_runs(state == value), (row - 0.34, 0.68), color=colour, alpha=alpha, linewidth=0)
            axes.annotate(said, (len(months), row), (5, 0), textcoords="offset points", va="center", fontsize=8.5)
        axes.set(xlim=(0, len(months)), ylim=(len(labels) - 0.5, -0.5))
        axes.yaxis.set_major_locator(FixedLocator(range(len(labels))))
        axes.set_yticklabels(labels)
        years = {place: month[:4] for place, month in enumerate(months) if month.endswith("-01") or len(months) < 12}
        axes.set_xticks(list(years), list(years.values()))

    return picture(draw, title, (10.4, 0.24 * len(labels) + 0.75))


def _runs(states: np.ndarray) -> list[tuple[int, int]]:
    """Where each run of true values begins, and how long it is."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], states.astype(int), [0]])))
    return [(int(start), int(end - start)) for start, end in edges.reshape(-1, 2)]


def _draw_bars(axes: Axes, rows: np.ndarray, values: np.ndarray, how: str, bright: Sequence[bool]) -> None:
    colours = [ACCENT if stands_out else QUIET for stands_out in bright]
    axes.barh(rows, np.nan_to_num(values), height=0.6, color=colours, alpha=0.85, linewidth=0)
    axes.xaxis.set_major_locator(FixedLocator([]))
    axes.axvline(0, color=GRID, linewidth=1)
    axes.margins(x=0.28 if (values < 0).any() else 0.16)  # room for the numbers, which a negative bar has on its left
    for row, value in zip(rows, values, strict=True):
        left = np.isfinite(value) and value < 0
        axes.annotate(
            formats.text(float(value), how), (float(np.nan_to_num(value)), row), (-4 if left else 4, 0),
            textcoords="offset points", va="center", ha="right" if left else "left",
        )  # fmt: skip


def _places(axes: Axes, column: pd.Series) -> np.ndarray:
    """Where the values of `column` lie on the x axis, which shows about six of them if they aren't numbers."""
    if column.dtype.kind in "iuf":
        return column.to_numpy(float)
    dated = column.dtype.kind == "M"
    texts = [f"{value:%Y-%m}" for value in column] if dated else [str(value) for value in column]
    step = max(1, -(-len(texts) // 6))
    axes.xaxis.set_major_locator(FixedLocator(range(0, len(texts), step)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: texts[int(place)]))
    return np.arange(len(texts), dtype=float)


def _name_lines(axes: Axes, labels: Sequence[str]) -> None:
    """Names in the line's own colour, above the axes; beside the ends they would run into each other."""
    axes.legend(
        axes.get_lines()[-len(labels) :], labels, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=len(labels),
        handlelength=1.2, columnspacing=1.4, borderaxespad=0,
    )  # fmt: skip
