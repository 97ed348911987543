"""GET properties/search and properties/{id}: what is published of homes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from sqlalchemy import Connection, RowMapping
from starlette.requests import Request
from starlette.responses import Response

from homei.serve import cursors
from homei.serve.access.scopes import needs
from homei.serve.answers import AWAY, WRONG, as_json, encoded, keepable, promised
from homei.serve.cache.asking import published
from homei.serve.contract import Contract
from homei.serve.cursors import Cursor
from homei.serve.homes import Detailed, Homes, detailed, listed, versions
from homei.serve.query import parsed
from homei.serve.refusal import Problem, RequestError, answer, shown
from homei.serve.searching import Search, check, described
from homei.warehouse import history
from homei.warehouse.filters import Start
from homei.warehouse.search import MOST_COUNTED, Page, find

SEARCH = "/api/v1/properties/search"
PROPERTY = "/api/v1/properties/{property_id:path}"
ABSENT = {404: "No such property is published."}


def add_properties(app: FastAPI, contract: Contract) -> None:
    """Adds both routes; they ask the Desk in `app.state.warehouse`."""

    @app.get(
        SEARCH,
        tags=["properties"],
        responses=keepable(promised(Homes, WRONG | AWAY)),
        openapi_extra={"parameters": described(contract.place)},
    )
    @needs("analytics")
    async def search(request: Request) -> Response:
        """Homes by what they are, where they are and what they cost, in pages."""
        try:
            asked = parsed(Search, request.scope["query_string"])
            searching = _searching(asked, contract)
            return encoded(*await published(request, SEARCH, asked.model_dump(), searching))
        except RequestError as refused:
            return answer(request.scope, refused)

    @app.get(
        PROPERTY,
        tags=["properties"],
        responses=keepable(promised(Detailed, ABSENT | AWAY)),
        openapi_extra={"parameters": [_KEY]},
    )
    @needs("analytics")
    async def one(request: Request) -> Response:
        """One home, with its valuation, its past, and earlier sales that are like it."""
        try:
            predictor, property_id = request.app.state.predictor, request.path_params["property_id"]
            looking = _looking(property_id, predictor)
            question = [property_id, predictor.stamp]
            return encoded(*await published(request, PROPERTY, question, looking, is_short=True))
        except RequestError as refused:
            return answer(request.scope, refused)


_KEY = {
    "name": "property_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "As a search shows it.",
}


def _searching(asked: Search, contract: Contract) -> Any:
    """What answers a search, given a connection; raises RequestError for a search that can't be."""
    place = contract.place
    check(asked, place)
    filters, order = asked.filters, asked.sort.removeprefix("-")
    question = cursors.question(filters.given(), asked.sort)
    cursor = None if asked.cursor is None else cursors.opened(asked.cursor, question)

    def whole(connection: Connection, published: RowMapping) -> bytes:
        cursors.require_same_data(cursor, published["digest"])
        start = cursor.start if cursor else None
        counted = cursor.counted if cursor else None
        falling = asked.sort.startswith("-")
        page = find(connection, filters, place, order, falling, asked.limit, start, counted)
        found = {
            "properties": [listed(home, published["level"]) for home in page.homes],
            "total": {"count": min(page.counted, MOST_COUNTED), "exact": page.counted <= MOST_COUNTED},
            **_ends(page, question, cursors.short(published["digest"])),
            **versions(published),
        }
        return as_json(found)

    return whole


def _ends(page: Page, question: str, digest: str) -> dict[str, str | None]:
    """The cursors beyond the last home of a page, and before its first one."""
    if not page.homes:
        return {"next": None, "previous": None}

    def cursor(home: RowMapping, backwards: bool) -> str:
        return Cursor(Start(home["order_value"], home["property_id"], backwards), page.counted, question, digest).text()

    return {
        "next": cursor(page.homes[-1], False) if page.has_next else None,
        "previous": cursor(page.homes[0], True) if page.has_previous else None,
    }


def _looking(property_id: str, predictor: Any) -> Any:
    """What tells a property and its past, given a connection; raises RequestError where there is none."""
    absent = RequestError(404, [Problem("property_id", "no such property is published", shown(property_id))])
    if "\0" in property_id:
        raise absent  # which no database takes

    def whole(connection: Connection, published: RowMapping) -> bytes:
        row = history.one(connection, property_id)
        if row is None:
            raise absent
        past = history.past(connection, property_id)
        return as_json(detailed(row, past, predictor.comparables(row), published))

    return whole
