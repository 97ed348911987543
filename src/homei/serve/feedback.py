"""POST feedback: the price that a home did sell at, kept once however often it is sent."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from homei.serve.access.gate import client_of
from homei.serve.access.scopes import needs
from homei.serve.answers import AWAY, BODY, WRONG, ok, promised
from homei.serve.bodies import json_body, parsed
from homei.serve.query import Name
from homei.serve.refusal import Problem, RequestError, answer, problems_of, shown
from homei.warehouse import history
from homei.warehouse.feedback import Kept, Sale, keep, kept

FEEDBACK = "/api/v1/feedback"
KEY = "idempotency-key"
ANYONE = "anyone"  # who asks where there is no guard
FIRST_DAY = datetime.date(1900, 1, 1)
CONFLICT = {409: "The key came with another body before."}


def _day(value: Any) -> datetime.date:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return datetime.date.fromisoformat(value)
    raise ValueError("should be a date such as 2026-01-31")


def _named(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}


class Sold(BaseModel):
    """A sale: of a published property, of an answer that this service gave, or both."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        json_schema_extra={"anyOf": [_named("property_id"), _named("prediction_id")]},
    )

    property_id: Name | None = Field(None, description="As a search shows it: one that is published.")
    prediction_id: Name | None = Field(
        None,
        description="As X-Prediction-Id of an answer; `.17` behind it means row 17.",
    )
    sold_on: Annotated[datetime.date, BeforeValidator(_day)] = Field(
        description=f"From {FIRST_DAY} to today.", examples=["2025-11-03"]
    )
    price: Annotated[float, Field(gt=0, le=1e9)] = Field(description="In the currency of the data.", examples=[312000])


class Receipt(BaseModel):
    """What is kept, as it was told first."""

    property_id: str | None
    prediction_id: str | None
    sold_on: datetime.date
    price: float
    received_at: AwareDatetime


def add_feedback(app: FastAPI) -> None:
    """Adds the route; it asks the Desk in `app.state.warehouse`."""
    responses = promised(Receipt, BODY | CONFLICT | WRONG | AWAY, status=201)
    responses[200] = {"model": Receipt, "description": "It was told before under this key: the answer is the same."}
    example = {"property_id": "P1", "sold_on": "2025-11-03", "price": 312000}
    schema = Sold.model_json_schema()
    body = {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}

    @app.post(
        FEEDBACK,
        tags=["feedback"],
        responses=responses,
        openapi_extra={"parameters": [_HEADER], "requestBody": body},
        status_code=201,
    )
    @needs("feedback")
    async def feedback(request: Request) -> Response:
        """Tell what a home did sell at."""
        try:
            key, client = _key(request), _client(request)
            sale = _sale(parsed(await json_body(request)), datetime.datetime.now(datetime.UTC))
            found = await request.app.state.warehouse.write(_keeping(client, key, sale))
            if found.sale != sale:
                raise RequestError(409, [Problem(KEY, "came with another body before", shown(key))])
            return ok(_told(found), 201 if found.is_new else 200)
        except RequestError as refused:
            return answer(request.scope, refused)


_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "description": "A name for this sale that the client makes up: what comes again under it is kept once.",
    "example": "sale-4711",
}


def _key(request: Request) -> str:
    given = request.headers.getlist(KEY)
    if len(given) != 1 or not re.fullmatch(r"[!-~]{1,200}", given[0]):
        value = shown(given[0]) if given else None
        raise RequestError(422, [Problem(KEY, "should be given once, of 1 to 200 visible ASCII characters", value)])
    return given[0]


def _client(request: Request) -> str:
    return client_of(request.scope) or ANYONE


def _sale(given: Any, now: datetime.datetime) -> Sale:
    try:
        sold = Sold.model_validate(given)
    except ValidationError as error:
        raise RequestError(422, problems_of(error, "", Sold.model_fields)) from None
    if sold.property_id is None and sold.prediction_id is None:
        raise RequestError(422, [Problem("property_id", "this field, or prediction_id, is required")])
    # It may be tomorrow already where the home is.
    if not FIRST_DAY <= sold.sold_on <= (now + datetime.timedelta(hours=14)).date():
        raise RequestError(422, [Problem("sold_on", f"should be from {FIRST_DAY} to today", str(sold.sold_on))])
    return Sale(**sold.model_dump())


def _keeping(client: str, key: str, sale: Sale) -> Any:
    """What keeps a sale, given a connection; raises RequestError for one of a property that isn't published.

    An answer's own id is not looked up: answers are logged after they are given. What was kept already is not looked up
    either, since a property may vanish from the data.
    """

    def whole(connection: Connection) -> Kept:
        found = kept(connection, client, key)
        if found is None:
            if sale.property_id is not None and not history.is_known(connection, sale.property_id):
                problem = Problem("property_id", "no such property is published", shown(sale.property_id))
                raise RequestError(422, [problem])
            found = keep(connection, client, key, sale, datetime.datetime.now(datetime.UTC))
        return found

    return whole


def _told(found: Kept) -> dict[str, Any]:
    sale = found.sale
    own = {"property_id": sale.property_id, "prediction_id": sale.prediction_id}
    return {**own, "sold_on": sale.sold_on, "price": sale.price, "received_at": found.received_at}
