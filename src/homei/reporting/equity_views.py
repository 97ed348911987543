"""Tables and charts of equity and fairness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from homei.reporting import charts, ratio_study_views
from homei.reporting.html_page import Html, figures, table
from homei.reporting.number_formats import MISSING, label, text
from homei.reporting.ratio_study_views import INTERVAL
from homei.reporting.summary_sentences import span

MEASURES = {**ratio_study_views.MEASURES, "mki": ("MKI", "ratio"), "vei": ("VEI", "percent2")}
SIMILARITIES = {"same_property": "Same property, sold twice", "lookalikes": "Similar properties"}
KINDS = {"location": "By location", "property_type": "By type", "price_decile": "By price decile", "age": "By age"}
# Statistics of a slice and their formats.
SLICE_FORMATS = {
    "n": "number", "mdape": "percent", "median_ratio": "ratio", "cod": "percent", "prd": "ratio", "prb": "ratio",
    "mki": "ratio", "vei": "percent",
}  # fmt: skip


def study_pair(study: Mapping[str, Any]) -> Html:
    """Every statistic with its interval, for all sales and without outliers."""
    rows = []
    for name, (title, how) in list(MEASURES.items())[1:]:
        row = {"Measure": title}
        for part in ("raw", "trimmed"):
            statistic = study[part][name]
            row[part] = text(statistic["value"], how)
            row[f"{part}_interval"] = span(statistic["low"], statistic["high"], how)
        rows.append(row)
    headings = {
        "raw": f"All {text(study['raw']['n'])} sales",
        "trimmed": f"Without {text(study['outliers'])} beyond {study['reach']:g} interquartile ranges",
        "raw_interval": INTERVAL,
        "trimmed_interval": INTERVAL,
    }
    return table(pd.DataFrame(rows), headings=headings)


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
    for name, rows in groups[~groups["suppressed"]].groupby("group", sort=False):
        for measure, reference in (("median_ratio", 1.0), ("mdape", None)):
            title = f"{MEASURES[measure][0]} by {label(name)}"
            intervals = rows[[f"{measure}_low", f"{measure}_high"]].to_numpy()
            how = SLICE_FORMATS[measure]
            charted.append(charts.bars(rows["value"], rows[measure], title, intervals, reference, how))
    return figures(*charted)


def fairness_tables(groups: pd.DataFrame) -> Html:
    """Tables of each declared group by value. Suppressed values show their count only."""
    parts = groups.groupby("group", sort=False)
    return Html("".join(f"<h3>{escape(label(name).capitalize())}</h3>{_slice_table(rows)}" for name, rows in parts))


def difference_table(groups: Sequence[Mapping[str, Any]]) -> Html:
    """The largest differences in level and error between the values of each declared group, with verdicts."""
    rows = []
    for group in groups:
        for name, measure in (("level", "median ratio"), ("error", "median error")):
            difference = group[name]
            rows.append(
                {
                    "Group": label(group["name"]),
                    "Compared": measure,
                    "Largest difference": text(difference["gap"], "percent2"),
                    INTERVAL: span(difference["low"], difference["high"], "percent2"),
                    "Tolerance": text(difference["tolerance"], "percent0"),
                    "p (Holm)": _p_value(difference["p_holm"]),
                    "verdict": difference["ok"],
                    "Meaning": _meaning(difference, measure),
                }
            )
    if not rows:
        return Html("")
    return table(pd.DataFrame(rows).astype({"verdict": object}), {"verdict": "verdict"})


def examined_groups(groups: Sequence[Mapping[str, Any]], min_sales: int) -> Html:
    """The declared groups that were examined, suppressed values, and the limits of the study."""
    if groups:
        items = "".join(f"<li>{escape(_examined(group, min_sales))}</li>" for group in groups)
        examined = f"<p><strong>Examined:</strong></p><ul>{items}</ul>"
    else:
        examined = "<p><strong>Examined:</strong> nothing, because the city declares no groups.</p>"
    return Html(
        f"{examined}<p><strong>Not examined:</strong> everything else. The data contain no other attribute of persons, "
        "such as income, origin, ethnicity, religion, sex, age, health or household. This page cannot say whether "
        "valuations treat such groups equally. An attribute of an area does not describe a single household in it. "
        "Combinations of attributes were not examined.</p>"
    )


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


def _p_value(p: float | None) -> str:
    return MISSING if p is None else "below 0.001" if p < 0.001 else text(p, "ratio")


def _examined(group: Mapping[str, Any], min_sales: int) -> str:
    names = ", ".join(f"{each['value']} ({text(each['n'])})" for each in group["suppressed"])
    suppressed = f"suppressed, fewer than {min_sales} sales: {names}" if names else "none suppressed"
    return f"{label(group['name'])}, from {group['origin']}: {group['shown']} values shown; {suppressed}"
