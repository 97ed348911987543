"""What a search may ask for: each parameter with its range, and what contradicts what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from homei.serve.cursors import MOST_CHARACTERS
from homei.serve.query import Name, Query, parameters
from homei.serve.refusal import Problem, RequestError
from homei.warehouse.filters import DISTANCE, RANGES, Filters, Place
from homei.warehouse.words import terms

BOX = ("south", "west", "north", "east")
CIRCLE = ("latitude", "longitude", "radius")
LIMITS = {"latitude": 90.0, "south": 90.0, "north": 90.0, "longitude": 180.0, "west": 180.0, "east": 180.0}
MOST_WORDS = 10

Money = Annotated[float, Field(ge=0, le=1e12)]
Area = Annotated[float, Field(ge=0, le=1e7)]
Rooms = Annotated[float, Field(ge=0, le=1000)]
Year = Annotated[int, Field(ge=1, le=9999)]
Degrees = Annotated[float, Field(ge=-1e8, le=1e8)]
Sort = Literal["price", "-price", "area", "-area", "year", "-year", "distance"]


def _side(of: str) -> str:
    return f"The box's {of} side, as `latitude` and `longitude` are measured; a box needs all four."


class Search(Query):
    """All conditions hold together; what is left out is no condition."""

    location: Name | None = Field(None, description="District or town, exactly as the data has it.")
    property_type: Name | None = Field(None, description="The type, exactly as the data has it.", examples=["flat"])
    price_min: Money | None = Field(None, description="Of what a home costs: what is asked, else its value.")
    price_max: Money | None = Field(None, description="As `price_min`, and not below it.", examples=[500000])
    area_min: Area | None = Field(None, description="Square metres.", examples=[60])
    area_max: Area | None = Field(None, description="Square metres; not below `area_min`.")
    bedrooms_min: Rooms | None = Field(None, description="Number of bedrooms.", examples=[2])
    bedrooms_max: Rooms | None = Field(None, description="Number of bedrooms; not below `bedrooms_min`.")
    year_min: Year | None = Field(None, description="Year of completion.")
    year_max: Year | None = Field(None, description="Year of completion; not below `year_min`.")
    south: Degrees | None = Field(None, description=_side("southern"))
    west: Degrees | None = Field(None, description=_side("western"))
    north: Degrees | None = Field(None, description=_side("northern") + " Not below `south`.")
    east: Degrees | None = Field(None, description=_side("eastern") + " Not below `west`.")
    latitude: Degrees | None = Field(None, description="Of a circle's centre; needs `longitude` and `radius`.")
    longitude: Degrees | None = Field(None, description="Of a circle's centre; needs `latitude` and `radius`.")
    radius: Annotated[float, Field(gt=0, le=50_000)] | None = Field(None, description="Of a circle, in metres.")
    address: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None,
        description=f"1 to {MOST_WORDS} words or numbers of the address, in any order; "
        "the last one may be the beginning of a word.",
    )
    sort: Sort = Field(
        "price",
        description="A page lists only homes that have what it is sorted by; `-` falls. `distance` needs a `radius`.",
    )
    limit: Annotated[int, Field(ge=1, le=100)] = Field(20, description="Homes on a page.")
    cursor: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)] | None = Field(
        None, description="`next` or `previous` of an answer to the same search."
    )

    @property
    def filters(self) -> Filters:
        """The conditions."""
        return Filters(**self.model_dump(exclude={"sort", "limit", "cursor"}))


def described(place: Place) -> list[dict[str, Any]]:
    """The parameters as OpenAPI tells them; what is in degrees has their limits."""
    told = parameters(Search)
    for parameter in told:
        if place.system == "wgs84" and (most := LIMITS.get(parameter["name"])):
            parameter["schema"] |= {"minimum": -most, "maximum": most}
    return told


def check(asked: Search, place: Place) -> None:
    """Raises RequestError for parameters that contradict each other, or lack one another."""
    problems = [*_ranges(asked), *_places(asked, place), *_others(asked)]
    if problems:
        raise RequestError(422, problems)


def _ranges(asked: Search) -> Iterator[Problem]:
    pairs = [(f"{name}_min", f"{name}_max") for name in RANGES] + [("south", "north"), ("west", "east")]
    for low, high in pairs:
        least, most = getattr(asked, low), getattr(asked, high)
        if least is not None and most is not None and least > most:
            yield Problem(low, f"should not be above {high}, {most:g}", least)


def _places(asked: Search, place: Place) -> Iterator[Problem]:
    for group in (BOX, CIRCLE):
        there = [name for name in group if getattr(asked, name) is not None]
        for name in group:
            if there and name not in there:
                yield Problem(name, f"this parameter is required where {there[0]} is given")
    for name, most in LIMITS.items():
        value = getattr(asked, name)
        if place.system == "wgs84" and value is not None and abs(value) > most:
            yield Problem(name, f"should be from {-most:g} to {most:g} degrees", value)


def _others(asked: Search) -> Iterator[Problem]:
    if asked.sort == DISTANCE and asked.radius is None:
        yield Problem("radius", "this parameter is required where sort is distance")
    if asked.address is not None and not 1 <= len(terms(asked.address)) <= MOST_WORDS:
        yield Problem("address", f"should hold 1 to {MOST_WORDS} words or numbers", asked.address)
