"""The web site of the portal's rival: pages of cards, one page per property, and robots.txt."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from homei.demo.conditional_requests import with_etag

CARDS_PER_PAGE = 40
PATH = "/rival/homes"
ROBOTS = f"User-agent: *\nAllow: {PATH}\nDisallow: /rival/private\nCrawl-delay: 0\n"
# Facts on a property's page: label, CSS class, field of the record and unit.
FACTS = (
    ("Type", "type", "property_type", ""),
    ("Living area", "area", "square_meters", " m²"),
    ("Bedrooms", "bedrooms", "bedrooms", ""),
    ("Bathrooms", "bathrooms", "bathrooms", ""),
    ("Floor", "floor", "floor", ""),
    ("Built in", "built", "year_built", ""),
)


def rival_router(records: Sequence[dict[str, Any]]) -> APIRouter:
    """The routes of the site for these properties, the newest of which come first."""
    by_id = {record["listing_id"]: record for record in sorted(records, key=lambda record: record["listing_id"])}
    newest_first = sorted(by_id.values(), key=lambda record: record["listed_on"], reverse=True)
    n_pages = max(1, -(-len(newest_first) // CARDS_PER_PAGE))
    folder = Path(__file__).with_name("templates")
    templates = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    templates.filters["day"] = _day
    router = APIRouter()

    def rendered(request: Request, template: str, **values: Any) -> Response:
        html = templates.get_template(template).render(path=PATH, **values)
        return with_etag(request, HTMLResponse(html))

    @router.get(PATH)
    async def list_properties(request: Request, page: int = 1) -> Response:
        if not 1 <= page <= n_pages:
            raise HTTPException(404)
        properties = newest_first[(page - 1) * CARDS_PER_PAGE : page * CARDS_PER_PAGE]
        numbers = {"page": page, "n_pages": n_pages, "n_properties": len(newest_first)}
        return rendered(request, "rival_list.html.j2", properties=properties, **numbers)

    @router.get(PATH + "/{listing_id}")
    async def show_property(request: Request, listing_id: str) -> Response:
        if listing_id not in by_id:
            raise HTTPException(404)
        return rendered(request, "rival_property.html.j2", property=by_id[listing_id], facts=FACTS)

    @router.get("/rival/private/{page}")
    async def refuse(page: str) -> Response:
        raise HTTPException(403, f"{page} is for agents only")

    @router.get("/robots.txt")
    async def robots() -> Response:
        return PlainTextResponse(ROBOTS)

    return router


def _day(moment: str) -> str:
    day = datetime.date.fromisoformat(moment[:10])
    return f"{day.day} {day:%B %Y}"
