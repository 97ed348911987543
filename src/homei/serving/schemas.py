"""The response models of valuations and errors."""

from __future__ import annotations

import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from homei.training.config import Flag

FLAG_REASONS = {
    "unknown_location": "no sale in this location",
    "unusual_area": "an unusual area for this type",
    "no_comparable": "no comparable sale within reach",
    "unlike_any_sale": "no sale of a similar property of this type",
    "thin_evidence": "few training sales in this location or of this type",
}


class Interval(BaseModel):
    low: float
    high: float
    level: float = Field(description="Share of prices within such intervals, measured on later sales.")


class Contribution(BaseModel):
    feature: str = Field(description="Such as `place`, `area` or `floor`, or an attribute of the source.")
    amount: float = Field(description="What it adds to the value, or takes from it if negative, in the currency.")


class Reasons(BaseModel):
    """`start` and all amounts add up to `predicted_price`, to the cent."""

    start: float = Field(description="The value of an average property of the city in that month.")
    contributions: list[Contribution] = Field(description="The largest amount first, up or down.")


class Comparable(BaseModel):
    """An earlier sale of a similar property, and the price that it implies alone."""

    transaction_id: str
    sale_date: datetime.date
    price: float
    location: str | None
    square_meters: float | None
    floor: float | None
    year_built: float | None
    distance: float | None = Field(description="Metres; null if the position of the property is unknown.")
    likeness: float = Field(description="Combined difference in position, floor, area, age and time; 0 is equal.")
    adjusted_price: float | None = Field(
        description="The price, adjusted for the differences and the market's change since; null if an area is unknown."
    )


class Valuation(BaseModel):
    """A price with its interval, and the versions that it was computed from."""

    predicted_price: float
    interval: Interval
    confidence: float = Field(
        description="1 − the forecast's standard deviation relative to the price, within 0 and 1: 0.93 is ± 7 %."
    )
    flags: list[Flag] = Field(
        description="In what respect the property is outside the training data; each flag widens the interval. "
        + "; ".join(f"`{flag}`: {reason}" for flag, reason in FLAG_REASONS.items())
        + "."
    )
    currency: str
    model_version: str
    data_version: str
    as_of: datetime.date = Field(description="The day of the last sale that the model knows.")
    variant: Literal["champion", "challenger"] | None = Field(
        None,
        description="Only during an experiment: which model answered. A property (or client) always gets the same one; "
        "a request that names none gets the champion, and is not part of the experiment.",
    )
    comparables: list[Comparable] | None = Field(None, description="Only if `include` names them.")
    reasons: Reasons | None = Field(None, description="Only if `include` names them.")


class Valuations(BaseModel):
    valuations: list[Valuation] = Field(description="In the order of the request.")


class FieldProblem(BaseModel):
    field: str = Field(description="The invalid field; in a batch with its row: `properties.17.floor`.")
    message: str
    value: Any = None


class ProblemDetails(BaseModel):
    """Problem details (RFC 9457), with the problems of a request field by field."""

    type: str = Field(description="`about:blank`: the kind of problem is the status.")
    title: str
    status: int
    detail: str = Field(description="What is wrong, as a sentence.")
    errors: list[FieldProblem]
    request_id: str = Field(description="As in the header X-Request-Id and in the service's log.")
