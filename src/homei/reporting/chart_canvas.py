"""Matplotlib figures as inline SVG with reproducible bytes and the colours of the page's theme."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Literal

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from homei.reporting import number_formats
from homei.reporting.html_page import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Default colours for notebooks, readable on white and on black. In pages, CSS variables replace them.
TEXT, INK, GRID = "#6a7480", "#6a7481", "#c9ced5"
ACCENT, SECOND, QUIET = "#3f7fb5", "#c57f3b", "#98a1ae"
SERIES = (ACCENT, SECOND, QUIET, INK)
_THEME = {TEXT: "text", INK: "ink", GRID: "grid", ACCENT: "accent", SECOND: "second", QUIET: "quiet"}
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
# Distinguishable on both backgrounds and with colour blindness.
DIVERGING = LinearSegmentedColormap.from_list(
    "homei_diverging", ["#1c5f9e", "#6fa3cc", "#c3c7cb", "#dd9c58", "#b2560d"]
)
SEQUENTIAL = LinearSegmentedColormap.from_list(
    "homei_sequential", ["#cfe0dc", "#8fc0bd", "#4b97a6", "#2a6a90", "#1f3f73"]
)
Size = Literal["half", "wide", "tall", "square"] | tuple[float, float]  # or width and height in inches
_INCHES = {"half": (5.2, 3.3), "wide": (10.4, 3.6), "tall": (5.2, 5.2), "square": (5.2, 4.9)}
_STYLE = {
    "svg.hashsalt": "homei", "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9.5,
    "figure.titlesize": 11, "figure.titleweight": "bold", "figure.constrained_layout.h_pad": 0.07,
    "text.color": TEXT, "axes.labelcolor": TEXT, "axes.edgecolor": GRID,
    "xtick.color": GRID, "ytick.color": GRID, "xtick.labelcolor": TEXT, "ytick.labelcolor": TEXT,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False, "axes.axisbelow": True,
    "axes.grid": True, "axes.grid.axis": "y", "grid.color": GRID, "grid.linewidth": 0.7, "ytick.major.size": 0,
    "xtick.major.size": 3, "figure.facecolor": "none", "axes.facecolor": "none", "legend.frameon": False,
    "legend.handlelength": 1.4, "legend.columnspacing": 1.4, "legend.borderaxespad": 0,
    "lines.solid_capstyle": "round", "figure.constrained_layout.use": True, "path.simplify_threshold": 0.2,
}  # fmt: skip


class Picture(str):
    """An SVG chart as text that a notebook renders as a figure."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return figure(self)


def picture(draw: Callable[[Figure, Axes], None], title: str, size: Size = "half") -> Picture:
    """The SVG of a new figure after `draw(figure, axes)`; equal input gives equal bytes."""
    with matplotlib.rc_context(_STYLE):
        canvas = Figure(figsize=_INCHES.get(size, size))
        FigureCanvasSVG(canvas)
        axes = canvas.add_subplot()
        if title:
            canvas.suptitle(title, x=0.012, ha="left", color=INK)
        draw(canvas, axes)
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(_inline(file.getvalue(), title))


def format_axis(axis: Axis, how: str, ticks: int = 5) -> None:
    """Sets a few round ticks, with labels in the format `how`."""
    axis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))

    def tick(value: float, _: int) -> str:
        places = axis.get_majorticklocs()
        return number_formats.short(how, float(places[1] - places[0]) if len(places) > 1 else None)(value)

    axis.set_major_formatter(FuncFormatter(tick))


def _inline(svg: str, title: str) -> str:
    """Matplotlib's SVG file as a page element, with unique ids and the page's fonts and colours."""
    svg = svg[svg.index("<svg") :].rstrip()
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", _round_coordinates, svg)
    svg = svg.replace("font-family: 'DejaVu Sans'; ", "").replace("xlink:href", "href")
    for colour, name in _THEME.items():
        svg = svg.replace(colour, f"var(--chart-{name}, {colour})")
    box = re.search(r'viewBox="[^"]*"', svg)[0]
    prefix = "c" + hashlib.sha256(svg.encode()).hexdigest()[:8]
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: f' id="{prefix}-{match[1]}"' if match[1] in used else "", svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", svg)
    head = (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label="{escape(title)}"'
        f' font-family="{_FONTS}" stroke-linejoin="round" stroke-linecap="butt">'
    )
    return re.sub(r">\s+<", "><", head + svg[svg.index(">") + 1 :])


def _round_coordinates(tag: re.Match[str]) -> str:
    """The tag with coordinates rounded to two decimals, because further digits depend on the processor."""
    return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), tag[0])
