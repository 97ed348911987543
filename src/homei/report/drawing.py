"""A canvas for charts: matplotlib figures as inline SVG whose bytes never change and whose colours follow the page."""

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

from homei.report import formats
from homei.report.page import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# The page's CSS variables; the colours here serve where there is none (a notebook), and read on white and on black.
TEXT, INK, GRID = "#6a7480", "#6a7481", "#c9ced5"
ACCENT, SECOND, QUIET = "#3f7fb5", "#c57f3b", "#98a1ae"
SERIES = (ACCENT, SECOND, QUIET, INK)
_THEME = {TEXT: "text", INK: "ink", GRID: "grid", ACCENT: "accent", SECOND: "second", QUIET: "quiet"}
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
# Blue to orange through grey, and pale to deep blue: told apart on both backgrounds, also by the colour-blind.
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
    "lines.solid_capstyle": "round", "figure.constrained_layout.use": True, "path.simplify_threshold": 0.2,
}  # fmt: skip


class Picture(str):
    """An SVG chart as text, which a notebook shows as a figure."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return figure(self)


def picture(draw: Callable[[Figure, Axes], None], title: str, size: Size = "half") -> Picture:
    """What `draw` puts onto a fresh figure, as SVG of the same bytes each time."""
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
    """Few round ticks, written as in a board paper."""
    axis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))

    def tick(value: float, _: int) -> str:
        places = axis.get_majorticklocs()
        return formats.short(how, float(places[1] - places[0]) if len(places) > 1 else None)(value)

    axis.set_major_formatter(FuncFormatter(tick))


def note(axes: Axes, text: str, x: float = 0.0, y: float = 1.0) -> None:
    """A small remark inside the axes, at fractions of its width and height."""
    axes.text(x, y, text, transform=axes.transAxes, ha="right" if x > 0.5 else "left", va="top", fontsize=9)


def _inline(svg: str, title: str) -> str:
    """Matplotlib's file as an element of a page: no preamble, no clashing ids, the page's fonts and colours."""
    svg = svg[svg.index("<svg") :].rstrip()
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", _shorter, svg)
    svg = svg.replace("font-family: 'DejaVu Sans'; ", "").replace("xlink:href", "href")
    for colour, name in _THEME.items():
        svg = svg.replace(colour, f"var(--chart-{name}, {colour})")
    box = re.search(r'viewBox="[^"]*"', svg)[0]
    mark = hashlib.sha256(svg.encode()).hexdigest()[:8]
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: f' id="c{mark}-{match[1]}"' if match[1] in used else "", svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#c{mark}-", svg)
    head = (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label="{escape(title)}"'
        f' font-family="{_FONTS}"'
        ' stroke-linejoin="round" stroke-linecap="butt">'
    )
    return re.sub(r">\s+<", "><", head + svg[svg.index(">") + 1 :])


def _shorter(tag: re.Match[str]) -> str:
    """A tag whose coordinates have two decimals: nobody sees more, and other processors differ beyond."""
    return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), tag[0])
