"""Feeds of market indicators: monthly series such as interest rates, each with its publication lag."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field

from homei.config.columns import Column
from homei.config.file_formats import FileFormat
from homei.ingestion.connectors.download import download
from homei.ingestion.connectors.files import read
from homei.ingestion.connectors.http_client import TIMEOUT_SECONDS, HttpClient
from homei.ingestion.connectors.text_rows import SourceError, expanded
from homei.ingestion.feeds import IncrementalFeed, Span


class Indicators(IncrementalFeed):
    """A feed that is one monthly series, named after it: a file at a web address or in a folder.

    A month's value counts as known `lag_months` later: what is published in March for January has a lag of 2.
    """

    kind: Literal["indicators"]
    address: str  # https://…, or a path from the project's folder
    reading: FileFormat = FileFormat()
    month: Column
    value: Column
    lag_months: Annotated[int, Field(ge=0)]
    absent: Literal["deleted", "kept"] = "kept"  # many series are published for the last years only
    key: list[str] = []
    columns: dict[str, Column] = {}

    def model_post_init(self, _: Any) -> None:
        """Derives key and columns: one value a month, written as 2024-05 unless a format is declared."""
        month = self.month.model_copy(update={"format": self.month.format or "%Y-%m"})
        columns = {"series": Column(constant=self.name), "month": month, "value": self.value}
        object.__setattr__(self, "key", [month.column])
        object.__setattr__(self, "columns", columns)

    def came_from(self) -> str:
        return self.address

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[list[dict[str, str | None]]]:
        """The whole series, as past values are revised; raises SourceError where it is missing."""
        label = f"feed {self.name}"
        address = expanded(self.address, f"{label}: address")
        if not address.startswith(("http://", "https://")):
            if not Path(address).is_file():
                raise SourceError(f"{label}: address = {address!r}: no such file")
            yield read(Path(address), self.reading).cells.to_pylist()
            return
        with (
            tempfile.TemporaryDirectory() as folder,
            httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True) as client,
        ):
            # The file's format follows from the end of the address.
            file = Path(folder) / Path(httpx.URL(address).path).name
            download(HttpClient(client, label), address, file)
            yield read(file, self.reading).cells.to_pylist()
