"""The HTTP interface: its routes, their OpenAPI page, and one shape for everything that is refused."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from homei.serve.access.doorkeeper import Doorkeeper
from homei.serve.access.endpoint import add_token_endpoint
from homei.serve.access.gate import client_of
from homei.serve.access.routes import METRICS
from homei.serve.access.scopes import describe_security, needs
from homei.serve.answers import BODY, WRONG, DirectRoute, describe_answers, encoded, keepable, ok, promised
from homei.serve.bodies import json_body
from homei.serve.cache.asking import valued
from homei.serve.contract import Contract
from homei.serve.feedback import add_feedback
from homei.serve.include import PARAMETER, included
from homei.serve.intake import Intake
from homei.serve.properties import add_properties
from homei.serve.refusal import Problem, RequestError, answer, shown
from homei.serve.schemas import Valuation, Valuations
from homei.serve.together import Together
from homei.serve.trends import add_trends
from homei.serve.watch import MEDIA_TYPE, page

PRICE = "/api/v1/predict/price"
BATCH = "/api/v1/predict/batch"
NAME = b"x-prediction-id"
UNVALUED = {422: f"{WRONG[422]} Or a price would be an invention: nothing alike was sold within reach."}


def create_app(contract: Contract, keeper: Doorkeeper | None = None) -> FastAPI:
    """The app for one contract; whoever runs it sets `app.state.predictor`, `app.state.warehouse` to a Desk, and
    `app.state.log` to a PredictionLog where answers are counted and kept, and `app.state.cache` to a Cache where those
    that are asked for again aren't made anew.

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
    app.state.log = app.state.cache = None
    app.state.together = Together()
    app.add_exception_handler(HTTPException, _no_such_route)
    _add_valuations(app, Intake(contract), contract)
    add_properties(app, contract)
    add_trends(app)
    add_feedback(app)
    add_metrics(app)
    if keeper:
        add_token_endpoint(app, keeper)
        describe_security(app)
    describe_answers(app)
    return app


def _add_valuations(app: FastAPI, intake: Intake, contract: Contract) -> None:
    schema = intake.model.model_json_schema()

    @app.post(
        PRICE,
        tags=["valuations"],
        responses=keepable(_named(promised(Valuation, BODY | UNVALUED))),
        openapi_extra=_body(schema, contract.example),
    )
    @needs("predict")
    async def price(request: Request) -> Response:
        """Value one property."""
        began = time.perf_counter()
        try:
            include = included(request.scope["query_string"])
            row = intake.one(await json_body(request))
            predictor = request.app.state.predictor.answering(row, client_of(request.scope))
            found = await valued(request, PRICE, predictor, row, include)
            return _logged(request, encoded(*found), began, [row], [from_json(found.body)], alone=True)
        except RequestError as refused:
            return _refused(request, refused)

    @app.post(
        BATCH,
        tags=["valuations"],
        responses=_named(promised(Valuations, BODY | UNVALUED)),
        openapi_extra=_batch_body(schema, contract),
    )
    @needs("predict")
    async def batch(request: Request) -> Response:
        """Value many properties at once, in order; one that is wrong refuses them all."""

        began = time.perf_counter()

        def answered(body: bytes, include: frozenset[str]) -> Response:
            rows = intake.many(body)
            answers = request.app.state.predictor.value_all(rows, include, client_of(request.scope))
            return _logged(request, ok({"valuations": answers}), began, rows, answers)

        try:
            include = included(request.scope["query_string"])
            return await to_thread.run_sync(answered, await json_body(request), include)
        except RequestError as refused:
            return _refused(request, refused)


def _logged(
    request: Request,
    response: Response,
    began: float,
    rows: Sequence[Mapping[str, Any]],
    answers: Sequence[Mapping[str, Any]],
    alone: bool = False,
) -> Response:
    """The response, with the name that its answers are kept under where they are."""
    log = request.app.state.log
    if log and (name := log.take(request.scope, began, rows, answers, alone)):
        response.raw_headers.append((NAME, name.encode()))
    return response


def _refused(request: Request, refused: RequestError) -> Response:
    if request.app.state.log:
        request.app.state.log.refused(refused.status)
    return answer(request.scope, refused)


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
            swagger_ui_parameters={"defaultModelsExpandDepth": -1},  # the list of all schemas buries the routes
        )

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return RedirectResponse("/docs")


def add_metrics(app: FastAPI) -> None:
    """The figures for Prometheus at /metrics, from a thread of their own: no overload keeps them from being seen."""
    limiter = CapacityLimiter(1)

    @app.get(METRICS, include_in_schema=False)
    async def metrics(request: Request) -> Response:
        return Response(await to_thread.run_sync(page, limiter=limiter), media_type=MEDIA_TYPE)


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        problem = Problem("path", "there is nothing here; /docs tells what there is", shown(request.url.path))
    elif error.status_code == 405:
        problem = Problem("method", "is not allowed here", shown(request.method))
    else:
        problem = Problem("request", str(error.detail))
    return answer(request.scope, RequestError(error.status_code, [problem], error.headers))


def _named(responses: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    said = (
        "What the answer is kept under, where it is: the `prediction_id` of feedback. "
        "In a batch, the property of row 17 (from 0) has `.17` behind it."
    )
    responses[200]["headers"] = {"X-Prediction-Id": {"description": said, "schema": {"type": "string"}}}
    return responses


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
