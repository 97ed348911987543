"""POST /api/v1/predict/price and /batch: the value of one property, or of many."""

from collections.abc import AsyncIterator, Mapping, Sequence
from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError

from homei.serving.auth.route_access import requires
from homei.serving.contract import Contract
from homei.serving.deps import AuthDep, BatcherDep, ClientDep, PredictionLogDep, PredictorDep
from homei.serving.openapi import BODY_ERRORS, PREDICTION_ID_HEADER, VALIDATION_ERROR, responses_of
from homei.serving.property_model import IncludeParam, batch_model, property_model, rows_of
from homei.serving.request_bodies import JsonRoute
from homei.serving.schemas import Valuation, Valuations

ERRORS = BODY_ERRORS | {422: f"{VALIDATION_ERROR[422]} Or there is insufficient market evidence for a valuation."}


class Recorder:
    """Records the valuations of one request in the prediction log."""

    def __init__(self, request: Request, response: Response, log: PredictionLogDep) -> None:
        self._scope, self._response, self._log = request.scope, response, log
        self._started = perf_counter()

    def record(
        self, rows: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]], is_single: bool = False
    ) -> None:
        """Records one answer a row, and sets X-Prediction-Id if they are stored."""
        if self._log and (prediction_id := self._log.record(self._scope, self._started, rows, answers, is_single)):
            self._response.headers["X-Prediction-Id"] = prediction_id

    def count_refusal(self, status_code: int) -> None:
        if self._log:
            self._log.metrics.refused.labels(str(status_code)).inc()


async def get_recorder(request: Request, response: Response, log: PredictionLogDep) -> AsyncIterator[Recorder]:
    recorder = Recorder(request, response, log)
    try:
        yield recorder
    except HTTPException as error:
        recorder.count_refusal(error.status_code)
        raise
    except RequestValidationError:
        recorder.count_refusal(422)
        raise


RecorderDep = Annotated[Recorder, Depends(get_recorder)]


def create_router(contract: Contract) -> APIRouter:
    """The routes with the request models of a contract."""
    router = APIRouter(
        prefix="/api/v1/predict", tags=["valuations"], dependencies=[requires("predict")], route_class=JsonRoute
    )
    Property = property_model(contract)  # noqa: N806
    Batch = batch_model(Property, contract.limits.max_batch_rows)  # noqa: N806

    @router.post(
        "/price",
        response_model=Valuation,
        response_model_exclude_unset=True,
        responses=responses_of(Valuation, ERRORS, headers=PREDICTION_ID_HEADER),
        openapi_extra=_example(contract.example),
    )
    async def predict_price(
        item: Property,
        predictor: PredictorDep,
        batcher: BatcherDep,
        client: ClientDep,
        recorder: RecorderDep,
        include: IncludeParam = (),
    ) -> Any:
        """Value one property."""
        (row,) = rows_of([item], predictor.contract)
        answer = await batcher.value(predictor.for_client(row, client), row, frozenset(include))
        recorder.record([row], [answer], is_single=True)
        return answer

    @router.post(
        "/batch",
        response_model=Valuations,
        response_model_exclude_unset=True,
        responses=responses_of(Valuations, ERRORS, headers=PREDICTION_ID_HEADER),
        openapi_extra=_example({"properties": [contract.example]}),
    )
    def predict_batch(
        batch: Batch,
        predictor: PredictorDep,
        client: ClientDep,
        auth: AuthDep,
        recorder: RecorderDep,
        include: IncludeParam = (),
    ) -> Any:
        """Value many properties at once, in order; one invalid property refuses the whole batch."""
        if auth:
            auth.charge_rows(client, len(batch.properties))
        rows = rows_of(batch.properties, predictor.contract, is_batch=True)
        answers = predictor.value_batch(rows, frozenset(include), client)
        recorder.record(rows, answers)
        return {"valuations": answers}

    return router


def _example(body: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"example": body}}}}
