"""What a packaged valuation promises: the fields it takes, their ranges, its versions and its limits."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from homei.config import Publish
from homei.features.columns import first_day
from homei.features.keys import metres_per_unit
from homei.section import Range, Section
from homei.serving import Serve
from homei.source import Coordinates
from homei.warehouse.filters import Place

FILE = "service.json"
# What those who ask rely on: two models that differ in one of these can't answer the same requests alike.
PROMISED = ("currency", "level", "property_types", "ranges", "numeric", "categorical", "coordinates")


class Contract(Section):
    """The contents of service.json, which `homei package` writes beside the model."""

    name: str
    title: str
    currency: str
    as_of: datetime.date
    model_version: str
    data_version: str
    level: float
    months: tuple[int, int]  # first and last month, counted as year × 12 + month − 1, that can be valued
    property_types: Annotated[list[str], Field(min_length=1)]
    ranges: dict[str, Range]
    numeric: list[str]
    categorical: list[str]
    example: dict[str, Any]
    limits: Serve
    coordinates: Coordinates
    warehouse: Publish  # where it is, unless the environment says otherwise

    @property
    def place(self) -> Place:
        """How the source's coordinates lie on the ground."""
        return Place(self.coordinates.system, *metres_per_unit(self.coordinates))

    @cached_property
    def default_date(self) -> datetime.date:
        """The valuation date where a request names none: the day after the last sale that the model knows."""
        return self.as_of + datetime.timedelta(days=1)

    @cached_property
    def dates(self) -> tuple[datetime.date, datetime.date]:
        """The first and the last day that can be valued."""
        first, last = self.months
        return first_day(first), first_day(last + 1) - datetime.timedelta(days=1)


def read(folder: Path, running: Contract | None = None) -> Contract:
    """The contract in a Bento's folder; raises FileNotFoundError saying where one comes from.

    For a model that joins a `running` service, with that one's limits and warehouse, which are no model's business.
    """
    path = folder / FILE
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: this service runs inside a Bento, which `homei package` builds")
    if running is None:
        return Contract.model_validate_json(path.read_bytes())
    own = running.model_dump(mode="json", include={"limits", "warehouse"})
    return Contract.model_validate_json(json.dumps(json.loads(path.read_bytes()) | own))


def differences(one: Contract, other: Contract, names: Sequence[str] = PROMISED) -> list[str]:
    """A few words for each of the named fields in which two contracts differ."""
    found = ((name, _shown(getattr(one, name)), _shown(getattr(other, name))) for name in names)
    return [f"{name} ({ours} and {theirs})" for name, ours, theirs in found if ours != theirs]


def _shown(value: Any) -> str:
    return json.dumps(sorted(value) if isinstance(value, list) else value, default=_plain, sort_keys=True)


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Section) else str(value)
