"""Feeds from REST APIs: changed records page by page, with credentials and a request rate."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, MutableMapping
from functools import partial
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field

from homei.config.model import ConfigModel, Count
from homei.ingestion.connectors.authentication import ApiAuth, Authentication
from homei.ingestion.connectors.http_client import (
    TEMPORARY_STATUSES,
    USER_AGENT,
    FetchError,
    HttpClient,
    TemporaryError,
    json_body,
    without_query,
)
from homei.ingestion.connectors.nested import value_at
from homei.ingestion.connectors.paging import NoPaging, PagePaging, Paging
from homei.ingestion.connectors.text_rows import SourceError, expanded
from homei.ingestion.feeds import IncrementalFeed, Span

ETAG = "etag"


class Moment(ConfigModel):
    """The query parameter that limits an API's answer to changes from, or until, a moment in UTC."""

    parameter: str
    format: str = "%Y-%m-%dT%H:%M:%SZ"  # for strftime


class Api(IncrementalFeed):
    """A feed that is a REST API's list of records."""

    kind: Literal["api"]
    url: str
    parameters: dict[str, str] = {}
    records_at: str = ""  # the path of the records in a response, such as data.listings; empty if they are all of it
    paging: Annotated[Paging, Field(discriminator="kind")] = NoPaging(kind="none")
    authentication: Annotated[Authentication, Field(discriminator="kind")] | None = None
    since: Moment | None = None
    until: Moment | None = None
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    timeout: Annotated[float, Field(gt=0)] = 30.0  # seconds
    page_limit: Count = 1_000_000  # ends an API that never stops paging

    def came_from(self) -> str:
        return self.url

    def records(self, span: Span, memory: MutableMapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        """The records page by page, nested as the API sends them; none where it answers 304 Not Modified.

        Raises SourceError where a page can't be fetched, has no list of records, or repeats the one before.
        """
        label = f"feed {self.name}"
        url = httpx.URL(expanded(self.url, f"{label}: url"))
        with httpx.Client(
            timeout=self.timeout,
            auth=ApiAuth(self.authentication, url, label) if self.authentication else None,
            follow_redirects=self.authentication is None,  # a redirect could send credentials to another host
            headers={"User-Agent": USER_AGENT},
        ) as client:
            delay_seconds = 1 / self.requests_per_second if self.requests_per_second else 0.0
            try:
                yield from self._pages(HttpClient(client, label, delay_seconds), url, span, memory)
            except FetchError as error:
                raise SourceError(str(error)) from error

    def _pages(
        self, client: HttpClient, url: httpx.URL, span: Span, memory: MutableMapping[str, str]
    ) -> Iterator[list[dict[str, Any]]]:
        # With several pages, a page's ETag says nothing of the others; with `changed`, each fetch has a new address.
        uses_etag = isinstance(self.paging, NoPaging) and self.changed is None
        headers = {"If-None-Match": memory[ETAG]} if uses_etag and ETAG in memory else {}
        page_url = self.paging.first(url.copy_merge_params(self._parameters(span)))
        previous: list[dict[str, Any]] | None = None
        for number in range(1, self.page_limit + 1):
            # Many servers answer a page after the last one with 404.
            accept = (304, 404) if number > 1 and isinstance(self.paging, PagePaging) else (304,)
            response, body = client.get(str(page_url), headers, accept, partial(_json_of, client.label))
            if response.status_code in accept:
                return
            records = self._records_in(body, page_url, is_first=number == 1)
            where = without_query(page_url)
            if records and records == previous:
                raise SourceError(f"{client.label}: page {number} of {where} repeats the one before: correct `paging`")
            if records:
                yield records
            if uses_etag and "ETag" in response.headers:
                memory[ETAG] = response.headers["ETag"]
            previous, next_url = records, self.paging.next(page_url, response, body, len(records))
            if next_url is None:
                return
            if next_url == page_url:
                raise SourceError(f"{client.label}: {where} links itself as the next page: correct `paging`")
            page_url = next_url

    def _parameters(self, span: Span) -> dict[str, str]:
        parameters = dict(self.parameters)
        for moment, value in ((self.since, span.since), (self.until, span.until)):
            if moment and value:
                parameters[moment.parameter] = value.astimezone(datetime.UTC).strftime(moment.format)
        return parameters

    def _records_in(self, body: Any, url: httpx.URL, is_first: bool) -> list[dict[str, Any]]:
        records = value_at(body, self.records_at)
        if isinstance(records, list) and all(isinstance(record, Mapping) for record in records):
            return records
        label = f"feed {self.name}: {without_query(url)}"
        if message := _error_in(body):
            raise SourceError(f"{label} answered with an error: {message}")
        if records is None and not is_first:
            return []
        place = f"at {self.records_at}" if self.records_at else "as its whole response"
        keys = f"; the response has {', '.join(map(str, body))}" if isinstance(body, Mapping) else ""
        raise SourceError(f"{label} has no list of records {place}: correct `records_at`{keys}")


def _json_of(label: str, response: httpx.Response) -> tuple[httpx.Response, Any]:
    if not response.is_success:
        return response, None
    body = json_body(response, label)
    error = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, Mapping) and error.get("code") in TEMPORARY_STATUSES:
        raise TemporaryError(f"the server answered with an error: {_error_in(body)}")
    return response, body


def _error_in(body: Any) -> str:
    """The error in a response with the status of a success, as of ArcGIS; empty if there is none."""
    error = next((body[key] for key in ("error", "errors") if body.get(key)), "") if isinstance(body, Mapping) else ""
    if not isinstance(error, Mapping):
        return str(error)
    parts = [error.get("code"), error.get("message"), *(error.get("details") or [])]
    return " ".join(dict.fromkeys(str(part) for part in parts if part)) or str(dict(error))
