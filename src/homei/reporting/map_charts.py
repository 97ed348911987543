"""Charts of many points: maps and density plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize

from homei.reporting.chart_canvas import DIVERGING, INK, SEQUENTIAL, Picture, format_axis, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_POINTS = 800  # more points are drawn as cells, which are faster to read and to load
N_CELLS = 34  # along the longer side of the city


def density(
    x: Sequence[float],
    y: Sequence[float],
    title: str = "",
    formats: str = "number",
    labels: tuple[str, str] = ("", ""),
) -> Picture:
    """A hexagonal density plot of pairs on one scale, with the line y = x.

    Darker cells hold more points, on a logarithmic scale. The top 0.5 % of each axis is omitted. `labels`
    name the x and the y axis.
    """
    pairs = np.array([x, y], dtype=float)
    x, y = pairs[:, np.isfinite(pairs).all(axis=0)]

    def draw(_: Figure, axes: Axes) -> None:
        if x.size:
            ends = min(x.min(), y.min()), max(np.quantile(x, 0.995), np.quantile(y, 0.995))
            axes.hexbin(x, y, gridsize=36, extent=ends * 2, bins="log", mincnt=1, cmap=SEQUENTIAL, linewidths=0.1)
        axes.grid(True, axis="both")
        axes.autoscale_view()
        low, high = min(axes.get_xlim()[0], axes.get_ylim()[0]), max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([low, high], [low, high], color=INK, linewidth=1, dashes=(4, 3))
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", xlabel=labels[0], ylabel=labels[1])
        format_axis(axes.xaxis, formats)
        format_axis(axes.yaxis, formats)

    return picture(draw, title, "square")


def city_map(
    longitude: Sequence[float],
    latitude: Sequence[float],
    value: Sequence[float],
    title: str = "",
    diverging: bool = True,
    size: Sequence[float] | None = None,
    formats: str = "percent",
) -> Picture:
    """A map with north at the top, coloured by `value`.

    More than MAX_POINTS points are drawn as square cells with their median. `diverging` centres the colours on zero;
    they end at the 98th percentile. `size` (such as a number of sales) scales the dots. Coordinates are degrees or
    metres on a plane; points without coordinates are omitted. Without any point, a sentence stands for the map.
    """
    points = np.array([longitude, latitude, value, np.ones(len(value)) if size is None else size], dtype=float)
    x, y, z, weight = points[:, np.isfinite(points[:3]).all(axis=0)]
    if not x.size:
        return picture(_write_no_coordinates, title, (5.2, 1.2))
    if len(x) > MAX_POINTS:
        x, y, z, weight = _cells(x, y, z, _stretch(y))

    def draw(canvas: Figure, axes: Axes) -> None:
        axes.set_axis_off()
        axes.set_aspect(_stretch(y), anchor="N")
        area = 14 + 46 * np.sqrt(weight / max(weight.max(), 1e-9))
        colours = DIVERGING if diverging else SEQUENTIAL
        dots = axes.scatter(x, y, c=z, s=area, cmap=colours, norm=_norm(z, diverging))
        dots.set_linewidth(0)
        layout = {"orientation": "horizontal", "fraction": 0.035, "pad": 0.02, "shrink": 0.55, "aspect": 34}
        scale = canvas.colorbar(dots, ax=axes, **layout)
        scale.outline.set_visible(False)
        scale.ax.tick_params(length=0)
        format_axis(scale.ax.xaxis, formats, ticks=4)

    height = np.ptp(y) * _stretch(y) / (np.ptp(x) or 1.0)
    return picture(draw, title, (5.2, float(np.clip(5.0 * height + 1.0, 2.6, 6.0))))


def _write_no_coordinates(_: Figure, axes: Axes) -> None:
    axes.set_axis_off()
    axes.text(0, 0.5, "No coordinates are known, so there is no map.")


def _stretch(latitude: np.ndarray) -> float:
    """Length of a unit of latitude divided by a unit of longitude.

    Coordinates above 90 are metres on a plane.
    """
    if not latitude.size or np.abs(latitude).max() > 90:
        return 1.0
    return 1 / np.cos(np.radians(latitude.mean()))


def _cells(x: np.ndarray, y: np.ndarray, z: np.ndarray, stretch: float) -> tuple[np.ndarray, ...]:
    """Centres, median values and counts of the occupied square cells, from south-west to north-east."""
    side = max(np.ptp(x), np.ptp(y) * stretch) / N_CELLS or 1.0
    points = pd.DataFrame({"row": (y - y.min()) * stretch // side, "column": (x - x.min()) // side, "value": z})
    cells = points.groupby(["row", "column"])["value"].agg(["median", "size"]).reset_index()
    middle_x, middle_y = x.min() + (cells["column"] + 0.5) * side, y.min() + (cells["row"] + 0.5) * side / stretch
    return tuple(column.to_numpy(float) for column in (middle_x, middle_y, cells["median"], cells["size"]))


def _norm(values: np.ndarray, diverging: bool) -> Normalize:
    if not values.size:
        return Normalize(-1 if diverging else 0, 1)
    if diverging:
        end = float(np.quantile(np.abs(values), 0.98)) or 1.0
        return Normalize(-end, end)
    return Normalize(*np.quantile(values, [0.02, 0.98]).tolist())
