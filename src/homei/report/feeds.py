"""Where the records came from, what was wrong with them, and which sales do not show a market price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from homei.report import charts
from homei.report.formats import text
from homei.report.page import Html, figure, table

YEAR = pd.Timedelta(365, "D")
# In words: why a sale does not show a market price.
REASONS = {
    "nominal_price": "price for form's sake",
    "family_transfer": "within a family, cheap",
    "bulk_transfer": "bought in bulk, cheap",
    "quick_resale": "sold again at once",
    "ratio_outlier": "far from comparables",
}


def feed_table(quality: Mapping[str, Any], resolved: Mapping[str, Any]) -> Html:
    """One row a feed: its records, the share that broke the contract, and what became of the others."""
    frame = pd.DataFrame(quality["tables"])
    became = [_became(row["table"], row["feed"], resolved) for row in quality["tables"]]
    shown = pd.DataFrame(
        {
            "records": frame["table"] + " · " + frame["feed"].str.replace("_", " "),
            "received": frame["rows"],
            "set_aside": frame["rejected"] / frame["rows"],
            "of_the_others": became,
        }
    )
    return table(shown, {"set_aside": "percent"}, {"of_the_others": "Of the others"})


def reasons_picture(resolved: Mapping[str, Any]) -> Html:
    """Why sales were kept out of training and measurement, by how many."""
    found = pd.DataFrame(resolved["reasons"])
    picture = charts.bars(
        found["reason"].map(REASONS), found["sales"], "Sales that show no market price", formats="number"
    )
    kept = text(resolved["flagged_share"], "percent2")
    return figure(
        picture,
        f"{kept} of {text(resolved['sales'])} sales are kept out of training and measurement. "
        f"A sale may have several reasons.{_score_of_flags(resolved['truth'])}",
    )


def month_pictures(records: Mapping[str, tuple[pd.Series, pd.Series]]) -> list[charts.Picture]:
    """How many records each feed tells of, month by month: a picture for each title, from its days and feeds.

    All pictures span the same months; records of which there are none have no picture.
    """
    months = {title: pd.to_datetime(days).dt.strftime("%Y-%m") for title, (days, _) in records.items()}
    span = sorted({month for found in months.values() for month in found.dropna()})
    pictures = []
    for title, (_, feed) in records.items():
        if feed.empty:
            continue
        counts = pd.crosstab(months[title].to_numpy(), feed.to_numpy()).reindex(span, fill_value=0)
        counts = counts.rename_axis("month").reset_index()
        names = list(counts.columns.drop("month"))
        pictures.append(charts.lines(counts, "month", names, title=f"{title} a month, by feed", zero=True))
    return pictures


def offers_that_sold(listings: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
    """Offers whose homes were sold within YEAR, with where that was and `over`: the price asked over the one paid, - 1.

    An offer that several feeds list is counted once; of several sales after it, the first counts.
    """
    offers = listings[listings["duplicate_of"].isna() & listings["property_id"].notna()]
    offers = offers[["property_id", "listed_on", "price"]].rename(columns={"price": "asked"})
    sold = sales[sales["property_id"].notna()][["property_id", "sale_date", "price", "longitude", "latitude"]]
    pairs = pd.merge_asof(
        offers.sort_values("listed_on"), sold.sort_values("sale_date"), left_on="listed_on", right_on="sale_date",
        by="property_id", direction="forward", tolerance=YEAR,
    ).dropna(subset="price")  # fmt: skip
    return pairs.assign(over=pairs["asked"] / pairs["price"] - 1)


def offer_pictures(offers: pd.DataFrame) -> list[charts.Picture]:
    """How far asking prices lay above prices paid, and where; none without offers that sold."""
    if offers.empty:
        return []
    return [
        charts.histogram(offers["over"], "Asked above paid", "change"),
        charts.city_map(offers["longitude"], offers["latitude"], offers["over"], "Asked above paid", formats="change"),
    ]


def _became(table_name: str, feed: str, resolved: Mapping[str, Any]) -> str:
    if table_name == "sales":
        merged = {item["feed"]: item["sales"] for item in resolved["merged"]}
        return f"{text(merged[feed])} known from another feed" if feed in merged else ""
    if table_name == "listings":
        item = next((item for item in resolved["listings"] if item["feed"] == feed), None)
        if item is None:
            return ""
        words = f"{text(item['of_sold_properties'])} of homes in the register"
        words += f", {text(item['duplicates'])} offered elsewhere too" if item["duplicates"] else ""
        return words + _score_of_matches(feed, resolved["truth"])
    return ""


def _score_of_flags(truth: Mapping[str, Any] | None) -> str:
    if truth is None:
        return ""
    found = truth["sale_validation"]
    return (
        f" Of the odd sales that this simulated city is known to have, {text(found['recall'], 'percent')} are kept out;"
        f" of the usual ones, {text(found['false_share'], 'percent2')}."
    )


def _score_of_matches(feed: str, truth: Mapping[str, Any] | None) -> str:
    if truth is None:
        return ""
    found = next(item for item in truth["listings"] if item["feed"] == feed)
    return f"; {text(found['precision'], 'percent')} rightly, {text(found['recall'], 'percent')} of all that are"
