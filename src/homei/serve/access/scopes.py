"""What a client may be allowed to do, which route needs what, and how OpenAPI tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.routing import APIRoute

from homei.serve.access.turned import LOCKED, TURNED_AWAY
from homei.serve.answers import refusals

SCOPES = {
    "predict": "Ask for valuations.",
    "analytics": "Search properties and read the market's figures.",
    "feedback": "Tell what properties did sell at.",
    "admin": "Read the service's own metrics.",
}
# A route for whoever shows who he is in the request itself, as at the token endpoint.
ANYONE = ""
TOKEN = "/api/v1/token"
SCHEME = "client_credentials"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def needs(scope: str) -> Callable[[Endpoint], Endpoint]:
    """Marks a route's function with the scope that a token must have for it; the gate and OpenAPI read the mark."""
    if scope != ANYONE and scope not in SCOPES:
        raise ValueError(f"there is no scope {scope}: {', '.join(SCOPES)}")

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.needed_scope = scope  # type: ignore[attr-defined]
        return endpoint

    return mark


def scope_of(route: APIRoute) -> str:
    """The scope that a route needs; raises ValueError for a route that nobody marked, lest it be open by oversight."""
    scope = getattr(route.endpoint, "needed_scope", None)
    if scope is None:
        raise ValueError(f"{route.path} doesn't say what scope it needs: mark its function with @needs")
    return scope


def api_routes(app: FastAPI) -> list[APIRoute]:
    """The routes of the interface; the pages of documentation are not among them."""
    return [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]


def describe_security(app: FastAPI) -> None:
    """Makes the app's OpenAPI tell where tokens come from, and which scope each route needs."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        flow = {"clientCredentials": {"tokenUrl": TOKEN, "scopes": SCOPES}}
        schema.setdefault("components", {})["securitySchemes"] = {SCHEME: {"type": "oauth2", "flows": flow}}
        for route in api_routes(app):
            scope = scope_of(route)
            for method in route.methods:
                described = schema["paths"][route.path_format][method.lower()]
                described["security"] = [] if scope == ANYONE else [{SCHEME: [scope]}]
                for status, told in refusals(LOCKED if scope == ANYONE else TURNED_AWAY).items():
                    known = described["responses"].setdefault(status, told)
                    known["content"] = told["content"] | known["content"]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
