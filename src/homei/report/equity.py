"""Equity and fairness as a reader sees them: the study raw and trimmed, slice by slice, like homes, declared groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from homei.report import charts, studies
from homei.report.findings import span
from homei.report.formats import MISSING, text
from homei.report.page import Html, figures, table

MEASURES = {**studies.MEASURES, "mki": ("MKI", "ratio"), "vei": ("VEI", "percent2")}
LIKENESSES = {"same_property": "The same property, sold twice", "lookalikes": "Look-alikes"}
KINDS = {"location": "By location", "property_type": "By type", "price_decile": "By tenth of worth", "age": "By age"}
# What is told of a slice, and how it is written.
AMONG = {
    "n": "number", "mdape": "percent", "median_ratio": "ratio", "cod": "percent", "prd": "ratio", "prb": "ratio",
    "mki": "ratio", "vei": "percent",
}  # fmt: skip
INTERVAL = "95\u202f% interval"


def study_pair(study: Mapping[str, Any]) -> Html:
    """Every measure with its interval, of all sales and of those that are no outliers."""
    rows = []
    for name, (title, how) in list(MEASURES.items())[1:]:
        row = {"Measure": title}
        for part in ("raw", "trimmed"):
            found = study[part][name]
            row[part], row[f"{part}_interval"] = text(found["value"], how), span(found["low"], found["high"], how)
        rows.append(row)
    headings = {
        "raw": f"All {text(study['raw']['n'])} sales",
        "trimmed": f"Without {text(study['outliers'])} beyond {study['reach']:g} interquartile ranges",
        "raw_interval": INTERVAL,
        "trimmed_interval": INTERVAL,
    }
    return table(pd.DataFrame(rows), headings=headings)


def horizontal_table(horizontal: Mapping[str, Mapping[str, Any]]) -> Html:
    """How far ratios of like homes lie apart, beside the same sales taken together."""
    rows = [
        {
            "Alike": LIKENESSES[name],
            "Groups": found["groups"],
            "Sales": found["n"],
            "Spread among them": text(found["spread"], "percent2"),
            INTERVAL: span(found["low"], found["high"], "percent2"),
            "COD of the same sales": text(found["cod"], "percent2"),
        }
        for name, found in horizontal.items()
    ]
    return table(pd.DataFrame(rows))


def slice_tables(slices: pd.DataFrame) -> Html:
    """The study of each slice, a table for each way to slice; of locations, the least accurate come first."""
    parts = []
    for kind, title in KINDS.items():
        of_kind = slices[slices["slice"] == kind]
        if kind == "location":
            of_kind = of_kind.sort_values(["mdape", "value"], ascending=[False, True])
        if len(of_kind):
            parts.append(f"<h3>{title}</h3>{_slice_table(of_kind)}")
    return Html("".join(parts))


def fairness_pictures(groups: pd.DataFrame) -> Html:
    """Median ratio and median error of each value shown of each declared group, with their intervals."""
    shown = groups[~groups["suppressed"]]
    pictures = []
    for name, part in shown.groupby("group", sort=False):
        for measure, title, reference in (("median_ratio", "Median ratio", 1.0), ("mdape", "Median error", None)):
            around = list(zip(part[f"{measure}_low"], part[f"{measure}_high"], strict=True))
            heading = f"{title} by {_words(name)}"
            pictures.append(charts.bars(part["value"], part[measure], heading, around, reference, AMONG[measure]))
    return figures(*pictures)


def fairness_tables(groups: pd.DataFrame) -> Html:
    """The study of each value of each declared group; a suppressed one is named and counted, with dashes."""
    parts = groups.groupby("group", sort=False)
    return Html("".join(f"<h3>{escape(_words(name).capitalize())}</h3>{_slice_table(part)}" for name, part in parts))


def difference_table(groups: Sequence[Mapping[str, Any]]) -> Html:
    """For each declared group how far apart its values are, in level and in error, and what that amounts to."""
    rows = []
    for group in groups:
        for name, measure in (("level", "median ratio"), ("error", "median error")):
            found = group[name]
            rows.append(
                {
                    "Group": _words(group["name"]),
                    "Compared": measure,
                    "Largest gap": text(found["gap"], "percent2"),
                    INTERVAL: span(found["low"], found["high"], "percent2"),
                    "Tolerated": text(found["tolerance"], "percent0"),
                    "p (Holm)": _chance(found["p_holm"]),
                    "verdict": found["ok"],
                    "What it says": _meaning(found, measure),
                }
            )
    if not rows:
        return Html("")
    frame = pd.DataFrame(rows).astype({"verdict": object})
    return table(frame, {"verdict": "verdict"}, {"p (Holm)": "p (Holm)"})


def looked_at(groups: Sequence[Mapping[str, Any]], smallest: int) -> Html:
    """What fairness was looked at by, what was held back, and that nothing else was looked at."""
    if groups:
        items = "".join(f"<li>{escape(_told(group, smallest))}</li>" for group in groups)
        seen = f"<p><strong>Looked at:</strong></p><ul>{items}</ul>"
    else:
        seen = "<p><strong>Looked at:</strong> nothing, as the source declares no group.</p>"
    return Html(
        f"{seen}<p><strong>Not looked at:</strong> everything else. No other data is declared about anybody's "
        "income, origin, ethnicity, religion, sex, age, health or household, so nothing more was examined or inferred: "
        "this page can't say whether valuations treat such groups alike. What is declared of an area tells nothing of "
        "a single household in it, and two attributes together (a band within a type, say) were not looked at.</p>"
    )


def _slice_table(slices: pd.DataFrame) -> Html:
    shown, headings = pd.DataFrame({"value": slices["value"]}), {"value": "Slice"}
    for name, how in AMONG.items():
        if slices[name].isna().all():
            continue
        shown[name], headings[name] = slices[name], MEASURES[name][0]
        if f"{name}_low" in slices:
            ends, around = zip(slices[f"{name}_low"], slices[f"{name}_high"], strict=True), f"{name}_interval"
            shown[around], headings[around] = [_around(*pair, how) for pair in ends], "95\u202f%"
    return table(shown, AMONG, headings)


def _around(low: float, high: float, how: str) -> str:
    """An interval in little room: the unit is that of the value beside it."""
    return MISSING if pd.isna(low) else "–".join(text(end, how).removesuffix("\u202f%") for end in (low, high))


def _meaning(found: Mapping[str, Any], measure: str) -> str:
    if found["gap"] is None:
        return "There are too few sales to tell."
    apart = f"The {measure} is highest for {found['highest']} and lowest for {found['lowest']}"
    chance = "more than chance alone explains" if found["differs"] else "no more than chance explains"
    return f"{apart}: {'within' if found['ok'] else 'beyond'} what is tolerated, {chance}."


def _chance(p: float | None) -> str:
    return MISSING if p is None else "below 0.001" if p < 0.001 else text(p, "ratio")


def _told(group: Mapping[str, Any], smallest: int) -> str:
    held_back = group["suppressed"]
    names = ", ".join(f"{each['value']} ({text(each['n'])})" for each in held_back)
    suppressed = f"; fewer than {smallest} sales, so not told: {names}" if held_back else "; none held back"
    return f"{_words(group['name'])}, from {group['origin']}: {group['shown']} values shown{suppressed}"


def _words(name: str) -> str:
    return name.replace("_", " ")
