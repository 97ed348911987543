"""What an answer may hold besides the value, if the query parameter `include` asks for it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from homei.serve.refusal import Problem, RequestError, shown

COMPARABLES, REASONS = "comparables", "reasons"
INCLUDABLE = (COMPARABLES, REASONS)
# Rows with reasons in one request: TreeSHAP takes 1.5 ms a row through 800 trees of 21 leaves and 7 ms of 63.
MOST_EXPLAINED = 200
NOTHING: frozenset[str] = frozenset()

# As OpenAPI describes the parameter: names joined by commas.
PARAMETER: dict[str, Any] = {
    "name": "include",
    "in": "query",
    "required": False,
    "style": "form",
    "explode": False,
    "allowEmptyValue": True,
    "schema": {"type": "array", "items": {"type": "string", "enum": list(INCLUDABLE)}},
    "description": "What each answer holds besides: `comparables`, the most similar earlier sales, and `reasons`, "
    f"of models that can tell them, in a batch of up to {MOST_EXPLAINED} properties.",
}


def included(query: bytes) -> frozenset[str]:
    """The names that a query string asks for; raises RequestError naming the first one that is not known."""
    if not query:
        return NOTHING
    given = [value for name, value in parse_qsl(query.decode("latin-1")) if name == PARAMETER["name"]]
    names = [name.strip() for value in given for name in value.split(",")]
    for name in names:
        if name not in INCLUDABLE:
            allowed = ", ".join(INCLUDABLE)
            raise RequestError(
                422, [Problem("include", f"should be a comma-separated list of: {allowed}", shown(name))]
            )
    return frozenset(names)


def check_size(rows: int, include: frozenset[str]) -> None:
    """Raises RequestError where explaining so many rows would take longer than a client waits."""
    if REASONS in include and rows > MOST_EXPLAINED:
        raise RequestError(
            422, [Problem("properties", f"should hold 1 to {MOST_EXPLAINED} rows where reasons are asked for", rows)]
        )
