"""Stage `render_curated`: pages on the data dictionary and on data quality by feed, column and month."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from homei.config.city import CityConfig
from homei.curated.dictionary import Dictionary, read_dictionary
from homei.reporting.charts import strips
from homei.reporting.html_page import Card, Html, cards, figure, page, render, table
from homei.reporting.number_formats import label, text
from homei.storage import lake
from homei.storage.stable_html import stable_html

DICTIONARY = Path("reports/curated/dictionary.html")
QUALITY = Path("reports/curated/data_quality.html")
RECORD = "*"  # column_name of the rows that describe whole records
# Columns with a measure and with its threshold, and their format. Age must not exceed its threshold.
MEASURES = {
    "completeness": ("completeness", "completeness_threshold", "percent"),
    "validity": ("validity", "validity_threshold", "percent"),
    "uniqueness": ("uniqueness", "uniqueness_threshold", "percent"),
    "accounted": ("accounted", "accounted_threshold", "percent"),
    "freshness": ("freshness_days", "freshness_threshold", "number"),
}


def run(city: CityConfig) -> None:
    """Writes reports/curated/dictionary.html and data_quality.html."""
    lake.write_text(dictionary_page(read_dictionary(), city), DICTIONARY)
    lake.write_text(stable_html(quality_page(lake.read(lake.DATA_QUALITY), city)), QUALITY)


def dictionary_page(dictionary: Dictionary, city: CityConfig) -> str:
    """The data dictionary as an HTML page with one table for each curated table."""
    tables = {}
    for name, entry in dictionary.items():
        rows = [{"column": column, "unit": "", **definition} for column, definition in entry["columns"].items()]
        tables[name] = (entry["row"], table(pd.DataFrame(rows)[["column", "type", "unit", "meaning"]]))
    subtitle = f"{city.title} · as of {city.as_of} · money in {city.currency}"
    return page("Data dictionary", render("dictionary.html.j2", tables=tables), subtitle)


def quality_page(rows: pd.DataFrame, city: CityConfig) -> str:
    """The curated table data_quality as an HTML page."""
    rows = rows.assign(
        month=pd.to_datetime(rows["month"]).dt.strftime("%Y-%m"),
        holds=rows["verdict"] == "holds",
        feed=rows["table_name"] + " · " + rows["feed"].map(label),
    )
    months = sorted(rows["month"].dropna().unique())
    body = render(
        "data_quality.html.j2",
        cards=_headline(rows),
        feeds=_feed_table(rows),
        charts=[_month_chart(name, feed_rows, months) for name, feed_rows in rows.groupby("feed", sort=True)],
        failures=_failure_table(rows),
    )
    return page("Data quality by month", body, f"{city.title} · as of {city.as_of}")


def _headline(rows: pd.DataFrame) -> Html:
    records = rows[rows["column_name"] == RECORD]
    ages = records.dropna(subset="freshness_days").set_index("feed")["freshness_days"]
    is_complete = bool((records["accounted"].dropna() == 1).all())
    holding = f"{text(int(rows['holds'].sum()))} of {text(len(rows))}, one for each feed, month and column"
    oldest = (f"{text(int(ages.max()))} days", str(ages.idxmax())) if len(ages) else ("none", "")
    explanation = "every received record is either accepted or quarantined"
    return cards(
        Card("Verdicts that hold", text(rows["holds"].mean(), "percent"), holding),
        Card("Records", text(int(records["rows"].sum())), "of all tables"),
        Card("Age of the oldest feed", *oldest),
        Card("Lost records", "none" if is_complete else "some", explanation, is_complete),
    )


def _feed_table(rows: pd.DataFrame) -> Html:
    records = rows[rows["column_name"] == RECORD].groupby("feed", sort=True)
    feeds = pd.DataFrame(
        {
            "records": records["rows"].sum(),
            "valid": records.apply(
                lambda months: _weighted_mean(months["validity"], months["rows"]), include_groups=False
            ),
            "worst_month": records["validity"].min(),
            "unique": records["uniqueness"].min(),
            "age": records["freshness_days"].first(),
            "months_that_hold": records["holds"].agg(lambda holds: f"{holds.sum()} of {len(holds)}"),
        }
    )
    headings = {"worst_month": "Valid, worst month", "unique": "Unique ids, worst month", "age": "Age, days"}
    formats = {**dict.fromkeys(["valid", "worst_month", "unique"], "percent"), "age": "number"}
    return table(feeds.reset_index(), formats, headings)


def _month_chart(name: str, rows: pd.DataFrame, months: list[str]) -> Html:
    """A chart of the feed's verdicts by month: whole records on the first strip, columns below."""
    rows = rows.dropna(subset="month")
    if rows.empty:
        return Html("")
    verdicts = rows.pivot(index="column_name", columns="month", values="holds").astype(float).reindex(columns=months)
    notes = []
    for column, cells in rows.groupby("column_name"):
        measure, adjective = ("validity", "valid") if column == RECORD else ("completeness", "filled")
        notes.append(f"{text(_weighted_mean(cells[measure], cells['rows']), 'percent')} {adjective}")
    return figure(strips(_column_labels(verdicts.index), months, verdicts.to_numpy(), notes, name), wide=True)


def _failure_table(rows: pd.DataFrame) -> Html:
    """A row for each feed, column and measure that misses its threshold, with its worst month."""
    failures = []
    for measure, (column, threshold_column, how) in MEASURES.items():
        values, thresholds = rows[column].astype(float), rows[threshold_column].astype(float)
        shortfall = values - thresholds if measure == "freshness" else thresholds - values
        texts = {"value": values.map(partial(text, how=how)), "threshold": thresholds.map(partial(text, how=how))}
        failures.append(rows.assign(measure=measure, shortfall=shortfall, **texts)[shortfall > 0])
    failed = pd.concat(failures, ignore_index=True).sort_values("shortfall")
    if failed.empty:
        return Html("")
    failed = failed.assign(column=_column_labels(failed["column_name"]), month=failed["month"].fillna("unknown"))
    grouped = failed.groupby(["feed", "column", "measure"], sort=True)
    worst = grouped[["month", "value", "threshold"]].last()
    worst.insert(0, "months", grouped.size())
    return table(worst.reset_index(), headings={"month": "Worst month", "value": "Value in that month"})


def _column_labels(columns: Iterable[str]) -> list[str]:
    return ["whole record" if column == RECORD else label(column) for column in columns]


def _weighted_mean(values: pd.Series, weights: pd.Series) -> float:
    usable = values.notna() & (weights > 0)
    return float(np.average(values[usable].astype(float), weights=weights[usable])) if usable.any() else np.nan
