"""HTTP with patience and manners: what fails in passing is asked again later, and nobody is asked too often."""

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
TIMEOUT = 30.0  # seconds without an answer
LONGEST_PAUSE = 120.0  # seconds, whatever a server asks for
USER_AGENT = "homei/0.1 (reads property data; keeps to robots.txt)"
Answer = TypeVar("Answer")
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class FetchError(RuntimeError):
    """What could not be brought: the message names what was asked for, the address and the answer."""


class PassingError(Exception):
    """An attempt that failed in a way that may pass; `pause` is what the server asks for, in seconds."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass
class Web:
    """An HTTP client with patience, that leaves `delay` seconds between two requests."""

    client: httpx.Client
    sleep: Callable[[float], None] = field(default_factory=lambda: sleep)
    delay: float = 0.0
    _asked: float = field(default=float("-inf"), init=False)

    def read(self, url: str, what: str, also: tuple[int, ...] = ()) -> httpx.Response:
        """The whole answer of `url`, a success or one of the statuses in `also`; raises FetchError naming `what`."""

        def attempt() -> httpx.Response:
            with self.answer(url, what, {}, also) as response:
                response.read()
                return response

        return self.patiently(attempt, url, what)

    def json(self, url: str, what: str) -> Any:
        """The JSON that `url` answers; one that is cut short is asked for again. Raises FetchError."""

        def attempt() -> Any:
            with self.answer(url, what, {}) as response:
                response.read()
                return json_of(response)

        return self.patiently(attempt, url, what)

    @contextmanager
    def answer(
        self, url: str, what: str, headers: Mapping[str, str], also: tuple[int, ...] = (), data: Any = None
    ) -> Iterator[httpx.Response]:
        """One answer, open: a success or one of the statuses in `also`. With `data` it is to a POST."""
        self._wait()
        method = "GET" if data is None else "POST"
        try:
            with self.client.stream(method, url, headers=dict(headers), data=data) as response:
                if response.status_code in _TRANSIENT:
                    raise PassingError(f"it answered {_status(response)}", _pause(response))
                if response.status_code not in also and not response.is_success:
                    raise FetchError(f"{what}: {method} {plain(url)} answered {_status(response)}")
                yield response
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise FetchError(f"{what}: {plain(url)!r} is no address to read from: {error}") from error

    def patiently(
        self, attempt: Callable[[], Answer], url: str, what: str, progress: Callable[[], int] = lambda: 0
    ) -> Answer:
        """What `attempt` gives, tried again while it fails in passing or makes `progress`."""
        failures, before = 0, progress()
        while True:
            try:
                return attempt()
            except (PassingError, httpx.TransportError) as error:
                after = progress()
                failures, before = (1 if after > before else failures + 1), after
                told = str(error) or type(error).__name__
                if failures >= ATTEMPTS:
                    raise FetchError(f"{what}: {plain(url)} failed {failures} times: {told}") from error
                asked = error.pause if isinstance(error, PassingError) else None
                # Without the jitter, all who failed together would come back together.
                usual = 2.0**failures * random.uniform(0.5, 1.0)
                pause = min(LONGEST_PAUSE, usual if asked is None else asked)
                print(f"homei: {what}: {told}; again in {pause:.2g} s", file=sys.stderr)  # noqa: T201
                self.sleep(pause)

    def _wait(self) -> None:
        if self.delay:
            self.sleep(max(0.0, self._asked + self.delay - monotonic()))
            self._asked = monotonic()


def plain(url: str) -> str:
    """An address without its query, which may hold a signature that is nobody else's business."""
    return str(url).partition("?")[0]


def json_of(response: httpx.Response) -> Any:
    """The JSON of an answer; raises PassingError where it is none, as it may have been cut short."""
    try:
        return response.json()
    except ValueError as error:
        raise PassingError("it answered something else than JSON") from error


def _pause(response: httpx.Response) -> float | None:
    """What Retry-After asks for: seconds, or a date."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return float(asked)
    try:
        moment = email.utils.parsedate_to_datetime(asked)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()
