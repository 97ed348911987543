"""Tables and charts of the feeds: their records, rejected records and non-market sales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from homei.reporting import charts
from homei.reporting.html_page import Html, figure, table
from homei.reporting.number_formats import label, text

YEAR = pd.Timedelta(365, "D")
# Titles of the reasons why a sale is not a market sale.
REASONS = {
    "nominal_price": "nominal price",
    "family_transfer": "family transfer at a low price",
    "bulk_transfer": "bulk transfer at a low price",
    "quick_resale": "quick resale",
    "ratio_outlier": "price far from comparables",
}


def feed_table(quality: Mapping[str, Any], resolved: Mapping[str, Any]) -> Html:
    """A table with one row a feed: records, rejected share and the result of resolution."""
    frame = pd.DataFrame(quality["tables"])
    rows = pd.DataFrame(
        {
            "records": frame["table"] + " · " + frame["feed"].map(label),
            "received": frame["rows"],
            "quarantined": frame["rejected"] / frame["rows"],
            "accepted_records": [_resolution(row["table"], row["feed"], resolved) for row in quality["tables"]],
        }
    )
    return table(rows, {"quarantined": "percent"})


def reasons_picture(resolved: Mapping[str, Any], currency: str) -> Html:
    """The number of sales excluded from training and evaluation, by reason."""
    reasons = pd.DataFrame(resolved["reasons"])
    titles = reasons["reason"].map(REASONS)
    caption = (
        f"{text(resolved['flagged_share'], 'percent2')} of {text(resolved['sales'])} sales are excluded from training "
        f"and evaluation. A sale may have several reasons. {describe_nominal_price(resolved, currency)}"
    )
    if resolved["truth"]:
        score = resolved["truth"]["sale_validation"]
        caption += (
            f" Of the known non-market sales of this simulated city, {text(score['recall'], 'percent')} are excluded;"
            f" of the market sales, {text(score['false_share'], 'percent2')}."
        )
    return figure(charts.bars(titles, reasons["sales"], "Non-market sales by reason", formats="number"), caption)


def describe_nominal_price(resolved: Mapping[str, Any], currency: str) -> str:
    """A sentence on the limit below which a price counts as nominal."""
    return f"A price of at most {text(resolved['nominal_price'], currency + '0')} counts as nominal."


def month_charts(records: Mapping[str, tuple[pd.Series, pd.Series]]) -> list[charts.Picture]:
    """The number of records by feed and month, one chart for each title of (days, feeds).

    All charts span the same months. A title without records has no chart.
    """
    counts = {
        title: pd.crosstab(pd.to_datetime(days).dt.strftime("%Y-%m").to_numpy(), feeds.to_numpy())
        for title, (days, feeds) in records.items()
        if len(feeds)
    }
    months = sorted({month for by_feed in counts.values() for month in by_feed.index})
    charted = []
    for title, by_feed in counts.items():
        by_month = by_feed.reindex(months, fill_value=0).rename_axis("month").reset_index()
        charted.append(charts.lines(by_month, "month", [*by_feed], title=f"{title} a month, by feed", zero=True))
    return charted


def sold_listings(listings: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
    """Listings whose property was sold within a year, with `over`: asking price ÷ sale price − 1.

    A listing in several feeds is counted once. Of several later sales, the first counts.
    """
    offers = listings[listings["duplicate_of"].isna() & listings["property_id"].notna()]
    offers = offers[["property_id", "listed_on", "price"]].rename(columns={"price": "asking_price"})
    sales = sales[sales["property_id"].notna()][["property_id", "sale_date", "price", "longitude", "latitude"]]
    pairs = pd.merge_asof(
        offers.sort_values("listed_on"), sales.sort_values("sale_date"), left_on="listed_on", right_on="sale_date",
        by="property_id", direction="forward", tolerance=YEAR,
    ).dropna(subset="price")  # fmt: skip
    return pairs.assign(over=pairs["asking_price"] / pairs["price"] - 1)


def asking_price_charts(listings: pd.DataFrame) -> list[charts.Picture]:
    """Charts of asking prices relative to sale prices; none without sold listings."""
    if listings.empty:
        return []
    over, title = listings["over"], "Asking price above sale price"
    return [
        charts.histogram(over, title, "change"),
        charts.city_map(listings["longitude"], listings["latitude"], over, title, formats="change"),
    ]


def _resolution(table_name: str, feed: str, resolved: Mapping[str, Any]) -> str:
    """What resolution found in a feed's accepted records; empty for tables that it does not read."""
    merged = {item["feed"]: item["sales"] for item in resolved["merged"]}
    listings = {item["feed"]: item for item in resolved["listings"]}
    if table_name == "sales" and feed in merged:
        return f"{text(merged[feed])} also reported by another feed"
    if table_name != "listings" or feed not in listings:
        return ""
    result = f"{text(listings[feed]['of_sold_properties'])} of properties in the register"
    if n_duplicates := listings[feed]["duplicates"]:
        result += f", {text(n_duplicates)} also listed in another feed"
    if resolved["truth"]:
        score = next(item for item in resolved["truth"]["listings"] if item["feed"] == feed)
        result += f"; {text(score['precision'], 'percent')} precision, {text(score['recall'], 'percent')} recall"
    return result
