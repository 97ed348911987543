"""The result of `homei search`, as text for the terminal and as an HTML page."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from markupsafe import Markup

from homei.reporting.html_page import cards, page, table
from homei.reporting.number_formats import text
from homei.reporting.tuning_views import describe_gain, describe_significance, gain_paragraphs, points, progress_chart
from homei.storage import lake
from homei.training.parallel_search import CAVEAT, StudyResult, format_parameters

PAGE = Path("reports/search/search.html")
N_SHOWN = 10  # best trials in the table


def write(result: StudyResult) -> Path:
    """Writes PAGE and returns its path."""
    body = "".join([_headline(result), _charts(result), _parameters(result)])
    origin = Markup("Written by <code>homei search</code>; {}.").format(CAVEAT)
    subtitle = f"{result.city} · {result.model} · study {result.study}"
    write_page(page("Result of the parallel search", body, subtitle, origin=origin))
    return PAGE


def write_page(html: str) -> None:
    """Replaces PAGE atomically, because several processes of one study may write it at the same time."""
    temporary_path = PAGE.with_name(f".search-{os.getpid()}.html")
    lake.write_text(html, temporary_path)
    temporary_path.replace(PAGE)


def format_result(result: StudyResult, page_path: Path) -> str:
    """The result as text for the terminal."""
    gain, minutes = result.gain, result.minutes
    return "\n".join(
        [
            f"study {result.study} in {result.database}: {len(result.trials)} trials, {result.n_failed} failed",
            describe_gain(gain),
            f"That is {points(gain.gain / minutes, 4)} points a minute over {minutes:.1f} minutes.",
            describe_significance(gain),
            f"\nThis search is {CAVEAT}. "
            f"To make the result reproducible, put this into params/model/{result.model}.yaml:\n",
            format_parameters(result.parameters),
            f"The page: {page_path}",
        ]
    )


def _headline(result: StudyResult) -> str:
    remark = (
        f"This search ran outside the graph and is {CAVEAT}. To make its result reproducible, put the parameters "
        f"below into params/model/{result.model}.yaml. Minutes count the time in which any machine ran a trial."
    )
    gain, minutes = result.gain, result.minutes
    items = [
        (
            "Gain",
            f"{points(gain.gain)} points",
            f"{text(gain.configured, 'percent3')} to {text(gain.best, 'percent3')}",
        ),
        ("Gain per minute", f"{points(gain.gain / minutes, 4)} points", f"over {text(minutes, 'decimal1')} minutes"),
        ("Trials", text(gain.n_trials), f"{text(gain.n_pruned / gain.n_trials, 'percent0')} of them pruned"),
        ("Workers", text(result.trials["worker"].nunique()), f"{result.n_failed} trials failed"),
    ]
    headline = cards([{"label": label, "value": value, "note": note} for label, value, note in items])
    return f"<p>{escape(remark)}</p>{headline}{gain_paragraphs(gain)}"


def _charts(result: StudyResult) -> str:
    minutes = progress_chart(result.trials, "minutes", "Best error by minute", result.configured_trial)
    pruned = result.trials.assign(pruned=result.trials["state"] == "pruned").groupby("worker", as_index=False)
    workers = pruned.agg(trials=("number", "size"), pruned=("pruned", "sum"), folds=("folds", "sum"))
    return f"<h2>Error over time</h2>{minutes}<h2>Trials by worker</h2>{table(workers)}"


def _parameters(result: StudyResult) -> str:
    best = result.trials.dropna(subset=["value"]).nsmallest(N_SHOWN, ["value", "number"])
    best = best.drop(columns=["state", "folds", "learnt"])
    formats = {name: "percent3" for name in best if name == "value" or name.startswith("fold_")}
    return (
        f"<h2>Best parameters</h2><p>Put these into <code>params/model/{escape(result.model)}.yaml</code> and "
        f"run <code>homei compose</code>.</p><pre>{escape(format_parameters(result.parameters))}</pre>"
        f"<h2>Best trials</h2>{table(best, {**formats, 'minutes': 'decimal1'})}"
    )
