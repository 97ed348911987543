"""GET /api/v1/analytics/market-trends: the market over time as JSON or CSV."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection, RowMapping
from starlette.responses import Response

from homei.serving.auth.route_access import requires
from homei.serving.cache.service import cached_read, cached_response, json_bytes
from homei.serving.deps import CacheDep, WarehouseDep
from homei.serving.openapi import CACHE_STATUS_HEADER, JSON, VALIDATION_ERROR, WAREHOUSE_UNAVAILABLE, responses_of
from homei.serving.problem_details import Problem, ProblemError, shown
from homei.serving.property_responses import versions
from homei.serving.trend_responses import CSV, CSV_HEADER, MarketTrends, TrendParams, prefers_csv, trends_csv
from homei.warehouse.market_trends import TrendQuery, has_trends, trend_periods
from homei.warehouse.sessions import Query as WarehouseQuery

TRENDS = "/api/v1/analytics/market-trends"
NOT_FOUND = {404: "Nothing is published about this location or property type."}
RESPONSES = responses_of(
    MarketTrends, NOT_FOUND | VALIDATION_ERROR | WAREHOUSE_UNAVAILABLE, headers=CACHE_STATUS_HEADER
)
RESPONSES[200]["content"] = {CSV: {"schema": {"type": "string"}, "example": ",".join(CSV_HEADER) + "\r\n"}}

router = APIRouter(tags=["market"], dependencies=[requires("analytics")])


@router.get(TRENDS, responses=RESPONSES)
async def get_market_trends(
    params: Annotated[TrendParams, Query()], request: Request, cache: CacheDep, warehouse: WarehouseDep
) -> Response:
    """Get prices, sales, listings and their changes over time."""
    is_csv = params.format == "csv" or (params.format is None and prefers_csv(request.headers.get("accept", "")))
    media_type = CSV if is_csv else JSON
    request_key = [media_type, params.model_dump(exclude={"format"})]
    cached = await cached_read(cache, warehouse, TRENDS, request_key, _trends_query(params, is_csv))
    response = cached_response(cached, media_type)
    response.headers["vary"] = "accept"
    return response


def _trends_query(params: TrendParams, is_csv: bool) -> WarehouseQuery[bytes]:
    """The query of market trends; raises ProblemError if nothing is published about the location or type."""

    def query(connection: Connection, publication: RowMapping) -> bytes:
        trend_query = TrendQuery(**params.model_dump(exclude={"format"}))
        periods = trend_periods(connection, trend_query, publication["as_of"])
        if not any(period["market_sales"] for period in periods):
            _require_trends(connection, params)
        scope = params.model_dump(include={"location", "property_type", "frequency"})
        trends = {**scope, "periods": periods, **versions(publication)}
        return trends_csv(trends).encode() if is_csv else json_bytes(trends)

    return query


def _require_trends(connection: Connection, params: TrendParams) -> None:
    for column in ("location", "property_type"):
        value = getattr(params, column)
        if value is not None and not has_trends(connection, column, value):
            raise ProblemError(404, [Problem(column, "nothing is published about it", shown(value))])
