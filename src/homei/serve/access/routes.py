"""Which scope a request needs, by its method and path."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import FastAPI

from homei.serve.access.scopes import api_routes, scope_of

# Probes are for orchestrators, which have no tokens; the documentation tells nothing that is secret.
OPEN = frozenset({"/", "/docs", "/openapi.json", "/livez", "/readyz", "/healthz"})
OPEN_BELOW = "/docs-assets/"
# BentoML's own: how much is asked and by what routes is the operator's business.
METRICS = "/metrics"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route needs: nothing at all, a token (scope ""), or a token with a scope. The template has no values."""

    template: str
    scope: str = ""
    is_open: bool = False


OPENED = {path: Rule(path, is_open=True) for path in (*OPEN, OPEN_BELOW)}
# Any token: whoever has one is told that there is nothing, and whoever hasn't learns not even that.
UNKNOWN = Rule("unknown")


class Routes:
    """The rules of an app's routes and of BentoML's own; what is in neither needs a token."""

    def __init__(self, app: FastAPI) -> None:
        self._patterns: list[tuple[re.Pattern[str], dict[str, Rule], Rule]] = []
        self._plain = {("GET", METRICS): Rule(METRICS, "admin"), ("HEAD", METRICS): Rule(METRICS, "admin")}
        by_path: dict[str, dict[str, Rule]] = {}
        for route in api_routes(app):
            rule = Rule(route.path_format, scope_of(route))
            by_path.setdefault(route.path_format, {}).update(dict.fromkeys(route.methods, rule))
            if "{" not in route.path_format:
                self._plain |= {(method, route.path_format): rule for method in route.methods}
            self._patterns.append((route.path_regex, by_path[route.path_format], Rule(route.path_format)))

    def rule(self, method: str, path: str) -> Rule:
        """The rule of one request. Patterns are the app's own, lest a path mean another thing here than there."""
        if found := self._plain.get((method, path)):
            return found
        if path in OPEN:
            return OPENED[path]
        if path.startswith(OPEN_BELOW):
            return OPENED[OPEN_BELOW]
        for pattern, rules, otherwise in self._patterns:
            if pattern.match(path):
                return rules.get(method, otherwise)
        return UNKNOWN
