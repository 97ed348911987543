"""The result of an experiment, as text for the terminal, as an HTML page and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from homei.registry.experiment_result import ALIKE, BETTER, MISMATCHED, POWER, TOO_EARLY, VARIANTS, WORSE
from homei.registry.variant_assignment import ExperimentDesign
from homei.reporting.charts import bars
from homei.reporting.html_page import Card, Html, cards, figures, page, render, table
from homei.reporting.number_formats import MISSING, p_value, points, text
from homei.storage import lake

FOLDER = Path("reports/abtest")
PAGE, NUMBERS = FOLDER / "report.html", FOLDER / "report.json"

MESSAGES = {
    BETTER: "Promote: the challenger's error is significantly lower.",
    WORSE: "Keep the champion: the challenger's error is significantly higher.",
    ALIKE: "No significant difference.",
    TOO_EARLY: "Too early to decide.",
    MISMATCHED: "Do not decide: sample-ratio mismatch. The units are not split as configured.",
}
CHIPS = {BETTER: True, WORSE: False, ALIKE: "watch", TOO_EARLY: "watch", MISMATCHED: False}
UNKNOWN = "after more sales are reported"


def format_result(result: Mapping[str, Any]) -> str:
    """The result as text for the terminal."""
    design = ExperimentDesign.from_name(result["experiment"])
    return (
        f"Experiment {design.salt}, {result['since']} to {result['until']}: {text(design.share, 'percent')} of units "
        f"(each a {design.unit}) to the challenger\n\n"
        f"{_variant_table(result).to_string(index=False)}\n\n"
        + "\n".join(_sentences(result))
        + f"\n\n{MESSAGES[result['verdict']]}\nThe page: {PAGE}; the numbers: {NUMBERS}"
    )


def write(result: Mapping[str, Any], title: str) -> None:
    """Writes PAGE and NUMBERS; `title` is the city's."""
    lake.write_json(result, NUMBERS)
    body = render(
        "experiment.html.j2",
        verdict=cards(_verdict_card(result)),
        headline=cards(*_headline(result)),
        charts=_charts(result),
        variants=table(_variant_table(result)),
        sentences=_sentences(result),
        power=text(POWER, "percent0"),
    )
    origin = Markup("Written by <code>homei abtest report</code>.")
    subtitle = f"{title} · {result['since']} to {result['until']}"
    lake.write_text(page("Champion and challenger", body, subtitle, origin=origin), PAGE)


def _verdict_card(result: Mapping[str, Any]) -> Card:
    verdict = result["verdict"]
    word = "Decided" if verdict in (BETTER, WORSE) else "Open"
    return Card("Verdict", MESSAGES[verdict], ok=CHIPS[verdict], word=word)


def _headline(result: Mapping[str, Any]) -> list[Card]:
    design, ratio = ExperimentDesign.from_name(result["experiment"]), result["sample_ratio"]["units"]
    split = "too few units" if ratio["ok"] is None else f"p = {p_value(ratio['p'])}"
    share = f"{text(design.share, 'percent')} to the challenger, by {design.unit}"
    ignored = f", {text(result['ignored_sales'])} later sales ignored" if result["ignored_sales"] else ""
    return [
        Card("Difference in median error", _points(result["difference"]), _interval(result)),
        Card("Sales", text(result["sales"]), f"of {text(result['planned'])} planned{ignored}"),
        Card("Sales needed", text(result["needed_sales"]), _missing_sales(result)),
        Card("Split of units as planned", split, share, ratio["ok"]),
    ]


def _charts(result: Mapping[str, Any]) -> Html:
    if result["interval"] is None:
        return Html("")
    variants, size = [result["variants"][name] for name in VARIANTS], (5.2, 1.9)
    errors, intervals = ([variant[name] for variant in variants] for name in ("mdape", "mdape_interval"))
    difference, interval, labels = [result["difference"]], [result["interval"]], ["challenger minus champion"]
    return figures(
        bars(VARIANTS, errors, "Median error", intervals, formats="percent2", size=size),
        bars(labels, difference, "Difference in median error", interval, 0.0, "change2", size=size),
    )


def _variant_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """One row for each variant, as texts."""
    design = ExperimentDesign.from_name(result["experiment"])
    variants = [result["variants"][name] for name in VARIANTS]
    return pd.DataFrame(
        {
            "Variant": VARIANTS,
            "Model": [design.champion, design.challenger],
            "Units": [text(count) for count in result["sample_ratio"]["units"]["counts"]],
            "Sales": [text(variant["n"]) for variant in variants],
            "Median error": [text(variant["mdape"], "percent2") for variant in variants],
            "Within 10\u202f%": [text(variant["ppe10"], "percent") for variant in variants],
            "Inside the interval": [text(variant["coverage"], "percent") for variant in variants],
        }
    )


def _sentences(result: Mapping[str, Any]) -> list[str]:
    """One sentence for each number."""
    ignored = f"; {text(result['ignored_sales'])} later sales are not counted" if result["ignored_sales"] else ""
    sentences = [f"{text(result['sales'])} of {text(result['planned'])} planned sales were reported{ignored}."]
    if result["difference"] is not None:
        difference = f"{_points(result['difference'])} ({_interval(result)})"
        sentences.insert(0, f"Challenger's median error minus the champion's: {difference}.")
        relevant, detectable = (points(result[name], 2) for name in ("relevant_difference", "detectable"))
        sentences.append(
            f"Detecting a difference of {relevant} points needs {text(result['needed_sales'])} sales "
            f"({_missing_sales(result)}). The planned sales detect a difference of {detectable} points with a power of "
            f"{text(POWER, 'percent0')}."
        )
    titles = {"units": "Units that received valuations", "sold": "Units that sold"}
    for name, ratio in result["sample_ratio"].items():
        test = f"split {'as planned' if ratio['ok'] else 'NOT as planned'} (chi-square, p = {p_value(ratio['p'])})"
        champion, challenger = map(text, ratio["counts"])
        split = "too few for a test of the split" if ratio["ok"] is None else test
        sentences.append(f"{titles[name]}: {champion} and {challenger}, {split}.")
    return sentences


def _missing_sales(result: Mapping[str, Any]) -> str:
    if result["needed_sales"] is None:
        return UNKNOWN
    n_missing = result["needed_sales"] - result["sales"] - result["ignored_sales"]
    return f"{text(n_missing)} more" if n_missing > 0 else "reached"


def _interval(result: Mapping[str, Any]) -> str:
    if result["interval"] is None:
        return UNKNOWN
    low, high = map(_points, result["interval"])
    return f"{text(result['confidence'], 'percent0')} interval {low} to {high}"


def _points(difference: float | None) -> str:
    return MISSING if difference is None else f"{'+' if difference > 0 else ''}{points(difference, 2)} points"
