"""The gain of parameter tuning, as sentences and as a chart."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from homei.reporting.chart_canvas import ACCENT, QUIET, SECOND, format_axis, picture
from homei.reporting.html_page import Html, figure
from homei.reporting.number_formats import points, text
from homei.training.tuning_gain import LEVEL, TuningGain, search_progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLIP_QUANTILE = 0.8  # of the errors: larger errors are drawn at the chart's upper edge
MARKS = {"complete": ("o", QUIET), "pruned": ("x", SECOND)}
CAPTION = (
    "Each mark is a trial at the time it ended. A pruned trial is drawn at its gain or loss against the configured "
    "parameters on the folds that it completed. The largest errors are drawn at the upper edge."
)


def gain_paragraphs(gain: TuningGain) -> Html:
    """The gain of the tuning and its significance, in two paragraphs."""
    return Html(f"<p>{escape(describe_gain(gain))}</p><p>{escape(describe_significance(gain))}</p>")


def describe_gain(gain: TuningGain) -> str:
    """Sentences on the gain over the configured parameters and the number of folds fitted for it."""
    n_folds = gain.folds_trained + gain.folds_saved
    return (
        f"The configured parameters have an error of {text(gain.configured, 'percent3')} on the folds. The best trial, "
        f"number {gain.best_trial} of {gain.n_trials}, has {text(gain.best, 'percent3')}: a gain of "
        f"{points(gain.gain, 3)} points, found after {gain.folds_until_best} of {gain.folds_trained} fitted folds. "
        f"{gain.n_pruned} trial{'s were' if gain.n_pruned != 1 else ' was'} pruned, which saved {gain.folds_saved} of "
        f"{n_folds} folds ({text(gain.folds_saved / n_folds, 'percent0')}). The gain is "
        f"{points(100 * gain.gain / gain.folds_trained, 3)} points per 100 fitted folds."
    )


def describe_significance(gain: TuningGain) -> str:
    """Sentences on whether the gain exceeds the noise of the months, and so which parameters are used."""
    if gain.gain <= 0:
        return "No trial beat the configured parameters."
    if gain.interval is None:
        return "One month cannot distinguish a gain from noise. The configured parameters are to be kept."
    mean, low, high = (points(part, 3) for part in (gain.month_gain, *gain.interval))
    interval = (
        f"{mean} points a month on average, {low} to {high} ({text(LEVEL, 'percent0')} interval, Student's t over "
        f"{gain.n_months} months, corrected for {gain.n_trials - 1} trials)"
    )
    if gain.is_significant:
        return f"The gain exceeds the noise of the months: {interval}. The best trial's parameters are to be used."
    return f"The gain is within the noise of the months: {interval}. The configured parameters are to be kept."


def progress_chart(
    trials: pd.DataFrame, x: str = "folds_so_far", title: str = "Best error by fitted folds", configured_trial: int = 0
) -> Html:
    """Chart of the best error over the column `x`, with a mark for each trial.

    `configured_trial` is the number of the trial with the configured parameters.
    """
    ended = search_progress(trials, x, configured_trial)
    level = float(ended.loc[ended["number"] == configured_trial, "error"].iloc[0])
    top = float(max(ended["error"].quantile(CLIP_QUANTILE), level))
    height = max(top - float(ended["error"].min()), 1e-6)

    def draw(_: object, axes: Axes) -> None:
        axes.axhline(level, color=QUIET, linewidth=1, dashes=(4, 3), label="configured parameters")
        improved = ended.dropna(subset=["best"])
        axes.step(improved[x], improved["best"], where="post", color=ACCENT, linewidth=1.9, label="best so far")
        for state, (mark, colour) in MARKS.items():
            marked = ended[ended["state"] == state]
            errors = np.minimum(marked["error"], top + 0.1 * height)
            axes.scatter(marked[x], errors, 22, color=colour, marker=mark, linewidth=1.2, label=state, zorder=3)
        axes.set_xlim(left=0)
        axes.set_ylim(top - 1.15 * height, top + 0.15 * height)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4)
        format_axis(axes.yaxis, "percent2")

    return figure(picture(draw, title, "wide"), CAPTION, wide=True)
