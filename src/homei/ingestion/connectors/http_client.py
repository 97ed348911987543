"""HTTP requests that are repeated after temporary failures and never sent faster than allowed."""

from __future__ import annotations

import datetime
import email.utils
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, TypeVar

import httpx

ATTEMPTS = 6  # in a row without progress
TIMEOUT_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 120.0  # even where a server's Retry-After is longer
USER_AGENT = "homei/0.1 (reads property data; keeps to robots.txt)"
TEMPORARY_STATUSES = {408, 425, 429, 500, 502, 503, 504}
Result = TypeVar("Result")


class FetchError(RuntimeError):
    """A request that failed for good; the message names the feed or dataset, the address and the reason."""


class TemporaryError(Exception):
    """A failure that a later attempt may not have; `pause_seconds` is the server's Retry-After."""

    def __init__(self, reason: str, pause_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.pause_seconds = pause_seconds


@dataclass
class HttpClient:
    """An httpx client with retries that leaves `delay_seconds` between two requests.

    `label` names the feed or dataset in messages.
    """

    client: httpx.Client
    label: str
    delay_seconds: float = 0.0
    sleep: Callable[[float], None] = field(default_factory=lambda: sleep)
    _last_request: float = field(default=float("-inf"), init=False)

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        convert: Callable[[httpx.Response], Any] = lambda response: response,
    ) -> Any:
        """The response to a GET, converted; repeated where the request or `convert` fails temporarily.

        Raises FetchError for a status that is neither a success nor in `accept`.
        """

        def attempt() -> Any:
            with self.stream(url, headers, accept) as response:
                response.read()
                return convert(response)

        return self.retry(attempt, url)

    @contextmanager
    def stream(
        self, url: str, headers: Mapping[str, str] | None = None, accept: tuple[int, ...] = ()
    ) -> Iterator[httpx.Response]:
        """The open response to one GET: a success or a status in `accept`.

        Raises TemporaryError for a status that may pass, FetchError for any other.
        """
        if self.delay_seconds:
            self.sleep(max(0.0, self._last_request + self.delay_seconds - monotonic()))
            self._last_request = monotonic()
        try:
            with self.client.stream("GET", url, headers=headers) as response:
                check_status(response, self.label, accept)
                yield response
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise FetchError(f"{self.label}: {without_query(url)!r} is not a valid address: {error}") from error

    def retry(self, attempt: Callable[[], Result], url: str, progress: Callable[[], int] = lambda: 0) -> Result:
        """The result of `attempt`, repeated after temporary failures.

        Raises FetchError after ATTEMPTS failures in a row between which `progress` did not grow.
        """
        failures, progress_before = 0, progress()
        while True:
            try:
                return attempt()
            except (TemporaryError, httpx.TransportError) as error:
                progress_now = progress()
                failures = 1 if progress_now > progress_before else failures + 1
                progress_before = progress_now
                reason = str(error) or type(error).__name__
                if failures >= ATTEMPTS:
                    message = f"{self.label}: {without_query(url)} failed {failures} times: {reason}"
                    raise FetchError(message) from error
                # Jitter spreads the retries of clients that failed at the same moment.
                pause = 2.0**failures * random.uniform(0.5, 1.0)
                if isinstance(error, TemporaryError) and error.pause_seconds is not None:
                    pause = error.pause_seconds
                pause = min(LONGEST_PAUSE_SECONDS, pause)
                print(f"homei: {self.label}: {reason}; retry in {pause:.2g} s", file=sys.stderr)  # noqa: T201
                self.sleep(pause)


def without_query(url: object) -> str:
    """An address for messages: without its query, which may hold a secret or a signature."""
    return str(url).partition("?")[0]


def check_status(response: httpx.Response, label: str, accept: tuple[int, ...] = ()) -> None:
    """Raises TemporaryError for a status that may pass, FetchError for a failure that is not in `accept`."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in TEMPORARY_STATUSES:
        raise TemporaryError(f"the server answered {status}", _retry_after(response))
    if response.status_code not in accept and not response.is_success:
        request = response.request
        raise FetchError(f"{label}: {request.method} {without_query(request.url)} was answered {status}")


def json_body(response: httpx.Response, label: str) -> Any:
    """The JSON of a response; TemporaryError if it may be truncated, FetchError if it is not JSON."""
    try:
        return response.json()
    except ValueError as error:
        start = response.text.lstrip("\ufeff \t\r\n")[:40]
        if not start or start[0] in "{[":
            raise TemporaryError("the response is not complete JSON") from error
        kind = response.headers.get("Content-Type", "another type").partition(";")[0]
        url = without_query(response.request.url)
        raise FetchError(
            f"{label}: {url} was answered with {kind}, not JSON; it begins with {start!r}: check `url` and `parameters`"
        ) from error


def _retry_after(response: httpx.Response) -> float | None:
    """The Retry-After header in seconds; servers send seconds or a date (RFC 9110, section 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())
