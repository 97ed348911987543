"""Which scope each route needs, as the routes declare it, and the OAuth 2.0 scheme that OpenAPI shows.

FastAPI runs a route's dependencies after it has read the body. AuthMiddleware comes before that, so that clients
without a token cannot make the service read one; it looks up here what the routes declare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, params
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.security import OAuth2
from starlette.routing import Match
from starlette.types import Scope

TOKEN_PATH = "/api/v1/token"
SCOPES = {
    "predict": "Request valuations.",
    "analytics": "Search properties and read market statistics.",
    "feedback": "Report sale prices.",
    "admin": "Read the service's metrics.",
}
FLOWS = OAuthFlows(clientCredentials=OAuthFlowClientCredentials(tokenUrl=TOKEN_PATH, scopes=SCOPES))
OAUTH2 = OAuth2(flows=FLOWS, scheme_name="client_credentials", auto_error=False)
# For `openapi_extra` of a route that needs no token; this is how OpenAPI declares it.
NO_TOKEN: dict[str, Any] = {"security": []}

# Orchestrators have no tokens for probes, and the documentation holds no secrets.
OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/livez", "/readyz", "/healthz"})
OPEN_PREFIX = "/docs-assets/"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class RouteAccess:
    """What a route needs: a token with `scope`, any token (None), or no token.

    `template` is its path with names of parameters, for logs.
    """

    template: str
    scope: str | None = None
    needs_token: bool = True
    is_open: bool = False  # neither checked nor audited


# Clients with a token get 404, all others 401: they cannot find out which paths exist.
UNKNOWN = RouteAccess("unknown")


def requires(scope: str) -> params.Security:
    """The dependency by which a route or router declares the scope of its tokens."""
    if scope not in SCOPES:
        raise ValueError(f"there is no scope {scope}: choose one of {', '.join(SCOPES)}")
    return params.Security(OAUTH2, scopes=[scope])


class RouteTable:
    """Finds the access rule of a request by the routes' own patterns.

    Raises ValueError for a public route that declares neither `requires(scope)` nor NO_TOKEN. Other routes without a
    declaration need any token.
    """

    def __init__(self, app: FastAPI) -> None:
        routes = iter_route_contexts(app.routes)
        self._routes = [(route, _declared(route)) for route in routes if isinstance(route.original_route, APIRoute)]

    def find(self, scope: Scope) -> RouteAccess:
        """The rule of the request with this ASGI scope."""
        path = scope["path"]
        if path in OPEN_PATHS or path.startswith(OPEN_PREFIX):
            return RouteAccess(path if path in OPEN_PATHS else OPEN_PREFIX, is_open=True)
        same_path = UNKNOWN
        for route, access in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return access
            if match is Match.PARTIAL:
                same_path = RouteAccess(access.template, needs_token=access.needs_token)
        return same_path


def _declared(route: RouteContext) -> RouteAccess:
    if route.path in OPEN_PATHS:
        return RouteAccess(route.path, is_open=True)
    scopes = [name for each in route.dependencies if isinstance(each, params.Security) for name in each.scopes or ()]
    if scopes:
        return RouteAccess(route.path_format, scopes[0])
    if (route.openapi_extra or {}).get("security") == []:
        return RouteAccess(route.path_format, needs_token=False)
    if not route.include_in_schema:
        return UNKNOWN
    raise ValueError(f"{route.path} declares no scope: add `dependencies=[requires(scope)]`")
