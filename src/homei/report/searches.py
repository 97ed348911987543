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
MARKS = {"complete": ("o", "complete"), "pruned": ("x", "pruned")}


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
    interval = f"{text(LEVEL, 'percent0')} interval, Student's t over {found.folds} folds"
    if found.beyond_noise:
        return (
            f"The gain is beyond the folds' noise: {low} to {high} points ({interval}). It flatters all the same, "
            "since the best was chosen on these very folds; the hold-out is the judge."
        )
    return (
        f"The gain is within the folds' noise: {low} to {high} points ({interval}), which flatters even so, since the "
        "best was chosen on these very folds. The best and the model's own parameters are near-equals."
    )


def path(trials: pd.DataFrame, work: str = "learnt", title: str = "Best error so far by folds learnt") -> Html:
    """The best error so far over the column `work`, and each trial's own, pruned ones marked."""
    ended = progress(trials, work)
    top = float(max(ended["error"].quantile(WORST), ended["best"].dropna().iloc[0]))
    reach = max(top - float(ended["best"].min()), 1e-6)

    def draw(_: object, axes: Axes) -> None:
        known = ended.dropna(subset=["best"])
        axes.step(known[work], known["best"], where="post", color=ACCENT, linewidth=1.9, label="best so far")
        for state, (mark, label) in MARKS.items():
            those = ended[ended["state"] == state]
            heights = np.minimum(those["error"], top + 0.1 * reach)
            colour = SECOND if state == "pruned" else QUIET
            axes.scatter(those[work], heights, 22, color=colour, marker=mark, linewidth=1.2, label=label, zorder=3)
        axes.set_xlim(left=0)
        axes.set_ylim(top - 1.15 * reach, top + 0.15 * reach)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, handlelength=1.2, borderaxespad=0)
        format_axis(axes.yaxis, "percent2")

    caption = (
        "A trial's error stands where it ended, a pruned one's on the folds that it got to; worse ones lie on the edge."
    )
    return figure(picture(draw, title, "wide"), caption, wide=True)
