"""GET analytics/market-trends: the market over time, as JSON or CSV."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from sqlalchemy import Connection, RowMapping
from starlette.requests import Request
from starlette.responses import Response

from homei.serve.access.scopes import needs
from homei.serve.answers import AWAY, JSON, WRONG, as_json, encoded, keepable, promised
from homei.serve.cache.asking import published
from homei.serve.homes import Versioned, versions
from homei.serve.query import Name, Query, parameters, parsed
from homei.serve.refusal import Problem, RequestError, answer, shown
from homei.warehouse.trends import Frequency, Market, find, is_known

TRENDS = "/api/v1/analytics/market-trends"
ABSENT = {404: "Nothing is known of this location, or of this type."}
CSV = "text/csv"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula


class Trends(Query):
    """What is left out stands for all of it."""

    location: Name | None = Field(None, description="District or town, exactly as the data has it; else all of them.")
    property_type: Name | None = Field(None, description="The type, exactly as the data has it; else all of them.")
    months: Annotated[int, Field(ge=1, le=600)] = Field(24, description="How far back, from the month of `as_of`.")
    frequency: Frequency = Field("month", description="Quarters and years are whole ones, the last one up to `as_of`.")
    format: Literal["json", "csv"] | None = Field(None, description="Else what `Accept` asks for.")


class Period(BaseModel):
    """A month, quarter or year; null is what is not known of it. Changes are fractions."""

    period: datetime.date = Field(description="Its first day.")
    market_sales: int = Field(description="How many sold at a market price.")
    median_price: float | None
    average_price_per_square_meter: float | None
    price_index: float | None = Field(description="At its end, 100 where it begins; of all types together.")
    inventory: int | None = Field(description="Homes offered at its end; of all types together.")
    new_listings: int | None = Field(description="Offers that began; of all types together.")
    closed_listings: int | None = Field(description="Offers that ended; of all types together.")
    index_change: float | None = Field(description="Of the index, since the period before.")
    index_change_year: float | None = Field(description="Of the index, since a year before.")
    median_change: float | None = Field(description="Of the median price, since the period before.")
    median_change_year: float | None = Field(description="Of the median price, since a year before.")


class MarketTrends(Versioned):
    location: str | None
    property_type: str | None
    frequency: Frequency
    periods: list[Period] = Field(description="The earliest first, without gaps.")


def add_trends(app: FastAPI) -> None:
    """Adds the route; it asks the Desk in `app.state.warehouse`."""
    responses = keepable(promised(MarketTrends, ABSENT | WRONG | AWAY))
    responses[200]["content"] = {CSV: {"schema": {"type": "string"}, "example": _example()}}

    @app.get(TRENDS, tags=["market"], responses=responses, openapi_extra={"parameters": parameters(Trends)})
    @needs("analytics")
    async def market_trends(request: Request) -> Response:
        """Prices, sales, offers and their change over time."""
        try:
            asked = parsed(Trends, request.scope["query_string"])
            kind = CSV if asked.format == "csv" or (asked.format is None and _wants_csv(request)) else JSON
            question = [kind, asked.model_dump(exclude={"format"})]
            response = encoded(*await published(request, TRENDS, question, _asking(asked, kind), is_short=True), kind)
        except RequestError as refused:
            return answer(request.scope, refused)
        response.headers["vary"] = "accept"
        return response


def as_csv(told: Mapping[str, Any]) -> str:
    """The periods as CSV, a line each after the header, location and type first; empty is what is not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    names = list(Period.model_fields)
    writer.writerow(["location", "property_type", *names])
    for period in told["periods"]:
        writer.writerow([_cell(told["location"]), _cell(told["property_type"]), *(period[name] for name in names)])
    return text.getvalue()


def _cell(text: str | None) -> str:
    """A text that no spreadsheet takes for a formula."""
    if text is None:
        return ""
    return f"'{text}" if text.startswith(FORMULA) else text


def _asking(asked: Trends, kind: str) -> Any:
    """What answers a question, given a connection; raises RequestError where nothing is known of it."""
    market = Market(asked.location, asked.property_type, asked.months, asked.frequency)

    def whole(connection: Connection, published: RowMapping) -> bytes:
        periods = find(connection, market, published["as_of"])
        if not any(period["market_sales"] for period in periods):
            _require_known(connection, asked)
        own = {"location": asked.location, "property_type": asked.property_type, "frequency": asked.frequency}
        told = {**own, "periods": periods, **versions(published)}
        return as_csv(told).encode() if kind == CSV else as_json(told)

    return whole


def _require_known(connection: Connection, asked: Trends) -> None:
    for column in ("location", "property_type"):
        value = getattr(asked, column)
        if value is not None and not is_known(connection, column, value):
            raise RequestError(404, [Problem(column, "nothing is known of it", shown(value))])


def _wants_csv(request: Request) -> bool:
    """Whether a client that says what it takes would rather have CSV than JSON."""
    weights = {CSV: 0.0, "application/json": 0.0}
    for part in request.headers.get("accept", "").lower().split(","):
        kind, *options = (piece.strip() for piece in part.split(";"))
        if kind in weights:
            weights[kind] = max(weights[kind], _weight(options))
    return weights[CSV] > weights["application/json"]


def _weight(options: Sequence[str]) -> float:
    for option in options:
        if option.startswith("q="):
            try:
                return float(option[2:])
            except ValueError:
                return 0.0
    return 1.0


def _example() -> str:
    return ",".join(["location", "property_type", *Period.model_fields]) + "\r\n"
