"""An experiment's result, as `homei abtest report` prints it, as a page of its own and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from homei import lake
from homei.assignment import CHALLENGER, CHAMPION, Design
from homei.model.abtest import ALIKE, BETTER, MISMATCHED, POWER, TOO_EARLY, VARIANTS, WORSE
from homei.report.charts import bars
from homei.report.formats import MINUS, text
from homei.report.page import Html, cards, figures, page, table

FOLDER = Path("reports/abtest")
PAGE, NUMBERS = FOLDER / "report.html", FOLDER / "report.json"

WORDS = {
    BETTER: "Promote: the challenger errs less, beyond noise.",
    WORSE: "Keep the champion: the challenger errs more, beyond noise.",
    ALIKE: "No difference can be told: what there is may be noise.",
    TOO_EARLY: "Too early to decide.",
    MISMATCHED: "Don't decide: units are not shared as the experiment says, so something besides the models differs.",
}
CHIPS = {BETTER: True, WORSE: False, ALIKE: "watch", TOO_EARLY: "watch", MISMATCHED: False}
METHOD = f"""
Each sale that was told is laid beside the valuation it names, or else the last one of that home before the sale. The
difference is the challenger's median error less the champion's, since no sale was valued by both; its interval is the
middle of that difference over resamples in which units (homes, or clients) are drawn with all of their sales. What is
needed comes from the spread of these medians, for a chance of {text(POWER, "percent0")} to see such a difference. Units
should be shared as the experiment says: a chi-square test tells where they are not.
"""
PEEKING = """
When to decide is fixed before an experiment begins, as experiment.sales in params/: the first so many sales count,
later ones don't. Who looks at the interval again and again, and stops once it is clear of zero, finds differences where
there are none.
"""


def told(found: Mapping[str, Any]) -> str:
    """A result as it is printed."""
    design = Design.named(found["experiment"])
    lines = [
        f"Experiment {design.salt}, {found['since']} to {found['until']}: {text(design.share, 'percent')} of units "
        f"(each a {design.unit}) to the challenger",
        "",
        _row("", ("model", "units", "sales", "median error", "within 10 %", "in interval")),
        *(_row(name, _figures(found, name)) for name in VARIANTS),
        "",
        *_notes(found),
        "",
        WORDS[found["verdict"]],
        f"The page: {PAGE}; the numbers: {NUMBERS}",
    ]
    return "\n".join(lines)


def write(found: Mapping[str, Any], title: str) -> None:
    """Writes PAGE, which asks nothing of the outside world, and NUMBERS."""
    lake.write_json(found, NUMBERS)
    body = "".join([_opening(found), _pictures(found), _both(found), _method()])
    origin = Markup("Written by <code>homei abtest report</code>.")
    subtitle = f"{title} · {found['since']} to {found['until']}"
    lake.write_text(page("Champion and challenger", body, subtitle, origin=origin), PAGE)


def _opening(found: Mapping[str, Any]) -> str:
    design, ratio = Design.named(found["experiment"]), found["sample_ratio"]["units"]
    shared = "too few units" if ratio["ok"] is None else f"p = {_p(ratio['p'])}"
    more = f", {text(found['beyond'])} came later" if found["beyond"] else ""
    items: list[dict[str, Any]] = [
        {"label": "Difference in median error", "value": _points(found["difference"]), "note": _interval(found)},
        {"label": "Sales told", "value": text(found["sales"]), "note": f"of {text(found['planned'])} planned{more}"},
        {"label": "Needed to see what is worth seeing", "value": text(found["needed"]), "note": _needed(found)},
        {"label": "Units shared as planned", "value": shared, "ok": ratio["ok"],
         "note": f"{text(design.share, 'percent')} to the challenger, by {design.unit}"},
    ]  # fmt: skip
    verdict = cards([{"label": "Verdict", "value": WORDS[found["verdict"]], "ok": CHIPS[found["verdict"]],
                      "word": "Decided" if found["verdict"] in (BETTER, WORSE) else "Open"}])  # fmt: skip
    return f"{verdict}{cards(items)}"


def _pictures(found: Mapping[str, Any]) -> Html | str:
    if found["interval"] is None:
        return ""
    own = [found["variants"][name] for name in VARIANTS]
    errors = bars(
        VARIANTS,
        [figures["mdape"] for figures in own],
        "Median error",
        intervals=[figures["mdape_interval"] for figures in own],
        formats="percent2",
        size=(5.2, 1.9),
    )
    difference = bars(
        ["challenger less champion"],
        [found["difference"]],
        "Difference in median error",
        intervals=[found["interval"]],
        reference=0.0,
        formats="change2",
        size=(5.2, 1.9),
    )
    return figures(errors, difference)


def _both(found: Mapping[str, Any]) -> str:
    headings = ("Model", "Units", "Sales", "Median error", "Within 10\u202f%", "Price inside the interval")
    rows = [{"Variant": name, **dict(zip(headings, _figures(found, name), strict=True))} for name in VARIANTS]
    notes = "".join(f"<li>{escape(note)}</li>" for note in _notes(found))
    return f"<h2>Both, number by number</h2>{table(pd.DataFrame(rows))}<ul>{notes}</ul>"


def _method() -> str:
    return f"<h2>How it was measured</h2><p>{escape(METHOD.strip())}</p><p>{escape(PEEKING.strip())}</p>"


def _notes(found: Mapping[str, Any]) -> list[str]:
    """What the numbers mean, a sentence each."""
    notes = []
    if found["difference"] is not None:
        notes.append(f"The challenger's median error is {_points(found['difference'])} from the champion's "
                     f"({_interval(found)}).")  # fmt: skip
    later = f"; {text(found['beyond'])} that came later don't count" if found["beyond"] else ""
    notes.append(f"{text(found['sales'])} of {text(found['planned'])} planned sales were told{later}.")
    if found["needed"] is not None:
        seen, shown = (_points(found[name], False) for name in ("worth_seeing", "detectable"))
        notes.append(
            f"To see a difference of {seen} takes {text(found['needed'])} sales in all ({_needed(found)}); "
            f"the planned ones show one of {shown}, with a chance of {text(POWER, 'percent0')}."
        )
    for what, ratio in found["sample_ratio"].items():
        name = {"units": "Units that were answered", "sold": "Units that sold"}[what]
        ours, theirs = (text(count) for count in ratio["counts"])
        if ratio["ok"] is None:
            notes.append(f"{name}: {ours} and {theirs}, too few to say whether they are shared as planned.")
        else:
            so = "as planned" if ratio["ok"] else "NOT as planned"
            notes.append(f"{name}: {ours} and {theirs}, shared {so} (chi-square, p = {_p(ratio['p'])}).")
    return notes


def _figures(found: Mapping[str, Any], name: str) -> tuple[str, ...]:
    design, own = Design.named(found["experiment"]), found["variants"][name]
    place = VARIANTS.index(name)
    return (
        {CHAMPION: design.champion, CHALLENGER: design.challenger}[name],
        text(found["sample_ratio"]["units"]["counts"][place]),
        text(own["n"]),
        text(own["mdape"], "percent2"),
        text(own["ppe10"], "percent"),
        text(own["coverage"], "percent"),
    )


def _needed(found: Mapping[str, Any]) -> str:
    if found["needed"] is None:
        return "once more sales are told"
    missing = found["needed"] - found["sales"] - found["beyond"]
    return f"{text(missing)} more" if missing > 0 else "that many are there"


def _interval(found: Mapping[str, Any]) -> str:
    if found["interval"] is None:
        return "once more sales are told"
    low, high = (_points(end) for end in found["interval"])
    return f"{text(found['confidence'], 'percent0')} interval {low} to {high}"


def _points(value: float | None, signed: bool = True) -> str:
    if value is None:
        return text(None)
    number = f"{value * 100:+.2f}" if signed else f"{value * 100:.2f}"
    return f"{number.replace('-', MINUS)} points"


def _p(value: float) -> str:
    return "less than 0.0001" if value < 1e-4 else f"{value:.4f}"


def _row(name: str, cells: tuple[str, ...]) -> str:
    return f"{name:<11}" + "".join(f"{cell:>14}" for cell in cells)
