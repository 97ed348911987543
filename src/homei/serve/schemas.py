"""What an answer holds, in the words that OpenAPI tells it by."""

from __future__ import annotations

import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from homei.config import Flag


class Interval(BaseModel):
    low: float
    high: float
    level: float = Field(description="Share of such homes whose price lies within, measured out of time.")


class Contribution(BaseModel):
    feature: str = Field(description="Such as `place`, `area` or `floor`; an attribute of a source's own has its name.")
    amount: float = Field(description="What it adds to the value or takes from it, in the currency, to the cent.")


class Reasons(BaseModel):
    """The start and all amounts add up to `predicted_price`, to the cent."""

    start: float = Field(description="An average home of the city, at the city's level known before the month.")
    contributions: list[Contribution] = Field(description="The largest first, whether up or down.")


class Comparable(BaseModel):
    """An earlier sale like the home asked for, and the price that it implies alone."""

    transaction_id: str
    sale_date: datetime.date
    price: float
    location: str | None
    square_meters: float
    floor: float | None
    year_built: float | None
    distance: float | None = Field(description="In metres; null where the home's place is unknown.")
    likeness: float = Field(description="The distance in place, floor, area, age and time, each on a scale of its own.")
    adjusted_price: float = Field(
        description="The price, made up for what differs and for the market's movement since the sale."
    )


class Valuation(BaseModel):
    """A price with its interval, and the versions of what it was made from."""

    model_config = ConfigDict(protected_namespaces=())

    predicted_price: float
    interval: Interval
    confidence: float = Field(
        description="1 − the forecast's standard deviation relative to the price, within 0 and 1: 0.93 says ± 7 %."
    )
    flags: list[Flag] = Field(
        description="In what respect the home is beyond what the model knows; each flag widens the interval."
    )
    currency: str
    model_version: str
    data_version: str
    as_of: datetime.date = Field(description="The last day of sales that the model knows.")
    variant: Literal["champion", "challenger"] | None = Field(
        None,
        description="Only while an experiment runs: which model answered. The same property (or client) always meets "
        "the same one; where a request names none, it is the champion, and the answer is no part of the experiment.",
    )
    comparables: list[Comparable] | None = Field(None, description="Only where `include` asks for them.")
    reasons: Reasons | None = Field(None, description="Only where `include` asks for them.")


class Valuations(BaseModel):
    valuations: list[Valuation] = Field(description="In the order of the properties asked for.")


class Wrong(BaseModel):
    field: str = Field(description="The field that is wrong; in a batch with its row: `properties.17.floor`.")
    message: str
    value: Any = None


class Refusal(BaseModel):
    """Problem details as in RFC 9457, and what is wrong with a request, field by field."""

    type: str = Field(description="`about:blank`: the status says what kind of problem it is.")
    title: str
    status: int
    detail: str = Field(description="What is wrong, in a sentence for people.")
    errors: list[Wrong]
    request_id: str = Field(description="As in the header X-Request-Id; the service's log knows it too.")
