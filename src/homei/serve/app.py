"""The HTTP interface: two routes, their OpenAPI page, and one shape for everything that is refused."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from homei.serve.access.doorkeeper import Doorkeeper
from homei.serve.access.endpoint import add_token_endpoint
from homei.serve.access.scopes import describe_security, needs
from homei.serve.contract import Contract
from homei.serve.include import PARAMETER, included
from homei.serve.refusal import Problem, RequestError, shown
from homei.serve.schemas import Intake, Refusal, Valuation, Valuations

PRICE = "/api/v1/predict/price"
BATCH = "/api/v1/predict/batch"
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The body is empty or no JSON."},
    408: {"model": Refusal, "description": "The body did not arrive in time."},
    413: {"model": Refusal, "description": "The body is too large."},
    415: {"model": Refusal, "description": "The body is not declared as JSON in UTF-8."},
    422: {"model": Refusal, "description": "Fields are missing, unknown, of the wrong type or out of range."},
}


class DirectRoute(APIRoute):
    """A route whose function reads the request and makes the response itself, with no parsing between.

    FastAPI's own parsing costs as much as the model does, and its errors are of another shape.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


def create_app(contract: Contract, keeper: Doorkeeper | None = None) -> FastAPI:
    """The app for one contract; whoever runs it puts the predictor into `app.state.predictor`.

    With a doorkeeper it has the token endpoint, and OpenAPI tells who may; the gate before the app is what holds it.
    """
    app = FastAPI(
        title=f"homei: {contract.title}",
        version=contract.model_version,
        description=f"Valuations in {contract.currency}, from sales up to {contract.as_of}.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = DirectRoute
    app.add_exception_handler(HTTPException, _no_such_route)
    _add_valuations(app, Intake(contract), contract)
    if keeper:
        add_token_endpoint(app, keeper)
        describe_security(app)
    return app


def _add_valuations(app: FastAPI, intake: Intake, contract: Contract) -> None:
    schema = intake.model.model_json_schema()

    @app.post(PRICE, responses=REFUSALS | _answers(Valuation), openapi_extra=_body(schema, contract.example))
    @needs("predict")
    async def price(request: Request) -> Response:
        """Value one property."""
        value = request.app.state.predictor.value
        try:
            include = included(request.scope["query_string"])
            row = intake.one(await _json(request))
            if include:
                return _ok((await to_thread.run_sync(value, [row], include))[0])
            # Well under a millisecond: a thread would cost more than it frees.
            return _ok(value([row])[0])
        except RequestError as refused:
            return _refuse(refused)

    @app.post(BATCH, responses=REFUSALS | _answers(Valuations), openapi_extra=_batch_body(schema, contract))
    @needs("predict")
    async def batch(request: Request) -> Response:
        """Value many properties at once, in order; one that is wrong refuses them all."""

        def answer(body: bytes, include: frozenset[str]) -> Response:
            return _ok({"valuations": request.app.state.predictor.value(intake.many(body), include)})

        try:
            include = included(request.scope["query_string"])
            return await to_thread.run_sync(answer, await _json(request), include)
        except RequestError as refused:
            return _refuse(refused)


def add_docs(app: FastAPI, assets: Path) -> None:
    """An OpenAPI page at /docs, drawn by the Swagger UI in `assets`, without a request to elsewhere."""
    app.mount("/docs-assets", StaticFiles(directory=assets), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/docs-assets/swagger-ui-bundle.js",
            swagger_css_url="/docs-assets/swagger-ui.css",
            swagger_favicon_url="/docs-assets/favicon-light-32x32.png",
        )

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return RedirectResponse("/docs")


async def _json(request: Request) -> bytes:
    """The body, if it is declared as JSON in UTF-8."""
    kind, _, options = request.headers.get("content-type", "").lower().partition(";")
    if kind.strip() != "application/json" or ("charset" in options and "utf-8" not in options):
        given = shown(request.headers.get("content-type"))
        raise RequestError(415, [Problem("content-type", "should be application/json, in UTF-8", given)])
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise RequestError(415, [Problem("content-encoding", "should be absent", shown(encoding))])
    return await request.body()


def _ok(answer: dict[str, Any]) -> Response:
    return Response(to_json(answer), media_type="application/json")


def _refuse(refused: RequestError) -> Response:
    return Response(refused.body, status_code=refused.status, media_type="application/json")


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        problem = Problem(
            "path", f"there is nothing here; valuations are at {PRICE} and {BATCH}", shown(request.url.path)
        )
    elif error.status_code == 405:
        problem = Problem("method", "is not allowed here", shown(request.method))
    else:
        problem = Problem("request", str(error.detail))
    response = _refuse(RequestError(error.status_code, [problem]))
    response.headers.update(error.headers or {})
    return response


def _answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model}}


def _body(schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
    return {"parameters": [PARAMETER], "requestBody": body}


def _batch_body(schema: dict[str, Any], contract: Contract) -> dict[str, Any]:
    rows = {"type": "array", "items": schema, "minItems": 1, "maxItems": contract.limits.max_batch}
    batch = {
        "type": "object",
        "properties": {"properties": rows},
        "required": ["properties"],
        "additionalProperties": False,
    }
    return _body(batch, {"properties": [contract.example]})
