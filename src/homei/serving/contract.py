"""service.json of a Bento: the fields of requests, their ranges, versions and limits."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from homei.config.model import ConfigModel, Range
from homei.config.projection import Coordinates, metres_per_unit
from homei.features.columns import first_day
from homei.serving.config import ServeConfig
from homei.warehouse.config import PublishConfig
from homei.warehouse.search_sql import CoordinateScale

FILE = "service.json"
# Models that differ in one of these cannot answer the same requests.
COMPARED_FIELDS = (
    "currency",
    "level",
    "needs_area",
    "property_types",
    "ranges",
    "numeric",
    "categorical",
    "coordinates",
)


class Contract(ConfigModel):
    """The contents of service.json, which `homei package` writes beside the model."""

    name: str
    title: str
    currency: str
    as_of: datetime.date
    model_version: str
    data_version: str
    level: float
    months: tuple[int, int]  # first and last month, counted as year × 12 + month − 1, that can be valued
    needs_area: bool = True  # False if the model knows sales without an area
    property_types: Annotated[list[str], Field(min_length=1)]
    ranges: dict[str, Range]
    numeric: list[str]
    categorical: list[str]
    example: dict[str, Any]
    limits: ServeConfig
    coordinates: Coordinates
    warehouse: PublishConfig  # unless the environment names another one

    @property
    def place(self) -> CoordinateScale:
        """The coordinate system, and metres per unit of its axes."""
        return CoordinateScale(self.coordinates.stored_system, *metres_per_unit(self.coordinates))

    @cached_property
    def default_date(self) -> datetime.date:
        """The valuation date of requests without one: the day after the last sale that the model knows."""
        return self.as_of + datetime.timedelta(days=1)

    @cached_property
    def dates(self) -> tuple[datetime.date, datetime.date]:
        """The first and the last day of the packaged months."""
        first, last = self.months
        return first_day(first), first_day(last + 1) - datetime.timedelta(days=1)


def read(folder: Path, running: Contract | None = None) -> Contract:
    """The contract in a Bento's folder; raises FileNotFoundError if the folder is no Bento.

    A model that joins a `running` service gets the limits and the warehouse of that service.
    """
    path = folder / FILE
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: the service runs inside a Bento, which `homei package` builds")
    if running is None:
        return Contract.model_validate_json(path.read_bytes())
    settings = running.model_dump(mode="json", include={"limits", "warehouse"})
    return Contract.model_validate_json(json.dumps(json.loads(path.read_bytes()) | settings))


def differences(contract: Contract, other: Contract, names: Sequence[str] = COMPARED_FIELDS) -> list[str]:
    """A description of each of the named fields in which two contracts differ."""
    values = ((name, _json(getattr(contract, name)), _json(getattr(other, name))) for name in names)
    return [f"{name} ({value} and {other_value})" for name, value, other_value in values if value != other_value]


def _json(value: Any) -> str:
    return json.dumps(sorted(value) if isinstance(value, list) else value, default=_plain, sort_keys=True)


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, ConfigModel) else str(value)
