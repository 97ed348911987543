"""The result of an experiment, as text for the terminal, as an HTML page and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from homei.registry.experiment_result import ALIKE, BETTER, MISMATCHED, POWER, TOO_EARLY, VARIANTS, WORSE
from homei.registry.variant_assignment import CHALLENGER, CHAMPION, ExperimentDesign
from homei.reporting.charts import bars
from homei.reporting.html_page import cards, figures, page, table
from homei.reporting.number_formats import MINUS, text
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
METHOD = f"""
Each reported sale is compared with the valuation that it names, or with the last valuation of the property before
the sale. The difference is the challenger's median error minus the champion's. Its interval is a two-sample bootstrap
that resamples units (properties or clients) with all their sales. The number of sales needed follows from the spread of
the bootstrapped medians at a power of {text(POWER, "percent0")}. A chi-square test checks the split of the units.
"""
PLANNED_SIZE = """
The number of sales that decides is fixed before the experiment as experiment.sales in params/. Later sales do not
count. Repeated looks that stop at the first significant interval find differences that do not exist.
"""


def format_result(result: Mapping[str, Any]) -> str:
    """The result as text for the terminal."""
    design = ExperimentDesign.from_name(result["experiment"])
    lines = [
        f"Experiment {design.salt}, {result['since']} to {result['until']}: {text(design.share, 'percent')} of units "
        f"(each a {design.unit}) to the challenger",
        "",
        _variant_table(result).to_string(index=False),
        "",
        *_sentences(result),
        "",
        MESSAGES[result["verdict"]],
        f"The page: {PAGE}; the numbers: {NUMBERS}",
    ]
    return "\n".join(lines)


def write(result: Mapping[str, Any], title: str) -> None:
    """Writes PAGE and NUMBERS; `title` is the city's."""
    lake.write_json(result, NUMBERS)
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in _sentences(result))
    body = (
        f"{_headline(result)}{_charts(result)}"
        f"<h2>All numbers</h2>{table(_variant_table(result))}<ul>{sentences}</ul>"
        f"<h2>Method</h2><p>{escape(METHOD.strip())}</p><p>{escape(PLANNED_SIZE.strip())}</p>"
    )
    origin = Markup("Written by <code>homei abtest report</code>.")
    subtitle = f"{title} · {result['since']} to {result['until']}"
    lake.write_text(page("Champion and challenger", body, subtitle, origin=origin), PAGE)


def _headline(result: Mapping[str, Any]) -> str:
    design, ratio = ExperimentDesign.from_name(result["experiment"]), result["sample_ratio"]["units"]
    split = "too few units" if ratio["ok"] is None else f"p = {_p_value(ratio['p'])}"
    ignored = f", {text(result['beyond'])} later sales ignored" if result["beyond"] else ""
    verdict = {
        "label": "Verdict",
        "value": MESSAGES[result["verdict"]],
        "ok": CHIPS[result["verdict"]],
        "word": "Decided" if result["verdict"] in (BETTER, WORSE) else "Open",
    }
    items = [
        ("Difference in median error", _points(result["difference"]), _interval(result), None),
        ("Sales", text(result["sales"]), f"of {text(result['planned'])} planned{ignored}", None),
        ("Sales needed", text(result["needed"]), _missing_sales(result), None),
        ("Split of units as planned", split, f"{text(design.share, 'percent')} to the challenger, by {design.unit}",
         ratio["ok"]),
    ]  # fmt: skip
    return cards([verdict]) + cards(
        [{"label": title, "value": value, "note": note, "ok": ok} for title, value, note, ok in items]
    )


def _charts(result: Mapping[str, Any]) -> str:
    if result["interval"] is None:
        return ""
    variants, size = [result["variants"][name] for name in VARIANTS], (5.2, 1.9)
    errors, intervals = ([variant[name] for variant in variants] for name in ("mdape", "mdape_interval"))
    return figures(
        bars(VARIANTS, errors, "Median error", intervals, formats="percent2", size=size),
        bars(
            ["challenger minus champion"], [result["difference"]], "Difference in median error", [result["interval"]],
            reference=0.0, formats="change2", size=size,
        ),
    )  # fmt: skip


def _variant_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """One row for each variant, as texts."""
    design = ExperimentDesign.from_name(result["experiment"])
    variants = [result["variants"][name] for name in VARIANTS]
    return pd.DataFrame(
        {
            "Variant": VARIANTS,
            "Model": [{CHAMPION: design.champion, CHALLENGER: design.challenger}[name] for name in VARIANTS],
            "Units": [text(count) for count in result["sample_ratio"]["units"]["counts"]],
            "Sales": [text(variant["n"]) for variant in variants],
            "Median error": [text(variant["mdape"], "percent2") for variant in variants],
            "Within 10\u202f%": [text(variant["ppe10"], "percent") for variant in variants],
            "Inside the interval": [text(variant["coverage"], "percent") for variant in variants],
        }
    )


def _sentences(result: Mapping[str, Any]) -> list[str]:
    """One sentence for each number."""
    sentences = []
    if result["difference"] is not None:
        difference = _points(result["difference"])
        sentences.append(f"Challenger's median error minus the champion's: {difference} ({_interval(result)}).")
    ignored = f"; {text(result['beyond'])} later sales are not counted" if result["beyond"] else ""
    sentences.append(f"{text(result['sales'])} of {text(result['planned'])} planned sales were reported{ignored}.")
    if result["needed"] is not None:
        relevant, detectable = (_points(result[name], is_signed=False) for name in ("worth_seeing", "detectable"))
        sentences.append(
            f"Detecting a difference of {relevant} needs {text(result['needed'])} sales ({_missing_sales(result)}). "
            f"The planned sales detect a difference of {detectable} with a power of {text(POWER, 'percent0')}."
        )
    titles = {"units": "Units that received valuations", "sold": "Units that sold"}
    for name, ratio in result["sample_ratio"].items():
        champion, challenger = (text(count) for count in ratio["counts"])
        if ratio["ok"] is None:
            split = "too few for a test of the split"
        else:
            split = (
                f"split {'as planned' if ratio['ok'] else 'NOT as planned'} (chi-square, p = {_p_value(ratio['p'])})"
            )
        sentences.append(f"{titles[name]}: {champion} and {challenger}, {split}.")
    return sentences


def _missing_sales(result: Mapping[str, Any]) -> str:
    if result["needed"] is None:
        return "after more sales are reported"
    missing = result["needed"] - result["sales"] - result["beyond"]
    return f"{text(missing)} more" if missing > 0 else "reached"


def _interval(result: Mapping[str, Any]) -> str:
    if result["interval"] is None:
        return "after more sales are reported"
    low, high = (_points(end) for end in result["interval"])
    return f"{text(result['confidence'], 'percent0')} interval {low} to {high}"


def _points(value: float | None, is_signed: bool = True) -> str:
    if value is None:
        return text(None)
    number = f"{value * 100:+.2f}" if is_signed else f"{value * 100:.2f}"
    return f"{number.replace('-', MINUS)} points"


def _p_value(value: float) -> str:
    return "less than 0.0001" if value < 1e-4 else f"{value:.4f}"
