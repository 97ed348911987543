"""What a request for valuations may hold: models made from the packaged contract, and the rows that they let in."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
    with_config,
)
from typing_extensions import TypedDict

from homei.serve.bodies import parsed
from homei.serve.contract import Contract
from homei.serve.query import VISIBLE
from homei.serve.refusal import SHOWN, Problem, RequestError, problems_of, shown

# Where a source's contract is silent: wide enough for any home, narrow enough for a slip of the unit to show.
RANGES: dict[str, tuple[float, float]] = {
    "square_meters": (1, 1000),
    "bedrooms": (0, 100),
    "bathrooms": (0, 100),
    "year_built": (1000, 2200),
    "floor": (-20, 300),
}
MEANINGS = {
    "square_meters": "Floor area in square metres.",
    "property_type": "One of the types that the model has learnt from.",
    "location": "District or town, as the sales register spells it; an unknown one widens the interval.",
    "bedrooms": "Number of bedrooms.",
    "bathrooms": "Number of bathrooms.",
    "year_built": "Year of completion; not after the valuation's year.",
    "floor": "Storey, the ground floor being 0 or 1 as the register counts.",
    "latitude": "Latitude in degrees (WGS84), or y in metres where the source has a plane; needs longitude.",
    "longitude": "Longitude in degrees (WGS84), or x in metres where the source has a plane; needs latitude.",
    "property_id": "The property's identifier in the register, for models whose inputs include its previous sale.",
}
NUMBERS = ("bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude")
MOST_FIELDS = 100  # of one row: a row of a million unknown fields costs seconds to explain

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=VISIBLE)]


def property_model(contract: Contract) -> type[BaseModel]:
    """The strict model of one property to be valued, with the source's own ranges, types and extra attributes."""
    told = {"example": contract.example, "anyOf": [_coordinates("number"), _coordinates("null")]}
    told["anyOf"][0]["required"] = ["latitude", "longitude"]
    config = STRICT | ConfigDict(json_schema_extra=told)
    return create_model("Property", __config__=config, __doc__="A property to be valued.", **_fields(contract))


def _row_type(contract: Contract) -> Any:
    """The same as a dictionary, of which ten thousand are checked in two thirds of a model's time."""
    told = {
        name: (Required if field.is_required() else NotRequired)[Annotated[kind, field]]
        for name, (kind, field) in _fields(contract).items()
    }
    return with_config(STRICT)(TypedDict("Row", told))


def _fields(contract: Contract) -> dict[str, tuple[Any, Any]]:
    """Type and description of each field of a property."""
    types = Literal[tuple(contract.property_types)]
    fields: dict[str, tuple[Any, Any]] = {
        "square_meters": (_number(contract, "square_meters"), _field("square_meters")),
        "property_type": (types, _field("property_type")),
        "location": (Text, _field("location")),
    }
    for name in (*NUMBERS, *contract.numeric):
        fields[name] = (_number(contract, name) | None, _field(name, None))
    for name in ("property_id", *contract.categorical):
        fields[name] = (Text | None, _field(name, None))
    said = (
        f"The day to value for, from {contract.dates[0]} to {contract.dates[1]}, the months that the package carries."
    )
    fields["valuation_date"] = (_date(contract), Field(contract.default_date, description=said))
    return fields


class Intake:
    """Reads request bodies into checked rows; whatever is wrong is raised as RequestError, never as anything else."""

    def __init__(self, contract: Contract) -> None:
        self.model = property_model(contract)
        self._validate = self.model.__pydantic_validator__.validate_python
        self._validate_all = TypeAdapter(Annotated[list[_row_type(contract)], FailFast()]).validator.validate_python
        self._most = contract.limits.max_batch

    def one(self, body: bytes) -> dict[str, Any]:
        """The row in the body of a single request."""
        row, problems = self._row(parsed(body), "")
        if problems:
            raise RequestError(422, problems)
        return row

    def many(self, body: bytes) -> list[dict[str, Any]]:
        """The rows in the body of a batch request, in their order."""
        properties = self._properties(parsed(body))
        rows = self._sound(properties)
        if rows is None:
            raise RequestError(422, self._problems(properties))
        return rows

    def _sound(self, properties: list[Any]) -> list[dict[str, Any]] | None:
        """All rows, checked at once, which is quicker than one by one; None where one of them is wrong."""
        if any(isinstance(given, dict) and len(given) > MOST_FIELDS for given in properties):
            return None
        try:
            rows = self._validate_all(properties)
        except ValidationError:
            return None
        return None if any(problem for row in rows for problem in _contradictions(row, "")) else rows

    def _problems(self, properties: list[Any]) -> list[Problem]:
        """What is wrong with the first rows that are."""
        problems: list[Problem] = []
        for number, given in enumerate(properties):
            problems += self._row(given, f"properties.{number}")[1]
            if len(problems) >= SHOWN:
                break
        return problems

    def _properties(self, given: Any) -> list[Any]:
        if not isinstance(given, dict):
            raise _refused("body", "should be an object with the list `properties`", given)
        if strays := [name for name in given if name != "properties"]:
            raise _refused(shown(strays[0]), "there is no such field; a batch has `properties` alone", given[strays[0]])
        if "properties" not in given:
            raise _refused("properties", "this field is required")
        properties = given["properties"]
        if not isinstance(properties, list):
            raise _refused("properties", "should be a list", properties)
        if not 1 <= len(properties) <= self._most:
            raise _refused("properties", f"should hold 1 to {self._most} rows", len(properties))
        return properties

    def _row(self, given: Any, place: str) -> tuple[dict[str, Any], list[Problem]]:
        if isinstance(given, dict) and len(given) > MOST_FIELDS:
            return {}, [Problem(place or "body", f"has {len(given)} fields; {MOST_FIELDS} are more than enough")]
        try:
            row = self._validate(given).__dict__
        except ValidationError as error:
            return {}, problems_of(error, place, self.model.model_fields)
        return row, list(_contradictions(row, f"{place}." if place else ""))


def _contradictions(row: Mapping[str, Any], place: str) -> Iterator[Problem]:
    if (row["latitude"] is None) != (row["longitude"] is None):
        absent, other = ("latitude", "longitude") if row["latitude"] is None else ("longitude", "latitude")
        yield Problem(f"{place}{absent}", f"this field is required where {other} is given")
    built, year = row["year_built"], row["valuation_date"].year
    if built is not None and built > year:
        yield Problem(f"{place}year_built", f"should not be after the valuation's year, {year}", built)


def _coordinates(kind: str) -> dict[str, Any]:
    return {"properties": {name: {"type": kind} for name in ("latitude", "longitude")}}


def _refused(field: str, message: str, value: Any = None) -> RequestError:
    return RequestError(422, [Problem(field, message, shown(value))])


def _number(contract: Contract, name: str) -> Any:
    low, high = contract.ranges.get(name, RANGES.get(name, (None, None)))
    return Annotated[float, Field(ge=low, le=high)]


def _field(name: str, default: Any = ...) -> Any:
    return Field(default, description=MEANINGS.get(name, "An attribute of this source's own."))


def _date(contract: Contract) -> Any:
    first, last = contract.dates

    def parsed(value: Any) -> datetime.date:
        if value is None:
            return contract.default_date
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return datetime.date.fromisoformat(value)
        raise ValueError("should be a date such as 2026-01-31")

    def carried(value: datetime.date) -> datetime.date:
        if not first <= value <= last:
            raise ValueError(f"should be from {first} to {last}, the months that this package carries")
        return value

    described = WithJsonSchema({"type": ["string", "null"], "format": "date", "default": str(contract.default_date)})
    return Annotated[datetime.date, BeforeValidator(parsed), AfterValidator(carried), described]
