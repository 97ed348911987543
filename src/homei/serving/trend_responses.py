"""Parameters and responses of market trends, as JSON or CSV."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from homei.serving.openapi import JSON
from homei.serving.property_responses import Versions
from homei.serving.query_params import Name, OptionalParam, QueryParams
from homei.warehouse.market_trends import Frequency

CSV = "text/csv"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # characters that start a formula in a spreadsheet


class TrendParams(QueryParams):
    """Which trends; a parameter that is left out stands for all values."""

    location: OptionalParam[Name] = Field(
        None, description="District or town, as the data spells it; else all of them."
    )
    property_type: OptionalParam[Name] = Field(
        None, description="Property type, as the data spells it; else all of them."
    )
    months: Annotated[int, Field(ge=1, le=600)] = Field(24, description="Number of months up to that of `as_of`.")
    frequency: Frequency = Field("month", description="Quarters and years are whole ones, the last one up to `as_of`.")
    format: OptionalParam[Literal["json", "csv"]] = Field(None, description="Overrides the header `Accept`.")


class TrendPeriod(BaseModel):
    """A month, quarter or year; null is what is not known. Changes are fractions."""

    period: datetime.date = Field(description="Its first day.")
    market_sales: int = Field(description="Number of market sales.")
    median_price: float | None
    average_price_per_square_meter: float | None
    price_index: float | None = Field(description="At its end, of all property types; 100 in the first month.")
    inventory: int | None = Field(description="Properties listed at its end, of all types.")
    new_listings: int | None = Field(description="Listings that began, of all types.")
    closed_listings: int | None = Field(description="Listings that ended, of all types.")
    index_change: float | None = Field(description="Of the index since the period before.")
    index_change_year: float | None = Field(description="Of the index since a year before.")
    median_change: float | None = Field(description="Of the median price since the period before.")
    median_change_year: float | None = Field(description="Of the median price since a year before.")


class MarketTrends(Versions):
    location: str | None
    property_type: str | None
    frequency: Frequency
    periods: list[TrendPeriod] = Field(description="The earliest first, without gaps.")


CSV_HEADER = ["location", "property_type", *TrendPeriod.model_fields]


def trends_csv(trends: Mapping[str, Any]) -> str:
    """The periods as CSV with a header; unknown values are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_HEADER)
    scope = [_csv_text(trends[name]) for name in ("location", "property_type")]
    for period in trends["periods"]:
        writer.writerow([*scope, *(period[name] for name in TrendPeriod.model_fields)])
    return text.getvalue()


def _csv_text(text: str | None) -> str:
    """A text that no spreadsheet reads as a formula."""
    if text is None:
        return ""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def prefers_csv(accept: str) -> bool:
    """Whether the header `Accept` gives CSV a higher weight than JSON."""
    weights = {CSV: 0.0, JSON: 0.0}
    for part in accept.lower().split(","):
        media_type, *options = (piece.strip() for piece in part.split(";"))
        if media_type in weights:
            weights[media_type] = max(weights[media_type], _weight(options))
    return weights[CSV] > weights[JSON]


def _weight(options: Sequence[str]) -> float:
    for option in options:
        if option.startswith("q="):
            try:
                return float(option[2:])
            except ValueError:
                return 0.0
    return 1.0
