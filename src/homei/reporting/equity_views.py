"""Tables and charts of equity and fairness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from homei.reporting import accuracy_views, charts
from homei.reporting.accuracy_views import INTERVAL
from homei.reporting.html_page import Html, figures, render, table
from homei.reporting.number_formats import MISSING, label, p_value, span, text

MEASURES = {**accuracy_views.MEASURES, "mki": ("MKI", "ratio"), "vei": ("VEI", "percent2")}
SIMILARITIES = {"same_property": "Same property, sold twice", "lookalikes": "Similar properties"}
KINDS = {"location": "By location", "property_type": "By type", "price_decile": "By price decile", "age": "By age"}
# Statistics of a slice and their formats.
SLICE_FORMATS = {
    "n": "number", "mdape": "percent", "median_ratio": "ratio", "cod": "percent", "prd": "ratio", "prb": "ratio",
    "mki": "ratio", "vei": "percent",
}  # fmt: skip


def study_pair(study: Mapping[str, Any]) -> Html:
    """Every statistic with its interval: of all sales, without outliers, and with sales excluded by price."""
    headings = {
        "raw": f"All {text(study['raw']['n'])} sales",
        "trimmed": f"Without {text(study['outliers'])} beyond {study['reach']:g} interquartile ranges",
        "with_flagged": f"With {text(study['flagged'])} sales excluded by their price",
    }
    rows = {"Measure": [title for name, (title, _) in MEASURES.items() if name != "n"]}
    for part in headings:
        statistics = [(study[part][name], how) for name, (_, how) in MEASURES.items() if name != "n"]
        rows[part] = [text(statistic["value"], how) for statistic, how in statistics]
        rows[f"{part}_interval"] = [span(statistic["low"], statistic["high"], how) for statistic, how in statistics]
    intervals = {f"{part}_interval": INTERVAL for part in headings}
    return table(pd.DataFrame(rows), headings={**headings, **intervals})


def horizontal_table(horizontal: Mapping[str, Mapping[str, Any]]) -> Html:
    """The spread of ratios within groups of similar properties, with the COD of the same sales."""
    rows = [
        {
            "Similarity": SIMILARITIES[name],
            "Groups": study["groups"],
            "Sales": study["n"],
            "Spread within groups": text(study["spread"], "percent2"),
            INTERVAL: span(study["low"], study["high"], "percent2"),
            "COD of the same sales": text(study["cod"], "percent2"),
        }
        for name, study in horizontal.items()
    ]
    return table(pd.DataFrame(rows))


def slice_tables(slices: pd.DataFrame) -> Html:
    """Tables of the slices, one for each kind; locations are sorted by error, largest first."""
    parts = []
    for kind, title in KINDS.items():
        rows = slices[slices["slice"] == kind]
        if kind == "location":
            rows = rows.sort_values(["mdape", "value"], ascending=[False, True])
        if len(rows):
            parts.append(f"<h3>{title}</h3>{_slice_table(rows)}")
    return Html("".join(parts))


def fairness_charts(groups: pd.DataFrame) -> Html:
    """Charts of median ratio and median error by value of each declared group, with intervals."""
    charted = []
    for name, rows in groups[~groups["suppressed"].astype(bool)].groupby("group", sort=False):
        for measure, reference in (("median_ratio", 1.0), ("mdape", None)):
            title, how = f"{MEASURES[measure][0]} by {label(name)}", SLICE_FORMATS[measure]
            intervals = rows[[f"{measure}_low", f"{measure}_high"]].to_numpy()
            charted.append(charts.bars(rows["value"], rows[measure], title, intervals, reference, how))
    return figures(*charted)


def fairness_tables(groups: pd.DataFrame) -> Html:
    """Tables of each declared group by value. Suppressed values show their count only."""
    parts = groups.groupby("group", sort=False)
    return Html("".join(f"<h3>{escape(label(name).capitalize())}</h3>{_slice_table(rows)}" for name, rows in parts))


def difference_table(groups: Sequence[Mapping[str, Any]]) -> Html:
    """The largest differences in level and error between the values of each declared group, with verdicts."""
    compared = [(group, *pair) for group in groups for pair in (("level", "median ratio"), ("error", "median error"))]
    if not compared:
        return Html("")
    rows = [
        {
            "Group": label(group["name"]),
            "Compared": measure,
            "Largest difference": text(group[name]["gap"], "percent2"),
            INTERVAL: span(group[name]["low"], group[name]["high"], "percent2"),
            "Tolerance": text(group[name]["tolerance"], "percent0"),
            "p (Holm)": p_value(group[name]["p_holm"]),
            "Verdict": group[name]["ok"],
            "Meaning": _meaning(group[name], measure),
        }
        for group, name, measure in compared
    ]
    return table(pd.DataFrame(rows, dtype=object), {"Verdict": "verdict"})


def examined_groups(groups: Sequence[Mapping[str, Any]], min_sales: int) -> Html:
    """The declared groups that were examined, suppressed values, and the limits of the study."""
    return Html(render("examined_groups.html.j2", groups=groups, min_sales=min_sales, label=label, text=text))


def _slice_table(slices: pd.DataFrame) -> Html:
    columns, headings = {"value": slices["value"]}, {"value": "Slice"}
    for name, how in SLICE_FORMATS.items():
        if slices[name].isna().all():
            continue
        columns[name], headings[name] = slices[name], MEASURES[name][0]
        if f"{name}_low" in slices:
            ends = slices[[f"{name}_low", f"{name}_high"]].to_numpy()
            columns[f"{name}_interval"] = [_short_span(*pair, how) for pair in ends]
            headings[f"{name}_interval"] = "95\u202f%"
    return table(pd.DataFrame(columns), SLICE_FORMATS, headings)


def _short_span(low: float, high: float, how: str) -> str:
    """An interval without units, for a narrow column."""
    return MISSING if pd.isna(low) else "–".join(text(end, how).removesuffix("\u202f%") for end in (low, high))


def _meaning(difference: Mapping[str, Any], measure: str) -> str:
    if difference["gap"] is None:
        return "Too few sales for a conclusion."
    extremes = f"The {measure} is highest for {difference['highest']} and lowest for {difference['lowest']}"
    significance = "statistically significant" if difference["differs"] else "not statistically significant"
    return f"{extremes}: {'within' if difference['ok'] else 'beyond'} the tolerance, {significance}."
