"""The OpenAPI page: descriptions of responses that several routes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from homei.serving.problem_details import MEDIA_TYPE
from homei.serving.schemas import ProblemDetails

JSON = "application/json"
PROBLEM_SCHEMA = {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}

VALIDATION_ERROR = {422: "Fields are missing, unknown, of the wrong type or out of range."}
WAREHOUSE_UNAVAILABLE = {503: "The warehouse is missing or too busy; retry after `Retry-After` seconds."}
OVERLOADED = {
    503: "The limit of concurrent requests is reached; retry after `Retry-After` seconds.",
    504: "The response was not ready in time.",
}
BODY_ERRORS = {
    400: "The body is empty or is not JSON.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not declared as JSON in UTF-8.",
}
# Answers of AuthMiddleware at the token endpoint, and where a token is needed.
TOKEN_ROUTE_ERRORS = {
    408: BODY_ERRORS[408],
    413: BODY_ERRORS[413],
    429: "Too many failed attempts from this address; retry after `Retry-After` seconds.",
    503: "No request can be authorised now, or too many requests wait; retry after `Retry-After` seconds.",
}
TOKEN_ERRORS = {
    400: "More than one `Authorization` header.",
    401: "The token is missing or invalid; `WWW-Authenticate` tells which.",
    403: "The token lacks the scope of this route.",
    429: "Above the client's request rate, or too many failed attempts; retry after `Retry-After` seconds.",
    503: TOKEN_ROUTE_ERRORS[503],
}


def _header(name: str, description: str) -> dict[str, Any]:
    return {name: {"description": description, "schema": {"type": "string"}}}


CACHE_STATUS_HEADER = _header("Cache-Status", "Whether the response comes from the cache (RFC 9211).")
PREDICTION_ID_HEADER = _header(
    "X-Prediction-Id", "The `prediction_id` of feedback. In a batch, row 17 (from 0) has `.17` behind it."
)
REQUEST_ID_HEADER = _header("X-Request-Id", "The request's id: the client's own if it is a plain one.")


def responses_of(
    model: type[BaseModel], errors: Mapping[int, str], status: int = 200, headers: Mapping[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: its model with further headers, and problem details for the errors."""
    problems = {code: {"model": ProblemDetails, "description": text} for code, text in sorted(errors.items())}
    return {status: {"model": model, "description": "The response.", "headers": dict(headers or {})}, **problems}


def customise_openapi(app: FastAPI, has_auth: bool) -> None:
    """Adds to the app's OpenAPI what middleware answers and adds to responses."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            if not has_auth:
                schema["components"].pop("securitySchemes")
            for operations in schema["paths"].values():
                for operation in operations.values():
                    operation["summary"] = operation.pop("description", operation["summary"]).removesuffix(".")
                    _describe_middleware(operation, has_auth)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend OpenAPI


def _describe_middleware(operation: dict[str, Any], has_auth: bool) -> None:
    security, responses = operation.get("security"), operation["responses"]
    errors = dict(OVERLOADED)
    if not has_auth:
        del operation["security"]
    elif security:
        errors |= TOKEN_ERRORS
    else:
        errors |= TOKEN_ROUTE_ERRORS
        del responses["422"]  # FastAPI's, for forms; RFC 6749 has 400
    for response in responses.values():
        content = response.get("content", {})
        if content.get(JSON, {}).get("schema") == PROBLEM_SCHEMA:
            content[MEDIA_TYPE] = content.pop(JSON)
    for status, text in errors.items():
        response = responses.setdefault(str(status), {"description": text, "content": {}})
        response["content"].setdefault(MEDIA_TYPE, {"schema": PROBLEM_SCHEMA})
    for response in responses.values():
        response["headers"] = {**response.get("headers", {}), **REQUEST_ID_HEADER}
