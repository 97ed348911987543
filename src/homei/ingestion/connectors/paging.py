"""How a REST API splits its records into pages: by page number, offset, cursor or link.

Each kind has two functions: `first` returns the address of the first page, and `next` that of the page after `url`,
or None after the last one.
"""

from __future__ import annotations

from typing import Any, Literal

import httpx

from homei.config.model import ConfigModel, Count
from homei.ingestion.connectors.nested import value_at


class NoPaging(ConfigModel):
    """One response holds all records."""

    kind: Literal["none"]

    def first(self, url: httpx.URL) -> httpx.URL:
        return url

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, n_records: int) -> httpx.URL | None:
        return None


class SizedPaging(ConfigModel):
    """What the other kinds share: the number of records a page, where the API has a parameter for it."""

    size: Count = 500
    size_parameter: str | None = None

    def first(self, url: httpx.URL) -> httpx.URL:
        return url.copy_set_param(self.size_parameter, self.size) if self.size_parameter else url


class PagePaging(SizedPaging):
    """Pages have numbers; the first one without records is the end."""

    kind: Literal["page"]
    parameter: str = "page"
    start: int = 1

    def first(self, url: httpx.URL) -> httpx.URL:
        return super().first(url).copy_set_param(self.parameter, self.start)

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, n_records: int) -> httpx.URL | None:
        return url.copy_set_param(self.parameter, int(url.params[self.parameter]) + 1) if n_records else None


class OffsetPaging(SizedPaging):
    """Pages start after a number of records; the first one without records is the end."""

    kind: Literal["offset"]
    parameter: str = "offset"

    def first(self, url: httpx.URL) -> httpx.URL:
        return super().first(url).copy_set_param(self.parameter, 0)

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, n_records: int) -> httpx.URL | None:
        return url.copy_set_param(self.parameter, int(url.params[self.parameter]) + n_records) if n_records else None


class CursorPaging(SizedPaging):
    """Each response holds the cursor of the next page; the last one holds none."""

    kind: Literal["cursor"]
    parameter: str = "cursor"
    at: str = "next"  # the path of the cursor in the response

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, n_records: int) -> httpx.URL | None:
        cursor = value_at(body, self.at)
        return None if cursor in (None, "") else url.copy_set_param(self.parameter, str(cursor))


class LinkPaging(SizedPaging):
    """Each response links the next page, in its body or in its Link header (RFC 8288)."""

    kind: Literal["link"]
    at: str | None = None  # the path of the link in the body; the header by default

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, n_records: int) -> httpx.URL | None:
        link = value_at(body, self.at) if self.at else response.links.get("next", {}).get("url")
        return url.join(str(link)) if link else None


Paging = NoPaging | PagePaging | OffsetPaging | CursorPaging | LinkPaging
