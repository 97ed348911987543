"""POST /api/v1/feedback: prices at which properties sold, stored once however often they are sent."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Annotated, Any, Self

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection

from homei.serving.auth.route_access import requires
from homei.serving.deps import ClientDep, FeedbackQueueDep, WarehouseDep
from homei.serving.openapi import BODY_ERRORS, VALIDATION_ERROR, WAREHOUSE_UNAVAILABLE, responses_of
from homei.serving.problem_details import Problem, ProblemError, field_error, shown
from homei.serving.query_params import Name
from homei.serving.request_bodies import Date, JsonRoute, RequestModel
from homei.serving.warehouse_client import WarehouseBusyError
from homei.warehouse.feedback import ReportedSale, StoredFeedback, store_feedback, stored_feedback
from homei.warehouse.property_records import is_published

KEY_HEADER = "idempotency-key"
OPEN_CLIENT = "anyone"  # the client's name in a service without authentication
FIRST_DAY = datetime.date(1900, 1, 1)
UTC_OFFSET_MAX = datetime.timedelta(hours=14)  # where a property is, it may be tomorrow already


def _requires(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}


class SaleReport(RequestModel):
    """A sale of a published property, of a valuation by this service, or both."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"anyOf": [_requires("property_id"), _requires("prediction_id")]}
    )

    property_id: Name | None = Field(None, description="A published property, as in the results of a search.")
    prediction_id: Name | None = Field(
        None, description="X-Prediction-Id of a response; `.17` appended means row 17 of a batch."
    )
    sold_on: Date = Field(description=f"From {FIRST_DAY} to today.", examples=["2025-11-03"])
    price: Annotated[float, Field(gt=0, le=1e9)] = Field(description="In the currency of the data.", examples=[312000])

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.property_id is None and self.prediction_id is None:
            raise field_error("property_id", "this field, or prediction_id, is required")
        if not FIRST_DAY <= self.sold_on <= (datetime.datetime.now(datetime.UTC) + UTC_OFFSET_MAX).date():
            raise field_error("sold_on", f"should be from {FIRST_DAY} to today", str(self.sold_on))
        return self


class FeedbackReceipt(BaseModel):
    """The stored sale, as it was first sent."""

    property_id: str | None
    prediction_id: str | None
    sold_on: datetime.date
    price: float
    received_at: AwareDatetime


async def get_idempotency_key(
    request: Request,
    idempotency_key: Annotated[
        str,
        Header(
            min_length=1,
            max_length=200,
            pattern="^[!-~]+$",
            description="The client's own name for this sale: a repeated request with the same key is stored once.",
            examples=["sale-4711"],
        ),
    ],
) -> str:
    """The header's value; raises ProblemError if it is repeated."""
    if len(request.headers.getlist(KEY_HEADER)) > 1:
        raise ProblemError(422, [Problem(KEY_HEADER, "should be given once")])
    return idempotency_key


CONFLICT = {409: "Another body was sent under this key before."}
ERRORS = BODY_ERRORS | CONFLICT | VALIDATION_ERROR | WAREHOUSE_UNAVAILABLE
RESPONSES = responses_of(FeedbackReceipt, ERRORS, status=201)
RESPONSES[200] = {"model": FeedbackReceipt, "description": "It was stored before under this key."}
RESPONSES[202] = {"model": FeedbackReceipt, "description": "It is on disk, and stored once a publication has ended."}
EXAMPLE = {"property_id": "P1", "sold_on": "2025-11-03", "price": 312000}

router = APIRouter(tags=["feedback"], dependencies=[requires("feedback")], route_class=JsonRoute)


@router.post(
    "/api/v1/feedback",
    status_code=201,
    responses=RESPONSES,
    openapi_extra={"requestBody": {"content": {"application/json": {"example": EXAMPLE}}}},
)
async def report_sale(
    report: SaleReport,
    key: Annotated[str, Depends(get_idempotency_key)],
    client: ClientDep,
    warehouse: WarehouseDep,
    queue: FeedbackQueueDep,
    response: Response,
) -> FeedbackReceipt:
    """Report what a property sold at."""
    client, sale = client or OPEN_CLIENT, ReportedSale(**report.model_dump())
    received_at = datetime.datetime.now(datetime.UTC)
    try:
        stored = await warehouse.write(_store_command(client, key, sale, received_at))
        response.status_code = 201 if stored.is_new else 200
    except WarehouseBusyError:
        if queue is None:
            raise
        # A publication locks a SQLite file for writers, and not for readers.
        stored = await warehouse.read(lambda connection, _: _known_feedback(connection, client, key, sale))
        response.status_code = 200
        if stored is None:
            await to_thread.run_sync(queue.add, client, key, sale, received_at)
            stored, response.status_code = StoredFeedback(sale, received_at, True), 202
    if stored.sale != sale:
        raise ProblemError(409, [Problem(KEY_HEADER, "was sent with another body before", shown(key))])
    return FeedbackReceipt(**report.model_dump(), received_at=stored.received_at)


def _store_command(
    client: str, key: str, sale: ReportedSale, received_at: datetime.datetime
) -> Callable[[Connection], StoredFeedback]:
    def command(connection: Connection) -> StoredFeedback:
        stored = _known_feedback(connection, client, key, sale)
        return stored or store_feedback(connection, client, key, sale, received_at)

    return command


def _known_feedback(connection: Connection, client: str, key: str, sale: ReportedSale) -> StoredFeedback | None:
    """The sale stored under a key; without one, raises ProblemError for an unpublished property.

    A prediction_id is not checked, because predictions are stored after they are sent. A sale that is stored already
    is not checked either, because its property may have vanished from the data.
    """
    stored = stored_feedback(connection, client, key)
    if stored is None and sale.property_id is not None and not is_published(connection, sale.property_id):
        raise ProblemError(422, [Problem("property_id", "no such property is published", shown(sale.property_id))])
    return stored
