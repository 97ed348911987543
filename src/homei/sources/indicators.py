"""Feeds of market indicators: monthly series such as interest rates, each with the months until it is published."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field

from homei.source import Column, LivingFeed, Reading, Span
from homei.sources.download import download
from homei.sources.environment import expanded
from homei.sources.files import read
from homei.sources.rows import SourceError
from homei.sources.web import TIMEOUT, Web


class Indicators(LivingFeed):
    """A feed that is one monthly series: a file at an address or in a folder, named after what it tells.

    The value of a month counts as known `lag_months` later: what is published in March for January has a lag of 2.
    """

    kind: Literal["indicators"]
    address: str  # https://…, or a path from the project's folder
    reading: Reading = Reading()
    month: Column
    value: Column
    lag_months: Annotated[int, Field(ge=0)]
    key: list[str] = []
    columns: dict[str, Column] = {}

    def model_post_init(self, _: Any) -> None:
        """The key and the columns follow from what is declared: one value a month, such as 2024-05 unless declared."""
        month = self.month.model_copy(update={"format": self.month.format or "%Y-%m"})
        columns = {"series": Column(constant=self.name), "month": month, "value": self.value}
        object.__setattr__(self, "key", [month.column])
        object.__setattr__(self, "columns", columns)

    def came_from(self) -> str:
        return self.address

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[list[dict[str, str | None]]]:
        """The whole series: it is short, and its past is revised. Raises SourceError where it isn't there."""
        address = expanded(self.address, f"feed {self.name}: address")
        if not address.startswith(("http://", "https://")):
            if not Path(address).is_file():
                raise SourceError(f"feed {self.name}: address = {self.address!r}: no such file")
            yield _rows(Path(address), self.reading)
            return
        with tempfile.TemporaryDirectory() as folder, httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
            # The end of the address tells the format, as a file's name does.
            file = Path(folder) / Path(httpx.URL(address).path).name
            download(Web(client), address, file, f"feed {self.name}")
            yield _rows(file, self.reading)


def _rows(file: Path, reading: Reading) -> list[dict[str, str | None]]:
    return read(file, reading).cells.to_pylist()
