"""Charts of many points: the city from above, and one quantity against another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.ticker import NullLocator

from homei.report.drawing import (
    ACCENT,
    DIVERGING,
    INK,
    SEQUENTIAL,
    Picture,
    format_axis,
    picture,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 800  # beyond, points become cells, which are quicker to read and to load
CELLS = 34  # along the longer side of the city


def scatter(
    x: Sequence[float],
    y: Sequence[float],
    title: str = "",
    diagonal: bool = True,
    formats: str = "number",
    labels: tuple[str, str] = ("", ""),
) -> Picture:
    """One dot a pair; over 800 pairs become the density that they would blur into."""
    if len(x) > MOST_POINTS:
        return density(x, y, title, diagonal, formats, labels)

    def draw(_: Figure, axes: Axes) -> None:
        axes.scatter(x, y, s=9, color=ACCENT, alpha=0.5, linewidths=0)
        _frame_pairs(axes, diagonal, formats, labels)

    return picture(draw, title, "square")


def density(
    x: Sequence[float],
    y: Sequence[float],
    title: str = "",
    diagonal: bool = True,
    formats: str = "number",
    labels: tuple[str, str] = ("", ""),
) -> Picture:
    """How many pairs lie where, in hexagons on a logarithmic scale; the top 0.5 % of either axis is cut off."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]

    def draw(_: Figure, axes: Axes) -> None:
        if x.size:
            low, high = np.quantile(x, [0.0, 0.995]), np.quantile(y, [0.0, 0.995])
            if diagonal:
                low = high = np.array([min(low[0], high[0]), max(low[1], high[1])])
            axes.hexbin(x, y, gridsize=36, extent=(*low, *high), bins="log", mincnt=1, cmap=SEQUENTIAL, linewidths=0.1)
        _frame_pairs(axes, diagonal, formats, labels)

    return picture(draw, title, "square")


def city_map(
    longitude: Sequence[float],
    latitude: Sequence[float],
    value: Sequence[float],
    title: str = "",
    diverging: bool = True,
    size: Sequence[float] | None = None,
    formats: str = "percent",
    limit: float | None = None,
) -> Picture:
    """The city from above, north up, coloured by `value`; over 800 points become cells with their median value.

    `diverging` centres the colours on zero; they end at `limit` or at the 98th percentile. `size` (such as a number of
    sales) makes the dots larger. Coordinates are degrees or metres on a plane; points without any are left out.
    """
    columns = [np.asarray(column, dtype=float) for column in (longitude, latitude, value)]
    weight = np.ones(len(columns[0])) if size is None else np.asarray(size, dtype=float)
    known = np.isfinite(columns).all(axis=0)
    x, y, z, weight = (column[known] for column in (*columns, weight))
    if len(x) > MOST_POINTS:
        x, y, z, weight = _cells(x, y, z, _stretch(y))

    def draw(canvas: Figure, axes: Axes) -> None:
        axes.grid(False)
        axes.spines["bottom"].set_visible(False)
        axes.xaxis.set_major_locator(NullLocator())
        axes.yaxis.set_major_locator(NullLocator())
        axes.set_aspect(_stretch(y), anchor="N")
        area = 14 + 46 * np.sqrt(weight / max(weight.max(initial=0), 1e-9))
        dots = axes.scatter(
            x, y, c=z, s=area, cmap=DIVERGING if diverging else SEQUENTIAL, norm=_norm(z, diverging, limit)
        )
        dots.set_linewidth(0)
        scale = canvas.colorbar(
            dots, ax=axes, orientation="horizontal", fraction=0.035, pad=0.02, shrink=0.55, aspect=34
        )
        scale.outline.set_visible(False)
        scale.ax.tick_params(length=0)
        format_axis(scale.ax.xaxis, formats, ticks=4)

    height = np.ptp(y) * _stretch(y) / (np.ptp(x) or 1.0) if x.size else 1.0
    return picture(draw, title, (5.2, float(np.clip(5.0 * height + 1.0, 2.6, 6.0))))


def _frame_pairs(axes: Axes, diagonal: bool, how: str, labels: tuple[str, str]) -> None:
    axes.grid(True, axis="both")
    axes.autoscale_view()
    if diagonal:
        low, high = min(axes.get_xlim()[0], axes.get_ylim()[0]), max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([low, high], [low, high], color=INK, linewidth=1, dashes=(4, 3))
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set(xlabel=labels[0], ylabel=labels[1])
    format_axis(axes.xaxis, how)
    format_axis(axes.yaxis, how)


def _stretch(latitude: np.ndarray) -> float:
    """How much longer a unit of latitude is than one of longitude; coordinates beyond 90 are metres on a plane."""
    if not latitude.size or np.abs(latitude).max() > 90:
        return 1.0
    return 1 / np.cos(np.radians(latitude.mean()))


def _cells(x: np.ndarray, y: np.ndarray, z: np.ndarray, stretch: float) -> tuple[np.ndarray, ...]:
    """Middles, median values and counts of the square cells that have points, from south-west to north-east."""
    side = max(np.ptp(x), np.ptp(y) * stretch) / CELLS or 1.0
    column = np.floor((x - x.min()) / side).astype(np.int64)
    row = np.floor((y - y.min()) * stretch / side).astype(np.int64)
    keys, cell = np.unique(row * 1_000_000 + column, return_inverse=True)
    order = np.argsort(cell, kind="stable")
    groups = np.split(z[order], np.cumsum(np.bincount(cell))[:-1])
    middle_x = x.min() + (keys % 1_000_000 + 0.5) * side
    middle_y = y.min() + (keys // 1_000_000 + 0.5) * side / stretch
    return middle_x, middle_y, np.array([np.median(group) for group in groups]), np.bincount(cell).astype(float)


def _norm(values: np.ndarray, diverging: bool, limit: float | None) -> Normalize:
    if not values.size:
        return Normalize(-1 if diverging else 0, 1)
    if diverging:
        end = limit or float(np.quantile(np.abs(values), 0.98)) or 1.0
        return Normalize(-end, end)
    return Normalize(float(np.quantile(values, 0.02)), limit or float(np.quantile(values, 0.98)))
