"""Parameters of a property search: each with its range, and the rules between them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, create_model, model_validator

from homei.serving.cursors import MAX_CHARACTERS
from homei.serving.problem_details import field_error
from homei.serving.query_params import Name, OptionalParam, QueryParams
from homei.warehouse.search_sql import DISTANCE, RANGES, CoordinateScale, SearchFilters
from homei.warehouse.search_terms import address_words

BOX = ("south", "west", "north", "east")
CIRCLE = ("latitude", "longitude", "radius")
MAX_DEGREES = {"latitude": 90.0, "south": 90.0, "north": 90.0, "longitude": 180.0, "west": 180.0, "east": 180.0}
MAX_WORDS = 10

Money = Annotated[float, Field(ge=0, le=1e12)]
Area = Annotated[float, Field(ge=0, le=1e7)]
Rooms = Annotated[float, Field(ge=0, le=1000)]
Year = Annotated[int, Field(ge=1, le=9999)]
Coordinate = Annotated[float, Field(ge=-1e8, le=1e8)]
Sort = Literal["price", "-price", "area", "-area", "year", "-year", "distance"]


def _side(name: str) -> str:
    return f"{name} side of a box, in the units of `latitude` and `longitude`; a box needs all four sides."


class SearchParams(QueryParams):
    """Conditions that hold together; a parameter that is left out is no condition."""

    location: OptionalParam[Name] = Field(None, description="District or town, as the data spells it.")
    property_type: OptionalParam[Name] = Field(
        None, description="Property type, as the data spells it.", examples=["flat"]
    )
    price_min: OptionalParam[Money] = Field(
        None, description="Lowest price: the asking price if listed, else the valuation."
    )
    price_max: OptionalParam[Money] = Field(
        None, description="Highest price; not below `price_min`.", examples=[500000]
    )
    area_min: OptionalParam[Area] = Field(None, description="Smallest area in square metres.", examples=[60])
    area_max: OptionalParam[Area] = Field(None, description="Largest area in square metres; not below `area_min`.")
    bedrooms_min: OptionalParam[Rooms] = Field(None, description="Lowest number of bedrooms.", examples=[2])
    bedrooms_max: OptionalParam[Rooms] = Field(
        None, description="Highest number of bedrooms; not below `bedrooms_min`."
    )
    year_min: OptionalParam[Year] = Field(None, description="Earliest year of completion.")
    year_max: OptionalParam[Year] = Field(None, description="Latest year of completion; not below `year_min`.")
    south: OptionalParam[Coordinate] = Field(None, description=_side("Southern"))
    west: OptionalParam[Coordinate] = Field(None, description=_side("Western"))
    north: OptionalParam[Coordinate] = Field(None, description=_side("Northern") + " Not below `south`.")
    east: OptionalParam[Coordinate] = Field(None, description=_side("Eastern") + " Not below `west`.")
    latitude: OptionalParam[Coordinate] = Field(
        None, description="Of a circle's centre; needs `longitude` and `radius`."
    )
    longitude: OptionalParam[Coordinate] = Field(
        None, description="Of a circle's centre; needs `latitude` and `radius`."
    )
    radius: OptionalParam[Annotated[float, Field(gt=0, le=50_000)]] = Field(None, description="Of a circle, in metres.")
    address: OptionalParam[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        None,
        description=f"1 to {MAX_WORDS} words or numbers of the address, in any order; "
        "the last one may be the beginning of a word.",
    )
    sort: Sort = Field(
        "price",
        description="A page lists only properties that have the attribute it is sorted by; `-` sorts from the highest "
        "to the lowest value. `distance` needs a `radius`.",
    )
    limit: Annotated[int, Field(ge=1, le=100)] = Field(20, description="Number of properties on a page.")
    cursor: OptionalParam[Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]] = Field(
        None, description="`next` or `previous` of a response to the same search."
    )

    @property
    def filters(self) -> SearchFilters:
        """The conditions of the search."""
        return SearchFilters(**self.model_dump(exclude=NO_CONDITIONS))

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        pairs = [(f"{name}_min", f"{name}_max") for name in RANGES] + [("south", "north"), ("west", "east")]
        for low_name, high_name in pairs:
            low, high = getattr(self, low_name), getattr(self, high_name)
            if low is not None and high is not None and low > high:
                raise field_error(low_name, f"should not be above {high_name}, {high:g}", low)
        return self

    @model_validator(mode="after")
    def _check_box_and_circle(self) -> Self:
        for group in (BOX, CIRCLE):
            present = [name for name in group if getattr(self, name) is not None]
            for name in group:
                if present and name not in present:
                    raise field_error(name, f"this parameter is required where {present[0]} is given")
        if self.sort == DISTANCE and self.radius is None:
            raise field_error("radius", "this parameter is required where sort is distance")
        return self

    @model_validator(mode="after")
    def _check_address(self) -> Self:
        if self.address is not None and not 1 <= len(address_words(self.address)) <= MAX_WORDS:
            raise field_error("address", f"should hold 1 to {MAX_WORDS} words or numbers", self.address)
        return self


NO_CONDITIONS = {"sort", "limit", "cursor"}


def search_params_model(scale: CoordinateScale) -> type[SearchParams]:
    """SearchParams for a coordinate system: coordinates in degrees have the limits of degrees."""
    if scale.system != "wgs84":
        return SearchParams
    fields: dict[str, Any] = {}
    for name, limit in MAX_DEGREES.items():
        degrees = Annotated[float, Field(ge=-limit, le=limit)]
        description = SearchParams.model_fields[name].description
        fields[name] = (OptionalParam[degrees], Field(None, description=description))
    return create_model("SearchParams", __base__=SearchParams, **fields)
