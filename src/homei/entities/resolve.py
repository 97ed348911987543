"""Stage `resolve`: each record's property, each sale once, and whether it shows a market price."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei import lake
from homei.config import Resolve
from homei.entities.addresses import taken_apart
from homei.entities.arms_length import CODES, flags
from homei.entities.matching import match
from homei.entities.sales import merged
from homei.entities.score import score
from homei.source import Source

REPORT = Path("reports/resolve/resolve.json")
IDENTITY = (
    "property_id", "address", "location", "property_type", "square_meters", "bedrooms", "bathrooms", "year_built",
    "floor", "latitude", "longitude", "source_feed",
)  # fmt: skip
OVERLAP = np.timedelta64(60, "D")  # two listings of a home that are so near in time are of one offer


def run(source: Source, resolve: Resolve) -> None:
    """Write data/processed/resolved/{sales,merged_sales,properties,listings} and reports/resolve/resolve.json.

    Sales have their property_id filled in, is_market and market_reasons; merged_sales are those that another feed
    reports too, with merged_into; listings property_id and duplicate_of, the listing of a feed of higher precedence for
    the same offer; properties what is known of each.
    """
    sales, listings = lake.read(lake.VALID_SALES), lake.read(lake.VALID_LISTINGS)
    registered = set(sales["property_id"].dropna())
    sales, listings, properties = identified(sales, listings, source, resolve)
    sales, gone = merged(sales, [feed.name for feed in source.sales], resolve.merge)
    sales = sales.join(flags(sales, source.coordinates, resolve.market))
    listings = listings.assign(duplicate_of=duplicates(listings, [feed.name for feed in source.listings]))
    lake.write(lake.typed(sales).reset_index(drop=True), lake.RESOLVED_SALES)
    lake.write(lake.typed(gone).reset_index(drop=True), lake.MERGED_SALES)
    lake.write(lake.typed(properties).reset_index(drop=True), lake.RESOLVED_PROPERTIES)
    lake.write(lake.typed(listings).reset_index(drop=True), lake.RESOLVED_LISTINGS)
    told = summary(sales, gone, listings, properties) | {"truth": score(sales, listings, registered, source)}
    lake.write_json(told, REPORT)


def identified(
    sales: pd.DataFrame, listings: pd.DataFrame, source: Source, resolve: Resolve
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Sales and listings with a property each, where it can be told, and the properties.

    Known are those that a feed of sales names; the others are taken from the listings, feed by feed.
    """
    known = properties_of(sales[sales["property_id"].notna()])
    sales = _with_property(sales, known, source, resolve)
    listings = _with_property(listings, known, source, resolve)
    for feed in source.listings:
        unknown = listings[listings["property_id"].isna() & (listings["source_feed"] == feed.name)]
        if unknown.empty:
            continue
        # Only the ids of the first feed are not led by their feed's name already.
        first = _first_of_each_home(listings, unknown).map(listings["listing_id"])
        new = unknown.assign(property_id=f"{feed.name}:" + first.str.removeprefix(f"{feed.name}:"))
        listings.loc[new.index, "property_id"] = new["property_id"]
        added = properties_of(new)
        known = pd.concat([known, added], ignore_index=True)
        sales = _with_property(sales, added, source, resolve)
        listings = _with_property(listings, added, source, resolve)
    return sales, listings, known


def properties_of(records: pd.DataFrame) -> pd.DataFrame:
    """What is known of each property: of each attribute the latest value, in the order of records."""
    columns = [name for name in IDENTITY if name != "property_id"]
    latest = records.groupby("property_id", sort=True)[columns].last()
    return latest.reset_index()[[*IDENTITY]]


def duplicates(listings: pd.DataFrame, feeds: list[str]) -> pd.Series:
    """For each listing the id of one of a feed of higher precedence that offers the same home at the same time."""
    found = pd.Series(None, index=listings.index, dtype=object)
    opened = pd.to_datetime(listings["listed_on"])
    closed = pd.to_datetime(listings["closed_on"]).fillna(pd.Timestamp.max.normalize())
    rows = listings[["property_id", "listing_id", "source_feed"]].assign(opened=opened, closed=closed)
    rows["rank"] = rows["source_feed"].map({feed: place for place, feed in enumerate(feeds)})
    pairs = rows.reset_index().merge(rows.dropna(subset="property_id"), on="property_id", suffixes=("", "_above"))
    pairs = pairs[pairs["rank"] > pairs["rank_above"]]
    pairs = pairs[
        (pairs["opened"] >= pairs["opened_above"] - OVERLAP) & (pairs["opened"] <= pairs["closed_above"] + OVERLAP)
    ]
    apart = (pairs["opened"] - pairs["opened_above"]).abs()
    pairs = pairs.assign(apart=apart).sort_values(["index", "rank_above", "apart", "listing_id_above"])
    first = pairs.drop_duplicates("index").set_index("index")["listing_id_above"]
    found.loc[first.index] = first
    return found


def summary(
    sales: pd.DataFrame, gone: pd.DataFrame, listings: pd.DataFrame, properties: pd.DataFrame
) -> dict[str, Any]:
    """resolve.json: what was matched, merged and flagged; shares as fractions."""
    sold = set(sales["property_id"].dropna()) | set(gone["property_id"].dropna())
    reasons = sales["market_reasons"].str.split("; ").explode().value_counts()
    return {
        "properties": len(properties),
        "sales": len(sales),
        "market_sales": int(sales["is_market"].sum()),
        "flagged_share": round(float(1 - sales["is_market"].mean()), 6) if len(sales) else 0.0,
        "reasons": [{"reason": code, "sales": int(reasons.get(code, 0))} for code in CODES],
        "merged": [{"feed": feed, "sales": int(count)} for feed, count in gone["source_feed"].value_counts().items()],
        "listings": [
            {
                "feed": feed,
                "listings": len(rows),
                "of_sold_properties": int(rows["property_id"].isin(sold).sum()),
                "duplicates": int(rows["duplicate_of"].notna().sum()),
            }
            for feed, rows in listings.groupby("source_feed", sort=False)
        ],
    }


def _with_property(records: pd.DataFrame, known: pd.DataFrame, source: Source, resolve: Resolve) -> pd.DataFrame:
    """The records, those without a property with the one that they match."""
    unknown = records[records["property_id"].isna() & records["address"].notna()]
    found = match(unknown, known, source.coordinates, resolve.match)["property_id"]
    return records.assign(property_id=records["property_id"].where(records["property_id"].notna(), found))


def _first_of_each_home(listings: pd.DataFrame, unknown: pd.DataFrame) -> pd.Series:
    """The index of the first of the unknown listings that is of the same home as each one, so far as addresses tell.

    A flat is told by its unit's number only, whatever else agrees; flats are the types of which most tell one.
    """
    flats = taken_apart(listings["address"])["unit"].notna().groupby(listings["property_type"]).mean() >= 0.5
    parts = taken_apart(unknown["address"]).assign(kind=unknown["property_type"], location=unknown["location"])
    told = parts["house"].notna() & (parts["unit"].notna() | ~unknown["property_type"].map(flats).astype(bool))
    home = parts.fillna("").agg("|".join, axis=1).where(parts["street"].notna() & told, unknown["listing_id"])
    return pd.Series(unknown.index, index=unknown.index).groupby(home).transform("first")
