"""What a search for parameters earned, in sentences and in a picture over the work done."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from homei.model.earned import LEVEL, Earned, progress
from homei.report.drawing import ACCENT, QUIET, SECOND, format_axis, picture
from homei.report.formats import text
from homei.report.page import Html, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORST = 0.8  # of the trials: worse ones lie on the picture's upper edge
MARKS = {"complete": ("o", QUIET), "pruned": ("x", SECOND)}
CAPTION = (
    "A trial stands where it ended; a pruned one at what it won or lost against the model's own parameters on the "
    "folds that it learnt. The worst lie on the upper edge."
)


def points(error: float, digits: int = 3) -> str:
    """A difference of errors in percentage points: 0.018."""
    return text(100 * error, f"decimal{digits}")


def earned(found: Earned) -> Html:
    """What the search earned and whether that is more than noise, in two paragraphs."""
    return Html("".join(f"<p>{escape(sentences)}</p>" for sentences in (work(found), verdict(found))))


def work(found: Earned) -> str:
    """The gain over the model's own parameters, and the folds learnt for it."""
    whole = found.learnt + found.saved
    return (
        f"The model's own parameters err by {text(found.own, 'percent3')} on the folds; the best trial, number "
        f"{found.number} of {found.trials}, by {text(found.best, 'percent3')}: {points(found.gain)} points less, found "
        f"after {found.found} of {found.learnt} folds learnt. Of the trials {found.pruned} were pruned, which left "
        f"{found.saved} of {whole} folds ({text(found.saved / whole, 'percent0')}) unlearnt. The gain is "
        f"{points(100 * found.gain / found.learnt)} points per 100 folds learnt."
    )


def verdict(found: Earned) -> str:
    """Whether the gain is beyond the folds' noise."""
    if found.gain <= 0:
        return "No trial beat the model's own parameters."
    if found.interval is None:
        return "One fold can't tell a gain from noise: nothing says that the best is better than the model's own."
    low, high = (points(edge) for edge in found.interval)
    interval = (
        f"{low} to {high} points ({text(LEVEL, 'percent0')} interval, Student's t over {found.folds} folds, for the "
        f"best of {found.trials - 1} at once)"
    )
    if found.beyond_noise:
        return f"The gain is beyond the folds' noise: {interval}."
    return (
        f"The gain is within the folds' noise: {interval}. The best and the model's own parameters are near-equals; "
        "which of them values later months better is open."
    )


def path(
    trials: pd.DataFrame, work: str = "learnt", title: str = "Best error so far by folds learnt", own: int = 0
) -> Html:
    """The best error so far over the column `work`, and each trial's own, pruned ones marked."""
    ended = progress(trials, work, own)
    level = float(ended.loc[ended["number"] == own, "error"].iloc[0])
    top = float(max(ended["error"].quantile(WORST), level))
    reach = max(top - float(ended["error"].min()), 1e-6)

    def draw(_: object, axes: Axes) -> None:
        axes.axhline(level, color=QUIET, linewidth=1, dashes=(4, 3), label="the model's own parameters")
        known = ended.dropna(subset=["best"])
        axes.step(known[work], known["best"], where="post", color=ACCENT, linewidth=1.9, label="best so far")
        for state, (mark, colour) in MARKS.items():
            those = ended[ended["state"] == state]
            heights = np.minimum(those["error"], top + 0.1 * reach)
            axes.scatter(those[work], heights, 22, color=colour, marker=mark, linewidth=1.2, label=state, zorder=3)
        axes.set_xlim(left=0)
        axes.set_ylim(top - 1.15 * reach, top + 0.15 * reach)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, handlelength=1.6, borderaxespad=0)
        format_axis(axes.yaxis, "percent2")

    return figure(picture(draw, title, "wide"), CAPTION, wide=True)
