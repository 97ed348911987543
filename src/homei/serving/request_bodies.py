"""Request bodies: JSON in UTF-8 (RFC 8259), and models that refuse unknown fields."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import from_json

from homei.serving.problem_details import Problem, ProblemError, field_error, shown


def _parse_date(value: Any) -> datetime.date:
    # Strict pydantic refuses texts, and lax pydantic also takes numbers.
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return datetime.date.fromisoformat(value)
    raise ValueError("should be a date such as 2026-01-31")


Date = Annotated[datetime.date, BeforeValidator(_parse_date)]


class JsonRoute(APIRoute):
    """A route that refuses bodies that are not declared as JSON (415) or are no JSON (400).

    Starlette's parser also takes UTF-16, byte order marks and half of a surrogate pair.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            require_json_headers(request)
            return await handler(JsonRequest(request.scope, request.receive))

        return handle


class JsonRequest(Request):
    """A request whose body is parsed by pydantic's JSON parser."""

    async def body(self) -> bytes:
        body = await super().body()
        if not body.strip():
            raise ProblemError(400, [Problem("body", "is empty; a JSON object is expected")])
        return body

    async def json(self) -> Any:
        return parse_json(await self.body())


class RequestModel(BaseModel):
    """A body or query string without unknown fields, NaN or infinity."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown_fields(cls, values: Any) -> Any:
        """Stops at the first unknown field: a row with a million of them would take seconds to explain."""
        if isinstance(values, dict):
            for name in values:
                if name not in cls.model_fields:
                    message = f"there is no such field{similar_name(str(name), cls.model_fields)}"
                    raise field_error(shown(name), message, values[name])
        return values


def similar_name(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: a question after the most similar known one, if any."""
    similar = difflib.get_close_matches(name[:200], list(names), n=1)
    return f"; did you mean {similar[0]}?" if similar else ""


def require_json_headers(request: Request) -> None:
    """Raises ProblemError unless the headers declare an uncompressed JSON body in UTF-8."""
    content_type, _, options = request.headers.get("content-type", "").lower().partition(";")
    if content_type.strip() != "application/json" or ("charset" in options and "utf-8" not in options):
        value = shown(request.headers.get("content-type"))
        raise ProblemError(415, [Problem("content-type", "should be application/json, in UTF-8", value)])
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise ProblemError(415, [Problem("content-encoding", "should be absent", shown(encoding))])


def parse_json(body: bytes) -> Any:
    """The value of a JSON text; raises ProblemError (400) for other bytes."""
    try:
        return from_json(body)
    except ValueError as error:
        raise ProblemError(400, [Problem("body", f"is not JSON: {error}")]) from error
