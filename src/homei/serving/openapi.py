"""The OpenAPI page: descriptions of responses that several routes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def problem_responses(errors: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    """Problem details as OpenAPI writes them, for errors that no route declares."""
    content = {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}
    return {str(status): {"description": text, "content": dict(content)} for status, text in errors.items()}


def customise_openapi(app: FastAPI, describe_access: Callable[[dict[str, Any]], None]) -> None:
    """Adds to the app's OpenAPI what middleware answers and adds to responses."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            describe_access(schema)
            for operations in schema["paths"].values():
                for operation in operations.values():
                    operation["summary"] = operation.pop("description", operation["summary"]).removesuffix(".")
                    operation["responses"] = problem_responses(OVERLOADED) | operation["responses"]
                    _describe_responses(operation["responses"])
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend OpenAPI


def _describe_responses(responses: dict[str, Any]) -> None:
    for response in responses.values():
        response["headers"] = {**response.get("headers", {}), **REQUEST_ID_HEADER}
        content = response.get("content", {})
        if content.get(JSON, {}).get("schema") == PROBLEM_SCHEMA:
            content[MEDIA_TYPE] = content.pop(JSON)
