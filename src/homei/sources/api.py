"""Feeds out of REST APIs: page by page, with credentials, no faster than asked for, and only what changed."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field

from homei.section import Count, Section
from homei.source import LivingFeed, Span
from homei.sources.credentials import Authentication, Credentials
from homei.sources.environment import expanded
from homei.sources.paging import NoPaging, Paging, at_path
from homei.sources.rows import SourceError
from homei.sources.web import USER_AGENT, FetchError, Web, json_of, plain

ETAG = "etag"


class Moment(Section):
    """How an API is told from when, or until when, changes are asked for."""

    parameter: str
    format: str = "%Y-%m-%dT%H:%M:%SZ"  # of UTC, as strftime writes it


class Api(LivingFeed):
    """A feed that is a REST API's list of records."""

    kind: Literal["api"]
    url: str
    parameters: dict[str, str] = {}
    records_at: str = ""  # where in the answer the records are: data.listings; by default the answer is their list
    paging: Annotated[Paging, Field(discriminator="kind")] = NoPaging(kind="none")
    authentication: Annotated[Authentication, Field(discriminator="kind")] | None = None
    since: Moment | None = None
    until: Moment | None = None
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    timeout: Annotated[float, Field(gt=0)] = 30.0
    page_limit: Count = 1_000_000  # a stop for APIs that never end

    def came_from(self) -> str:
        return self.url

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        """The records page by page, as the API nests them; nothing where it answers that nothing has changed.

        Raises SourceError where a page can't be had, holds no records where it should, or repeats the one before.
        """
        delay = 1 / self.requests_per_second if self.requests_per_second else 0.0
        # A redirect could lead credentials to another host.
        redirected = self.authentication is None
        agent = {"User-Agent": USER_AGENT}
        with httpx.Client(timeout=self.timeout, follow_redirects=redirected, headers=agent) as client:
            try:
                yield from self._pages(Web(client, delay=delay), span, memory)
            except FetchError as error:
                raise SourceError(str(error)) from error

    def _pages(self, web: Web, span: Span, memory: MutableMapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        what = f"feed {self.name}"
        address = httpx.URL(expanded(self.url, f"{what}: url"))
        asking = _Asking(web, what, Credentials(self.authentication, web, address, what))
        # A page's ETag tells nothing of the pages after it, and where changes are asked for, all addresses are new.
        tells_changes = isinstance(self.paging, NoPaging) and self.changed is None
        tag = memory.get(ETAG) if tells_changes else None
        step = self.paging.first(address.copy_merge_params(self._parameters(span)))
        before: list[dict[str, Any]] | None = None
        for number in range(1, self.page_limit + 1):
            response, body = asking.page(step, {"If-None-Match": tag} if tag else {})
            if response.status_code == 304:
                return
            found = self._records_of(body, step)
            if found and found == before:
                raise SourceError(f"{what}: page {number} of {plain(str(step))} repeats the one before: mend `paging`")
            if found:
                yield found
            before, following = found, self.paging.next(step, response, body, len(found))
            if tells_changes and "ETag" in response.headers:
                memory[ETAG] = response.headers["ETag"]
            if following is None:
                return
            if following == step:
                raise SourceError(f"{what}: {plain(str(step))} names itself as the next page: mend `paging`")
            step = following

    def _parameters(self, span: Span) -> dict[str, str]:
        given = dict(self.parameters)
        if self.since and span.since:
            given[self.since.parameter] = _written(span.since, self.since.format)
        if self.until:
            given[self.until.parameter] = _written(span.until, self.until.format)
        return given

    def _records_of(self, body: Any, step: httpx.URL) -> list[dict[str, Any]]:
        found = at_path(body, self.records_at)
        if not isinstance(found, list) or not all(isinstance(record, Mapping) for record in found):
            place = f"at {self.records_at}" if self.records_at else "in the answer itself"
            keys = f"; it has {', '.join(map(str, body))}" if isinstance(body, Mapping) else ""
            raise SourceError(f"feed {self.name}: {plain(str(step))} has no list of records {place} (records_at){keys}")
        return found


@dataclass
class _Asking:
    """Asks for pages, and once more with a new token where the old one has expired."""

    web: Web
    what: str
    credentials: Credentials

    def page(self, url: httpx.URL, headers: Mapping[str, str]) -> tuple[httpx.Response, Any]:
        """A page's answer and its JSON (null with 304); raises FetchError."""

        def attempt() -> tuple[httpx.Response, Any]:
            response = self._answer(url, headers, also=(304, 401))
            if response.status_code == 401:
                self.credentials.refuse(url)
                response = self._answer(url, headers, also=(304,))
            return response, None if response.status_code == 304 else json_of(response)

        return self.web.patiently(attempt, str(url), self.what)

    def _answer(self, url: httpx.URL, headers: Mapping[str, str], also: tuple[int, ...]) -> httpx.Response:
        asked, shown = self.credentials.shown_to(url)
        with self.web.answer(str(asked), self.what, {**headers, **shown}, also) as response:
            response.read()
            return response


def _written(moment: datetime.datetime, pattern: str) -> str:
    return moment.astimezone(datetime.UTC).strftime(pattern)
