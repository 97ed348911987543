"""How an API hands out its records page by page: by number, by offset, by a cursor or by a link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import httpx

from homei.section import Count, Section


def at_path(body: Any, path: str) -> Any:
    """What lies at a path such as `data.next` in an answer; the answer itself for an empty path, null for none."""
    for name in path.split(".") if path else []:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body


class NoPaging(Section):
    """One answer holds all records."""

    kind: Literal["none"]

    def first(self, url: httpx.URL) -> httpx.URL:
        """The address of the first page."""
        return url

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, records: int) -> httpx.URL | None:
        """The address of the page after `url`'s; null where that was the last one."""
        return None


class Sized(Section):
    """Pages of a size that may be asked for."""

    size: Count = 500
    size_parameter: str | None = None

    def first(self, url: httpx.URL) -> httpx.URL:
        return url.copy_set_param(self.size_parameter, self.size) if self.size_parameter else url


class PagePaging(Sized):
    """Pages by number; the first one without records ends them."""

    kind: Literal["page"]
    parameter: str = "page"
    start: int = 1

    def first(self, url: httpx.URL) -> httpx.URL:
        return super().first(url).copy_set_param(self.parameter, self.start)

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, records: int) -> httpx.URL | None:
        return url.copy_set_param(self.parameter, int(url.params[self.parameter]) + 1) if records else None


class OffsetPaging(Sized):
    """Pages by how many records come before them; the first one without records ends them."""

    kind: Literal["offset"]
    parameter: str = "offset"

    def first(self, url: httpx.URL) -> httpx.URL:
        return super().first(url).copy_set_param(self.parameter, 0)

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, records: int) -> httpx.URL | None:
        return url.copy_set_param(self.parameter, int(url.params[self.parameter]) + records) if records else None


class CursorPaging(Sized):
    """Each answer names the cursor of the next page; one that names none is the last."""

    kind: Literal["cursor"]
    parameter: str = "cursor"
    at: str = "next"  # where in the answer it is

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, records: int) -> httpx.URL | None:
        cursor = at_path(body, self.at)
        return None if cursor in (None, "") else url.copy_set_param(self.parameter, str(cursor))


class LinkPaging(Sized):
    """Each answer links the next page: at a place in it, or in its Link header (RFC 8288)."""

    kind: Literal["link"]
    at: str | None = None

    def next(self, url: httpx.URL, response: httpx.Response, body: Any, records: int) -> httpx.URL | None:
        link = at_path(body, self.at) if self.at else response.links.get("next", {}).get("url")
        return url.join(str(link)) if link else None


Paging = NoPaging | PagePaging | OffsetPaging | CursorPaging | LinkPaging
