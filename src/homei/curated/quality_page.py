"""The report of data_quality: how complete, valid, unique and fresh each feed and column is, month by month."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from homei.report.charts import strips
from homei.report.formats import text
from homei.report.page import cards, figure, page, table
from homei.source import Source

RECORD = "*"
MEASURES = ["completeness", "validity", "uniqueness", "accounted"]  # each must reach its threshold


def quality_page(rows: pd.DataFrame, source: Source) -> str:
    """The page, out of the curated table data_quality."""
    rows = rows.assign(
        month=pd.to_datetime(rows["month"]).dt.strftime("%Y-%m"),
        holds=rows["verdict"] == "holds",
        feed_name=rows["table_name"] + " · " + rows["feed"].str.replace("_", " "),
    )
    months = sorted(rows["month"].dropna().unique())
    pictures = [_strips(name, found, months) for name, found in rows.groupby("feed_name", sort=True)]
    body = [
        _headline(rows),
        "<h2>Feeds as a whole</h2>",
        _feeds(rows),
        "<h2>Month by month</h2>",
        "<p>Orange is a month in which a measure misses its threshold; a gap is a month without records.</p>",
        *pictures,
        "<h2>What misses its threshold</h2>",
        _failures(rows),
    ]
    return page("Data quality by month", "\n".join(body), f"{source.title} · as of {source.as_of}")


def _headline(rows: pd.DataFrame) -> str:
    records = rows[rows["column_name"] == RECORD]
    newest = records.dropna(subset="freshness_days").set_index("feed_name")["freshness_days"]
    none_lost = bool((records["accounted"].dropna() == 1).all())
    return cards(
        [
            {
                "label": "Verdicts that hold",
                "value": text(rows["holds"].mean(), "percent"),
                "note": f"{text(int(rows['holds'].sum()))} of {text(len(rows))}, one a feed, month and column",
            },
            {"label": "Records judged", "value": text(int(records["rows"].sum())), "note": "of all tables"},
            {
                "label": "Oldest feed",
                "value": f"{text(int(newest.max()))} days" if len(newest) else "none",
                "note": str(newest.idxmax()) if len(newest) else "",
            },
            {
                "label": "Records that were lost",
                "value": "none" if none_lost else "some",
                "note": "each received one is believed or set aside",
                "ok": none_lost,
            },
        ]
    )


def _feeds(rows: pd.DataFrame) -> str:
    shown = []
    for name, found in rows[rows["column_name"] == RECORD].groupby("feed_name", sort=True):
        told = found.set_index("month")
        newest = told["freshness_days"].dropna()
        shown.append(
            {
                "feed": name,
                "records": int(told["rows"].sum()),
                "valid": _weighted(told["validity"], told["rows"]),
                "worst_month": told["validity"].min(),
                "unique": told["uniqueness"].min(),
                "age": int(newest.iloc[0]) if len(newest) else np.nan,
                "months_that_hold": f"{int(told['holds'].sum())} of {len(told)}",
            }
        )
    titles = {"worst_month": "Valid, worst month", "unique": "Unique ids, worst month", "age": "Age, days"}
    formats = {"valid": "percent", "worst_month": "percent", "unique": "percent"}
    return table(pd.DataFrame(shown), formats, titles)


def _strips(name: str, rows: pd.DataFrame, months: list[str]) -> str:
    """The feed's records on the first strip, its columns on those below."""
    dated = rows.dropna(subset="month")
    if dated.empty:
        return ""
    states = dated.pivot(index="column_name", columns="month", values="holds").astype(float).reindex(columns=months)
    notes = []
    for column in states.index:
        found = dated[dated["column_name"] == column]
        measure, word = ("validity", "valid") if column == RECORD else ("completeness", "filled")
        notes.append(f"{text(_weighted(found[measure], found['rows']), 'percent')} {word}")
    return figure(strips(_in_words(states.index), months, states.to_numpy(), notes, name), wide=True)


def _failures(rows: pd.DataFrame) -> str:
    """One row a feed, column and measure that misses its threshold in some month, the worst month told."""
    missed = []
    for measure in MEASURES:
        found = rows[rows[measure] < rows[f"{measure}_threshold"]]
        missed.append(_missed(found, measure, found[measure], found[f"{measure}_threshold"], "percent"))
    old = rows[rows["freshness_days"] > rows["freshness_threshold"]]
    missed.append(_missed(old, "freshness", old["freshness_days"], old["freshness_threshold"], "number"))
    told = pd.concat(missed, ignore_index=True)
    if told.empty:
        return "<p>Nothing does.</p>"
    grouped = told.sort_values("gap").groupby(["feed", "column", "measure"], sort=True)
    shown = grouped.agg(
        months=("month", "size"), worst=("month", "last"), value=("value", "last"), asked=("asked", "last")
    )
    return table(shown.reset_index(), headings={"worst": "Worst month", "value": "Its value", "asked": "Threshold"})


def _missed(rows: pd.DataFrame, measure: str, value: pd.Series, asked: pd.Series, how: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feed": rows["feed_name"],
            "column": _in_words(rows["column_name"]),
            "measure": measure,
            "month": rows["month"].fillna("unknown"),
            "gap": (value - asked).abs(),
            "value": [text(cell, how) for cell in value],
            "asked": [text(cell, how) for cell in asked],
        }
    )


def _in_words(columns: Iterable[str]) -> list[str]:
    return ["whole record" if column == RECORD else column.replace("_", " ") for column in columns]


def _weighted(values: pd.Series, weights: pd.Series) -> float:
    known = values.notna() & (weights > 0)
    return float(np.average(values[known].astype(float), weights=weights[known])) if known.any() else np.nan
