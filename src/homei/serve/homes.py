"""What is answered about published homes: the rows of the warehouse as JSON, and the shapes that OpenAPI tells."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from homei.config import Flag
from homei.serve.schemas import Comparable, Interval

OWN = (
    "property_id", "address", "location", "property_type", "square_meters", "bedrooms", "bathrooms", "floor",
    "year_built", "latitude", "longitude", "is_listed", "price", "asking_price",
)  # fmt: skip
SALES = (
    "market_sales", "other_sales", "first_sale_date", "first_sale_price", "last_sale_date", "last_sale_price",
    "last_price_per_square_meter", "last_price_today", "yearly_change", "listings_seen", "last_days_on_market",
    "last_asking_price", "asked_before_sale", "discount_to_asking",
)  # fmt: skip
VERSIONS = ("currency", "model_version", "data_version")


class Shape(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class Worth(Shape):
    """The published valuation, made for the day after `as_of`."""

    predicted_price: float
    interval: Interval
    confidence: float | None
    flags: list[Flag]


class Home(Shape):
    """A home as a list shows it; null is what the data doesn't tell."""

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
    price: float | None = Field(description="What it costs: what is asked while it is offered, else its value.")
    asking_price: float | None = Field(description="What is asked, while it is offered.")
    valuation: Worth | None = Field(description="Null where a price would be an invention.")
    distance: float | None = Field(None, description="From the centre, in metres; only where a radius is asked for.")


class Total(Shape):
    count: int
    exact: bool = Field(description="False where there are more than `count`: they are not counted further.")


class Versioned(Shape):
    """Of what data and model it is told."""

    currency: str
    model_version: str
    data_version: str
    as_of: datetime.date


class Homes(Versioned):
    """A page of homes in the order asked for; a cursor is null where there are no more that way."""

    properties: list[Home]
    total: Total = Field(description="Of all pages, as the first one counted.")
    next: str | None = Field(description="The cursor of the page after this one.")
    previous: str | None = Field(description="The cursor of the page before this one.")


class Sales(Shape):
    """What its sales and offers say; prices as they were, changes as fractions."""

    market_sales: int
    other_sales: int
    first_sale_date: datetime.date | None
    first_sale_price: float | None
    last_sale_date: datetime.date | None
    last_sale_price: float | None
    last_price_per_square_meter: float | None
    last_price_today: float | None = Field(description="The last price, moved by the city's index to `as_of`.")
    yearly_change: float | None
    listings_seen: int
    last_days_on_market: int | None
    last_asking_price: float | None
    asked_before_sale: float | None
    discount_to_asking: float | None


class Event(Shape):
    """A sale, or an offer from `happened_on` to `ended_on`."""

    event: str
    happened_on: datetime.date
    ended_on: datetime.date | None
    price: float | None
    square_meters: float | None
    is_market: bool | None = Field(description="Of a sale: whether its price was the market's.")


class Detailed(Home, Versioned):
    """One home: what is known of it, its published value, its past, and earlier sales that are like it."""

    sales: Sales
    features: dict[str, float | str | bool] = Field(description="What the source tells besides, and its surroundings.")
    history: list[Event] = Field(description="The latest first.")
    comparables: list[Comparable] = Field(description="The most similar earlier sales that the service knows.")


def listed(row: Mapping[str, Any], level: float) -> dict[str, Any]:
    """A row of the search as a Home."""
    told = {name: row[name] for name in OWN} | {"valuation": worth(row, level)}
    if "square_distance" in row:
        told["distance"] = round(math.sqrt(row["square_distance"]), 1)
    return told


def detailed(
    row: Mapping[str, Any],
    past: Sequence[Mapping[str, Any]],
    comparables: Sequence[Mapping[str, Any]],
    published: Mapping[str, Any],
) -> dict[str, Any]:
    """A row of property_analytics, with what belongs to it, as a Detailed."""
    asked = row["last_asking_price"] if row["is_listed"] else None
    return {
        **listed({**row, "asking_price": asked}, published["level"]),
        "sales": {name: row[name] for name in SALES},
        "features": row["features"],
        "history": past,
        "comparables": comparables,
        **versions(published),
    }


def worth(row: Mapping[str, Any], level: float) -> dict[str, Any] | None:
    """A row's published value as a Worth; None where it has none."""
    if row["valued_price"] is None:
        return None
    return {
        "predicted_price": row["valued_price"],
        "interval": {"low": row["valued_low"], "high": row["valued_high"], "level": level},
        "confidence": row["confidence"],
        "flags": (row["flags"] or "").split(),
    }


def versions(published: Mapping[str, Any]) -> dict[str, Any]:
    """Of what a publication is, as answers tell it."""
    return {name: published[name] for name in VERSIONS} | {"as_of": published["as_of"]}
