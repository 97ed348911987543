"""The request models of valuations, made from the packaged contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from fastapi import Query
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, create_model, model_validator

from homei.config.texts import normal_text
from homei.serving.contract import Contract
from homei.serving.problem_details import Problem, ProblemError, field_error
from homei.serving.query_params import VISIBLE
from homei.serving.request_bodies import Date, RequestModel

# Where a source's contract is silent: wide enough for any property, narrow enough to catch a wrong unit.
RANGES: dict[str, tuple[float, float]] = {
    "square_meters": (1, 1000),
    "bedrooms": (0, 100),
    "bathrooms": (0, 100),
    "year_built": (1000, 2200),
    "floor": (-20, 300),
}
DESCRIPTIONS = {
    "square_meters": "Floor area in square metres.",
    "property_type": "One of the types with a market sale.",
    "location": "District or town, as the sales register spells it; one without a market sale widens the interval.",
    "bedrooms": "Number of bedrooms.",
    "bathrooms": "Number of bathrooms.",
    "year_built": "Year of completion; not after the valuation's year.",
    "floor": "Storey, the ground floor being 0 or 1 as the register counts.",
    "latitude": "Latitude in degrees (WGS84), or y in metres where the source has a plane; needs longitude.",
    "longitude": "Longitude in degrees (WGS84), or x in metres where the source has a plane; needs latitude.",
    "valuation_date": "The day to value for, within the months that the package carries; by default the day after the "
    "last sale that the model knows.",
    "property_id": "The property's identifier in the register, for models whose inputs include its previous sale.",
}
OPTIONAL_NUMBERS = ("bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude")


# Unicode forms and blanks don't matter, as in the lake.
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=VISIBLE), AfterValidator(normal_text)]
NormalForm = BeforeValidator(lambda value: normal_text(value) if isinstance(value, str) else value)


COMPARABLES, REASONS = "comparables", "reasons"
Part = Literal["comparables", "reasons"]
# Properties with reasons in one request: TreeSHAP takes 1.5 ms a row through 800 trees of 21 leaves and 7 ms of 63.
MOST_EXPLAINED = 200
NOTHING: frozenset[str] = frozenset()


def _split(values: list[str]) -> list[str]:
    return [name.strip() for value in values if value for name in value.split(",")]


IncludeParam = Annotated[
    list[Part],
    BeforeValidator(_split),
    Query(
        description="What each answer holds besides, repeated or separated by commas: `comparables`, the most similar "
        "earlier sales, and `reasons`, of models that can tell them, in a batch of up to "
        f"{MOST_EXPLAINED} properties."
    ),
]


class PropertyRequest(RequestModel):
    """The rules between fields of a property to be valued."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="after")
    def _check_fields_together(self) -> Self:
        row = dict(self)
        if (row["latitude"] is None) != (row["longitude"] is None):
            absent, present = ("latitude", "longitude") if row["latitude"] is None else ("longitude", "latitude")
            raise field_error(absent, f"this field is required where {present} is given")
        return self


def property_model(contract: Contract) -> type[PropertyRequest]:
    """The strict model of a property to be valued, with the source's ranges, types and attributes."""
    area = _number(contract, "square_meters")
    fields: dict[str, tuple[Any, Any]] = {
        "square_meters": (area, _field("square_meters"))
        if contract.needs_area
        else (area | None, _field("square_meters", None)),
        "property_type": (Annotated[Literal[tuple(contract.property_types)], NormalForm], _field("property_type")),
        "location": (Text, _field("location")),
    }
    for name in (*OPTIONAL_NUMBERS, *contract.numeric):
        fields[name] = (_number(contract, name) | None, _field(name, None))
    for name in ("property_id", *contract.categorical):
        fields[name] = (Text | None, _field(name, None))
    fields["valuation_date"] = (Date | None, Field(None, description=DESCRIPTIONS["valuation_date"]))
    model = create_model("Property", __base__=PropertyRequest, __doc__="A property to be valued.", **fields)
    both = {"required": ["latitude", "longitude"], **_coordinates("number")}
    model.model_config["json_schema_extra"] = {"example": contract.example, "anyOf": [both, _coordinates("null")]}
    return model


def batch_model(row: type[PropertyRequest], max_rows: int) -> type[RequestModel]:
    """The model of a batch request: a list of properties."""
    rows = Annotated[list[row], Field(min_length=1, max_length=max_rows)]  # type: ignore[valid-type]
    return create_model("Batch", __base__=RequestModel, __doc__="Properties to be valued.", properties=(rows, ...))


def rows_of(properties: Sequence[PropertyRequest], contract: Contract, is_batch: bool = False) -> list[dict[str, Any]]:
    """The rows of validated properties, each with its valuation date.

    Raises ProblemError for dates outside the packaged months. The pydantic model does not check them, since a model
    that is loaded later brings other months.
    """
    rows = [dict(item) for item in properties]
    problems: list[Problem] = []
    for number, row in enumerate(rows):
        row["valuation_date"] = row["valuation_date"] or contract.default_date
        prefix = f"properties.{number}." if is_batch else ""
        problems += (replace(problem, field=prefix + problem.field) for problem in _date_problems(row, contract))
    if problems:
        raise ProblemError(422, problems)
    return rows


def check_size(rows: int, include: frozenset[str]) -> None:
    """Raises ProblemError where explaining so many rows would take longer than a client waits."""
    if REASONS in include and rows > MOST_EXPLAINED:
        message = f"should hold 1 to {MOST_EXPLAINED} rows where reasons are asked for"
        raise ProblemError(422, [Problem("properties", message, rows)])


def _date_problems(row: Mapping[str, Any], contract: Contract) -> Iterator[Problem]:
    date, year_built = row["valuation_date"], row["year_built"]
    first, last = contract.dates
    if not first <= date <= last:
        message = f"should be from {first} to {last}, the months that this package carries"
        yield Problem("valuation_date", message, str(date))
    if year_built is not None and year_built > date.year:
        yield Problem("year_built", f"should not be after the valuation's year, {date.year}", year_built)


def _coordinates(kind: str) -> dict[str, Any]:
    return {"properties": {name: {"type": kind} for name in ("latitude", "longitude")}}


def _number(contract: Contract, name: str) -> Any:
    low, high = contract.ranges.get(name, RANGES.get(name, (None, None)))
    return Annotated[float, Field(ge=low, le=high)]


def _field(name: str, default: Any = ...) -> Any:
    return Field(default, description=DESCRIPTIONS.get(name, "An attribute of this source's own."))
