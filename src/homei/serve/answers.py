"""What routes answer with, and how OpenAPI tells it: JSON, and problem details for everything that is refused."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from homei.serve.refusal import MEDIA_TYPE
from homei.serve.schemas import Refusal

JSON = "application/json"
REFUSAL = {"$ref": "#/components/schemas/Refusal"}
WRONG = {422: "Fields are missing, unknown, of the wrong type or out of range."}
AWAY = {503: "There is no warehouse to ask, or it has no time; `Retry-After` says when to come back."}
OVERLOADED = {
    503: "As many requests as may be are being answered; `Retry-After` says when to come back.",
    504: "The answer was not there in time.",
}
BODY = {
    400: "The body is empty or no JSON.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not declared as JSON in UTF-8.",
}
_TEXT = {"type": "string"}


class DirectRoute(APIRoute):
    """A route whose function reads the request and makes the response itself, with no parsing between.

    FastAPI's own parsing costs as much as the model does, and its errors are of another shape.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


def as_json(answer: Any) -> bytes:
    """An answer in JSON, which knows no infinity: what is none of its numbers is null."""
    return to_json(answer, inf_nan_mode="null")


def ok(answer: Any, status: int = 200) -> Response:
    """An answer as JSON."""
    return Response(as_json(answer), status, media_type=JSON)


def encoded(body: bytes, cache_status: str | None, media_type: str = JSON) -> Response:
    """An answer that is encoded already, and whether it was kept, as RFC 9211 tells it."""
    return Response(body, media_type=media_type, headers={"cache-status": cache_status} if cache_status else None)


def keepable(responses: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """The same, its answers with the header that tells whether they were made for this request."""
    said = {"description": "Whether the answer was kept from an earlier request (RFC 9211).", "schema": _TEXT}
    responses[200]["headers"] = {**responses[200].get("headers", {}), "Cache-Status": said}
    return responses


def refusals(said: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    """Problem details of these statuses, as OpenAPI's `responses`; the Refusal is one of its schemas already."""
    return {
        str(status): {"description": text, "content": {MEDIA_TYPE: {"schema": REFUSAL}}}
        for status, text in said.items()
    }


def promised(model: type[BaseModel], said: Mapping[int, str], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """What a route may answer, as FastAPI's `responses`."""
    refused = {code: {"model": Refusal, "description": text} for code, text in sorted(said.items())}
    return {status: {"model": model, "description": "The answer."}, **refused}


def describe_answers(app: FastAPI) -> None:
    """Makes the app's OpenAPI tell in a route's line what it is for, that refusals are problem details, and that every
    answer has a request id.
    """
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for operations in plain()["paths"].values():
                for operation in operations.values():
                    operation["summary"] = operation.pop("description", operation["summary"]).removesuffix(".")
                    operation["responses"] = refusals(OVERLOADED) | operation["responses"]
                    _describe(operation["responses"])
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(responses: dict[str, Any]) -> None:
    named = {"description": "The request's name, the client's own if it gave a plain one.", "schema": _TEXT}
    for response in responses.values():
        response["headers"] = {**response.get("headers", {}), "X-Request-Id": named}
        content = response.get("content", {})
        if content.get(JSON, {}).get("schema") == REFUSAL:
            content[MEDIA_TYPE] = content.pop(JSON)
