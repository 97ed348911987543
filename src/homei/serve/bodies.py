"""Request bodies: declared as JSON in UTF-8, and parsed, or refused."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from homei.serve.refusal import Problem, RequestError, shown


async def json_body(request: Request) -> bytes:
    """The body, if it is declared as JSON in UTF-8; raises RequestError otherwise."""
    kind, _, options = request.headers.get("content-type", "").lower().partition(";")
    if kind.strip() != "application/json" or ("charset" in options and "utf-8" not in options):
        given = shown(request.headers.get("content-type"))
        raise RequestError(415, [Problem("content-type", "should be application/json, in UTF-8", given)])
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise RequestError(415, [Problem("content-encoding", "should be absent", shown(encoding))])
    return await request.body()


def parsed(body: bytes) -> Any:
    """What a body holds; raises RequestError for what is no JSON."""
    if not body.strip():
        raise RequestError(400, [Problem("body", "is empty; a JSON object is expected")])
    try:
        return from_json(body)
    except ValueError as error:
        raise RequestError(400, [Problem("body", f"is not JSON: {error}")]) from error
