"""Response models of published properties, and their rows in the warehouse as responses."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from homei.serving.schemas import Comparable, Interval
from homei.training.config import Flag


class PublishedValuation(BaseModel):
    """The published valuation for the day after `as_of`."""

    predicted_price: float
    interval: Interval
    confidence: float | None
    flags: list[Flag]


class PropertySummary(BaseModel):
    """A property as a search lists it; null is what the data does not have."""

    property_id: str
    address: str | None
    location: str | None
    property_type: str | None
    square_meters: float | None
    bedrooms: float | None
    bathrooms: float | None
    floor: float | None
    year_built: int | None
    latitude: float | None
    longitude: float | None
    is_listed: bool
    price: float | None = Field(description="The asking price while listed, else the valuation.")
    asking_price: float | None = Field(description="The asking price while listed.")
    valuation: PublishedValuation | None = Field(description="Null without sufficient market evidence.")
    distance: float | None = Field(None, description="From the centre in metres; only in a search with a radius.")


class MatchCount(BaseModel):
    count: int
    exact: bool = Field(description="False if more than `count` properties match: counting stops there.")


class Versions(BaseModel):
    """The data and the model that a response is based on."""

    currency: str
    model_version: str
    data_version: str
    as_of: datetime.date


class PropertyPage(Versions):
    """A page of properties in the requested order; a cursor is null if there is no page in its direction."""

    properties: list[PropertySummary]
    total: MatchCount = Field(description="On all pages, as counted for the first one.")
    next: str | None = Field(description="The cursor of the page after this one.")
    previous: str | None = Field(description="The cursor of the page before this one.")


class SalesSummary(BaseModel):
    """Figures from the property's sales and listings; prices as paid or asked, changes as fractions."""

    market_sales: int
    other_sales: int
    first_sale_date: datetime.date | None
    first_sale_price: float | None
    last_sale_date: datetime.date | None
    last_sale_price: float | None
    last_price_per_square_meter: float | None
    last_price_today: float | None = Field(description="The last price, adjusted by the city's index to `as_of`.")
    yearly_change: float | None
    listings_seen: int
    last_days_on_market: int | None
    last_asking_price: float | None
    asked_before_sale: float | None
    discount_to_asking: float | None


class PropertyEvent(BaseModel):
    """A sale, or a listing from `happened_on` to `ended_on`."""

    event: str
    happened_on: datetime.date
    ended_on: datetime.date | None
    price: float | None
    square_meters: float | None
    is_market: bool | None = Field(description="Of a sale: whether it was a market sale.")


class PropertyDetail(PropertySummary, Versions):
    """One property with its valuation, its sales and listings, and comparable sales."""

    sales: SalesSummary
    features: dict[str, float | str | bool] = Field(description="Further attributes of the source and the location.")
    history: list[PropertyEvent] = Field(description="The latest first.")
    comparables: list[Comparable] = Field(description="The most similar earlier sales.")


SUMMARY_COLUMNS = [name for name in PropertySummary.model_fields if name not in ("valuation", "distance")]


def property_summary(row: Mapping[str, Any], level: float) -> dict[str, Any]:
    """A search result's row as a PropertySummary; `level` is that of the published intervals."""
    summary = {name: row[name] for name in SUMMARY_COLUMNS} | {"valuation": published_valuation(row, level)}
    if "square_distance" in row:
        summary["distance"] = round(math.sqrt(row["square_distance"]), 1)
    return summary


def property_detail(
    row: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]],
    comparables: Sequence[Mapping[str, Any]],
    publication: Mapping[str, Any],
) -> dict[str, Any]:
    """A row of property_analytics with events, comparables and the publication's row as a PropertyDetail."""
    asking_price = row["last_asking_price"] if row["is_listed"] else None
    return {
        **property_summary({**row, "asking_price": asking_price}, publication["level"]),
        "sales": {name: row[name] for name in SalesSummary.model_fields},
        "features": row["features"],
        "history": events,
        "comparables": comparables,
        **versions(publication),
    }


def published_valuation(row: Mapping[str, Any], level: float) -> dict[str, Any] | None:
    """A row's valuation as a PublishedValuation; None without one."""
    if row["valued_price"] is None:
        return None
    return {
        "predicted_price": row["valued_price"],
        "interval": {"low": row["valued_low"], "high": row["valued_high"], "level": level},
        "confidence": row["confidence"],
        "flags": (row["flags"] or "").split(),
    }


def versions(publication: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of Versions from a publication's row."""
    return {name: publication[name] for name in Versions.model_fields}
