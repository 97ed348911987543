"""GET /api/v1/properties: search and details of published properties."""

# Annotations are evaluated here: FastAPI reads the parameter model of a contract from them.
from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection, RowMapping
from starlette.responses import Response

from homei.serving.auth.route_access import requires
from homei.serving.cache.service import cached_read, cached_response, json_bytes
from homei.serving.contract import Contract
from homei.serving.cursors import Cursor, data_fingerprint, decode_cursor, require_same_data, search_fingerprint
from homei.serving.deps import CacheDep, PredictorDep, WarehouseDep
from homei.serving.experiment import Models
from homei.serving.openapi import CACHE_STATUS_HEADER, VALIDATION_ERROR, WAREHOUSE_UNAVAILABLE, responses_of
from homei.serving.problem_details import Problem, ProblemError, shown
from homei.serving.property_responses import PropertyDetail, PropertyPage, property_detail, property_summary, versions
from homei.serving.search_params import NO_CONDITIONS, SearchParams, search_params_model
from homei.warehouse.property_records import property_events, property_row
from homei.warehouse.search_sql import MAX_COUNTED, CoordinateScale, Page, PageStart, PropertySearch
from homei.warehouse.sessions import Query as WarehouseQuery

PREFIX = "/api/v1/properties"
NOT_FOUND = {404: "No property with this id is published."}


def create_router(contract: Contract) -> APIRouter:
    """The routes with the coordinates of a contract."""
    router = APIRouter(prefix=PREFIX, tags=["properties"], dependencies=[requires("analytics")])
    Params = search_params_model(contract.place)  # noqa: N806

    @router.get(
        "/search",
        responses=responses_of(PropertyPage, VALIDATION_ERROR | WAREHOUSE_UNAVAILABLE, headers=CACHE_STATUS_HEADER),
    )
    async def search_properties(
        params: Annotated[Params, Query()], cache: CacheDep, warehouse: WarehouseDep
    ) -> Response:
        """Search properties by attributes, location and price, in pages."""
        query = _search_query(params, contract.place)
        return cached_response(await cached_read(cache, warehouse, f"{PREFIX}/search", params.model_dump(), query))

    @router.get(
        "/{property_id:path}",
        responses=responses_of(PropertyDetail, NOT_FOUND | WAREHOUSE_UNAVAILABLE, headers=CACHE_STATUS_HEADER),
    )
    async def get_property(
        property_id: Annotated[
            str, Path(description="As in the results of a search.", json_schema_extra={"minLength": 1})
        ],
        predictor: PredictorDep,
        cache: CacheDep,
        warehouse: WarehouseDep,
    ) -> Response:
        """Get one property with its valuation, its sales and listings, and comparable sales."""
        query = _detail_query(property_id, predictor)
        request_key = [property_id, predictor.stamp]
        return cached_response(await cached_read(cache, warehouse, f"{PREFIX}/{{property_id}}", request_key, query))

    return router


def _search_query(params: SearchParams, scale: CoordinateScale) -> WarehouseQuery[bytes]:
    """The query of a search; raises ProblemError for an invalid cursor."""
    conditions = params.model_dump(exclude=NO_CONDITIONS, exclude_none=True)
    fingerprint = search_fingerprint(conditions, params.sort)
    cursor = None if params.cursor is None else decode_cursor(params.cursor, fingerprint)
    search = PropertySearch(params.filters, scale, params.sort.removeprefix("-"), params.sort.startswith("-"))

    def query(connection: Connection, publication: RowMapping) -> bytes:
        if cursor is None:
            page = search.page(connection, params.limit)
        else:
            require_same_data(cursor, publication["digest"])
            page = search.page(connection, params.limit, cursor.start, cursor.n_matches)
        response = {
            "properties": [property_summary(row, publication["level"]) for row in page.rows],
            "total": {"count": min(page.n_matches, MAX_COUNTED), "exact": page.n_matches <= MAX_COUNTED},
            **_cursors(page, fingerprint, data_fingerprint(publication["digest"])),
            **versions(publication),
        }
        return json_bytes(response)

    return query


def _cursors(page: Page, search: str, data: str) -> dict[str, str | None]:
    """The cursors of the next and the previous page."""

    def cursor(row: RowMapping, backwards: bool) -> str:
        start = PageStart(row["order_value"], row["property_id"], backwards)
        return Cursor(start, page.n_matches, search, data).encode()

    return {
        "next": cursor(page.rows[-1], False) if page.rows and page.has_next else None,
        "previous": cursor(page.rows[0], True) if page.rows and page.has_previous else None,
    }


def _detail_query(property_id: str, predictor: Models) -> WarehouseQuery[bytes]:
    """The query of one property; raises ProblemError if it is not published."""
    not_found = ProblemError(404, [Problem("property_id", "no such property is published", shown(property_id))])
    if "\0" in property_id:
        raise not_found  # databases accept no NUL

    def query(connection: Connection, publication: RowMapping) -> bytes:
        row = property_row(connection, property_id)
        if row is None:
            raise not_found
        events = property_events(connection, property_id, row["shard"])
        return json_bytes(property_detail(row, events, predictor.comparables(row), publication))

    return query
