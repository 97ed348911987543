"""The result of `homei search`, as text for the terminal and as an HTML page."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from homei.reporting.html_page import Card, Html, cards, page, render, table
from homei.reporting.number_formats import points, text
from homei.reporting.tuning_views import describe_gain, describe_significance, gain_paragraphs, progress_chart
from homei.storage import lake
from homei.training.parallel_search import CAVEAT, StudyResult, format_parameters
from homei.training.tuning_gain import month_columns

PAGE = Path("reports/search/search.html")
N_SHOWN = 10  # best trials in the table


def write(result: StudyResult) -> Path:
    """Writes PAGE and returns its path; each process of a study may write it at any time."""
    pruned = result.trials.assign(pruned=result.trials["state"] == "pruned").groupby("worker", as_index=False)
    body = render(
        "parallel_search.html.j2",
        caveat=CAVEAT,
        model=result.model,
        headline=_headline(result),
        gain=gain_paragraphs(result.gain),
        progress=progress_chart(result.trials, "minutes", "Best error by minute", result.configured_trial),
        workers=table(pruned.agg(trials=("number", "size"), pruned=("pruned", "sum"), folds=("folds", "sum"))),
        parameters=format_parameters(result.parameters),
        best=_best_trials(result),
    )
    origin = Markup("Written by <code>homei search</code>; {}.").format(CAVEAT)
    subtitle = f"{result.city} · {result.model} · study {result.study}"
    lake.write_text(page("Result of the parallel search", body, subtitle, origin=origin), PAGE)
    return PAGE


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
            f"To use the best trial's parameters in the graph, put this into params/model/{result.model}.yaml:\n",
            format_parameters(result.parameters),
            f"The page: {page_path}",
        ]
    )


def _headline(result: StudyResult) -> Html:
    gain, minutes = result.gain, result.minutes
    errors = f"{text(gain.configured, 'percent3')} to {text(gain.best, 'percent3')}"
    pruned = f"{text(gain.n_pruned / gain.n_trials, 'percent0')} of them pruned"
    n_workers = result.trials["worker"].nunique()
    return cards(
        Card("Gain", f"{points(gain.gain, 3)} points", errors),
        Card(
            "Gain per minute", f"{points(gain.gain / minutes, 4)} points", f"over {text(minutes, 'decimal1')} minutes"
        ),
        Card("Trials", text(gain.n_trials), pruned),
        Card("Workers", text(n_workers), f"{result.n_failed} trials failed"),
    )


def _best_trials(result: StudyResult) -> Html:
    best = result.trials.dropna(subset=["value"]).nsmallest(N_SHOWN, ["value", "number"])
    best = best.drop(columns=["state", "folds", "folds_so_far", *month_columns(best)])
    formats = {name: "percent3" for name in best if name == "value" or name.startswith("fold_")}
    return table(best, {**formats, "minutes": "decimal1"})
