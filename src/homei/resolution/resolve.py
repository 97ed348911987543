"""Stage `resolve`: each record's property, duplicate sales merged, non-market sales flagged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from homei.config.city import CityConfig, currency_units
from homei.resolution.addresses import parse_addresses
from homei.resolution.config import MarketSaleConfig, ResolveConfig
from homei.resolution.duplicate_sales import merge_duplicates
from homei.resolution.property_matching import match_properties
from homei.resolution.resolution_accuracy import accuracy
from homei.resolution.sale_validation import CODES, flag_sales
from homei.spark.config import SparkConfig
from homei.storage import lake
from homei.storage.config import StorageConfig

REPORT = Path("reports/resolve/resolve.json")
PROPERTY_COLUMNS = (
    "property_id", "address", "location", "property_type", "square_meters", "bedrooms", "bathrooms", "year_built",
    "floor", "latitude", "longitude", "source_feed",
)  # fmt: skip
# The order in which records were made; that of the rows in a file says nothing.
SALE_ORDER, LISTING_ORDER = ["sale_date", "transaction_id"], ["listed_on", "listing_id"]
MIN_UNIT_SHARE = 0.5  # of the listings of a property type; it then has several units in a building
NAMED_BLOCKS = 20  # oversized blocks of candidates that resolve.json names
MAX_GAP = np.timedelta64(60, "D")  # between two listings of one offer


def run(city: CityConfig, resolve: ResolveConfig, storage: StorageConfig, spark: SparkConfig) -> None:
    """Writes the resolved sales, merged sales, properties and listings, and resolve.json.

    Sales get property_id, is_market and market_reasons; merged_sales are the duplicates, with merged_into. Listings get
    property_id and duplicate_of, the listing of a preferred feed for the same offer. Properties have the last known
    value of each attribute, by the date of the sale or listing. With an external lake, Spark computes the tables.
    """
    if storage.is_external:
        from homei.resolution import resolution_in_spark

        lake.write_json(resolution_in_spark.run(city, resolve, storage, spark), REPORT)
        return
    sales, listings = lake.read(lake.VALID["sales"]), lake.read(lake.VALID["listings"])
    # The tables have their feeds in order of precedence.
    sales_feeds, listing_feeds = list(sales["source_feed"].unique()), list(listings["source_feed"].unique())
    registered = set(sales["property_id"].dropna())
    sales, listings, properties, oversized = identify_properties(sales, listings, city, resolve)
    sales, merged = merge_duplicates(sales, sales_feeds, resolve.merge)
    market = market_settings(city, resolve)
    sales = sales.join(flag_sales(sales, city.coordinates, market))
    listings = listings.assign(duplicate_of=duplicate_listings(listings, listing_feeds))
    tables = {
        lake.RESOLVED_SALES: sales,
        lake.MERGED_SALES: merged,
        lake.RESOLVED_PROPERTIES: properties,
        lake.RESOLVED_LISTINGS: listings,
    }
    for path, rows in tables.items():
        lake.write(lake.typed(rows).reset_index(drop=True), path)
    rest = {
        "oversized_blocks": oversized_summary(oversized),
        "nominal_price": market.nominal_price,
        "truth": accuracy(sales, listings, registered, city),
    }
    lake.write_json(summary(sales, merged, listings, properties) | rest, REPORT)


def market_settings(city: CityConfig, resolve: ResolveConfig) -> MarketSaleConfig:
    """The section `market` with the nominal price in the city's currency."""
    nominal_price = resolve.market.nominal_price * currency_units(city.currency)
    return resolve.market.model_copy(update={"nominal_price": nominal_price})


def identify_properties(
    sales: pd.DataFrame, listings: pd.DataFrame, city: CityConfig, resolve: ResolveConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Sales and listings with property_id where it is certain, the properties, and the oversized blocks.

    Properties with an id in the sales are matched first. Listings without a match then become new properties, feed by
    feed, so that the other records can match them.
    """
    properties = properties_of(sales, SALE_ORDER)
    sales, oversized_of_sales = _with_property(sales, properties, city, resolve)
    listings, oversized_of_listings = _with_property(listings, properties, city, resolve)
    oversized = [oversized_of_sales, oversized_of_listings]
    for feed in listings["source_feed"].unique():
        unmatched = listings[listings["property_id"].isna() & (listings["source_feed"] == feed)]
        if unmatched.empty:
            continue
        unmatched = unmatched.sort_values(LISTING_ORDER)
        first = _first_of_each_property(listings, unmatched).map(listings["listing_id"])
        # Listing ids of all feeds but the first already have the feed's name as prefix.
        new_ids = f"{feed}:" + first.str.removeprefix(f"{feed}:")
        listings.loc[unmatched.index, "property_id"] = new_ids
        new_properties = properties_of(unmatched.assign(property_id=new_ids), LISTING_ORDER)
        properties = pd.concat([properties, new_properties], ignore_index=True)
        sales, oversized_of_sales = _with_property(sales, new_properties, city, resolve)
        listings, oversized_of_listings = _with_property(listings, new_properties, city, resolve)
        oversized += [oversized_of_sales, oversized_of_listings]
    return sales, listings, properties, pd.concat(oversized, ignore_index=True)


def properties_of(records: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """One row a property with the last known value of each attribute; `order` names date and id."""
    columns = [name for name in PROPERTY_COLUMNS if name != "property_id"]
    return records.sort_values(order).groupby("property_id")[columns].last().reset_index()


def duplicate_listings(listings: pd.DataFrame, feeds: list[str]) -> pd.Series:
    """The id of the duplicate of each listing in a preferred feed, or null.

    Duplicates offer the same property within MAX_GAP of each other.
    """
    rows = listings[["property_id", "listing_id", "source_feed"]].assign(
        opened=pd.to_datetime(listings["listed_on"]),
        closed=pd.to_datetime(listings["closed_on"]).fillna(pd.Timestamp.max.normalize()),
        rank=listings["source_feed"].map({feed: position for position, feed in enumerate(feeds)}),
    )
    pairs = rows.reset_index().merge(rows.dropna(subset="property_id"), on="property_id", suffixes=("", "_preferred"))
    pairs = pairs[
        (pairs["rank"] > pairs["rank_preferred"])
        & (pairs["opened"] >= pairs["opened_preferred"] - MAX_GAP)
        & (pairs["opened"] <= pairs["closed_preferred"] + MAX_GAP)
    ]
    pairs = pairs.assign(gap=(pairs["opened"] - pairs["opened_preferred"]).abs())
    pairs = pairs.sort_values(["index", "rank_preferred", "gap", "listing_id_preferred"])
    nearest = pairs.drop_duplicates("index").set_index("index")["listing_id_preferred"]
    duplicate_of = pd.Series(None, index=listings.index, dtype=object)
    duplicate_of.loc[nearest.index] = nearest
    return duplicate_of


def summary(
    sales: pd.DataFrame, merged: pd.DataFrame, listings: pd.DataFrame, properties: pd.DataFrame
) -> dict[str, Any]:
    """The content of resolve.json: numbers of matched, merged and flagged records; shares as fractions."""
    sold = set(sales["property_id"].dropna()) | set(merged["property_id"].dropna())
    reasons = sales["market_reasons"].str.split("; ").explode().value_counts()
    return {
        "properties": len(properties),
        "sales": len(sales),
        "market_sales": int(sales["is_market"].sum()),
        "flagged_share": round(float(1 - sales["is_market"].mean()), 6) if len(sales) else 0.0,
        "reasons": [{"reason": code, "sales": int(reasons.get(code, 0))} for code in CODES],
        "merged": [{"feed": feed, "sales": int(count)} for feed, count in merged["source_feed"].value_counts().items()],
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


def oversized_summary(blocks: pd.DataFrame) -> dict[str, Any]:
    """The number of blocks with too many properties to compare, and the largest ones.

    They stand in resolve.json. `records` are those that were not compared with the properties of the block.
    """
    blocks = blocks.groupby(["block", "key"]).agg({"properties": "max", "records": "sum"}).reset_index()
    largest = blocks.sort_values(["properties", "block", "key"], ascending=[False, True, True]).head(NAMED_BLOCKS)
    return {"blocks": len(blocks), "records": int(blocks["records"].sum()), "largest": largest.to_dict("records")}


def _with_property(
    records: pd.DataFrame, properties: pd.DataFrame, city: CityConfig, resolve: ResolveConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The records with the property_id of their match where they had none, and the oversized blocks."""
    unmatched = records[records["property_id"].isna() & records["address"].notna()]
    matches, oversized = match_properties(unmatched, properties, city.coordinates, resolve.match)
    property_id = records["property_id"].where(records["property_id"].notna(), matches["property_id"])
    return records.assign(property_id=property_id), oversized


def _first_of_each_property(listings: pd.DataFrame, unmatched: pd.DataFrame) -> pd.Series:
    """The index of the first unmatched listing with the address of each one, by their index.

    Property types of which most listings have a unit number are flats; a flat without unit number is like no other.
    """
    has_unit = parse_addresses(listings["address"])["unit"].notna()
    is_flat = has_unit.groupby(listings["property_type"]).mean() >= MIN_UNIT_SHARE
    parts = parse_addresses(unmatched["address"])
    parts = parts.assign(kind=unmatched["property_type"], location=unmatched["location"])
    needs_unit = unmatched["property_type"].map(is_flat).astype(bool)
    is_complete = parts["street"].notna() & parts["house"].notna() & (parts["unit"].notna() | ~needs_unit)
    address = parts.fillna("").agg("|".join, axis=1).where(is_complete, unmatched["listing_id"])
    return pd.Series(unmatched.index, index=unmatched.index).groupby(address).transform("first")
