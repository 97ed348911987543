"""Refused requests as problem details (RFC 9457): exception, response and handlers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import PydanticCustomError, to_json
from starlette.exceptions import HTTPException as StarletteHTTPException

MAX_PROBLEMS = 100  # listed for one request
MAX_SHOWN_CHARACTERS = 100  # of one value
N_SENTENCES = 3  # problems in `detail`
MEDIA_TYPE = "application/problem+json"
REQUEST_ID_KEY = "homei.request_id"  # in the scope of a request
# FastAPI puts the part of the request before the name of a field.
PARTS = ("body", "query", "path", "header")


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: the field, what is wrong with it, and the value it had."""

    field: str
    message: str
    value: Any = None


class ProblemError(HTTPException):
    """A request that cannot be answered: HTTP status, problems by field, and response headers."""

    def __init__(self, status_code: int, problems: Sequence[Problem], headers: Mapping[str, str] | None = None) -> None:
        detail = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
        super().__init__(status_code, detail, dict(headers or {}))
        self.problems = problems

    def __str__(self) -> str:
        return str(self.detail)


def field_error(field: str, message: str, value: Any = None) -> PydanticCustomError:
    """An error that a model's validator raises about one of its fields."""
    return PydanticCustomError("field", "{message}", {"message": message, "field": field, "value": value})


def problem_response(scope: Mapping[str, Any], error: ProblemError) -> Response:
    """The response with an error's problem details, as schemas.ProblemDetails describes them."""
    n_more = len(error.problems) - N_SENTENCES
    sentences = [f"{problem.field}: {problem.message}" for problem in error.problems[:N_SENTENCES]]
    body = {
        "type": "about:blank",  # the title is the one of the status code
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": "; ".join(sentences) + (f"; and {n_more} more" if n_more > 0 else ""),
        "errors": [asdict(problem) for problem in error.problems[:MAX_PROBLEMS]],
        "request_id": scope.get(REQUEST_ID_KEY, ""),
    }
    return Response(to_json(body), error.status_code, error.headers, MEDIA_TYPE)


def add_exception_handlers(app: FastAPI) -> None:
    """Makes the app answer every refused request with problem details."""
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(StarletteHTTPException, _handle_http_exception)


def problems_of(errors: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """The problems in what `ValidationError.errors()` or `RequestValidationError.errors()` returns."""
    return [_problem(error) for error in errors]


def shown(value: Any) -> Any:
    """A value as a response may repeat it: short, and always expressible in JSON."""
    if isinstance(value, str):
        return value if len(value) <= MAX_SHOWN_CHARACTERS else f"{value[:MAX_SHOWN_CHARACTERS]}…"
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return "an object" if isinstance(value, dict) else "a list"


def _handle_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(request.scope, ProblemError(422, problems_of(error.errors())))


def _handle_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if isinstance(error, ProblemError):
        return problem_response(request.scope, error)
    if error.status_code == 404:
        problem = Problem("path", "no such path; /docs lists all of them", shown(request.url.path))
    elif error.status_code == 405:
        problem = Problem("method", "this path does not support the method", shown(request.method))
    else:
        problem = Problem("request", str(error.detail))
    return problem_response(request.scope, ProblemError(error.status_code, [problem], error.headers))


def _problem(error: Mapping[str, Any]) -> Problem:
    location, context = list(error["loc"]), error.get("ctx", {})
    part = location.pop(0) if location and location[0] in PARTS else "body"
    if part == "query":
        location = location[:1]  # without the position in a list
    if error["type"] == "field":
        location.append(context["field"])
    field = ".".join(shown(name) if isinstance(name, str) else str(name) for name in location) or str(part)
    if error["type"] == "field":
        return Problem(field, context["message"], shown(context["value"]))
    if error["type"] == "missing":
        return Problem(field, "this field is required")
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] in ("model_type", "model_attributes_type"):
        message = "should be an object"
    elif error["type"] == "extra_forbidden":
        message = "there is no such field"
    return Problem(field, f"{message[0].lower()}{message[1:]}", shown(error["input"]))
