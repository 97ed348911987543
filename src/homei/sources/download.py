"""One file over HTTP: retried with back-off, resumed where it broke off, swapped in whole."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
from tqdm import tqdm

ATTEMPTS = 6  # in a row without a byte of progress
TIMEOUT = 30.0  # seconds without an answer
LONGEST_PAUSE = 120.0  # seconds, whatever a server asks for
Answer = TypeVar("Answer")
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class FetchError(RuntimeError):
    """A file that could not be brought: the message names the dataset or file, the address and the answer."""


class _PassingError(Exception):
    """An attempt that failed in a way that may pass; `pause` is what the server asks for, in seconds."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Web:
    """An HTTP client with patience: `sleep` waits between attempts and polls."""

    client: httpx.Client
    sleep: Callable[[float], None] = time.sleep

    def json(self, url: str, what: str) -> dict:
        """The JSON object that `url` answers; raises FetchError, naming `what` was asked for."""

        def attempt() -> dict:
            with _answer(self.client, url, what, {}) as response:
                response.read()
                return _json_object(response, url, what)

        return self._patiently(attempt, lambda: 0, url, what)

    def download(self, url: str, target: Path, what: str) -> None:
        """The bytes of `url` in `target`; raises FetchError.

        An unfinished download stays beside it as .part and is taken up again: at once, and by a later call if the
        server can tell (by ETag or date) that the file is still the same.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        if not _validator_of(part).exists():
            part.unlink(missing_ok=True)
        self._patiently(lambda: _continue(self.client, url, part, what), lambda: _size(part), url, what)
        part.replace(target)
        _validator_of(part).unlink(missing_ok=True)

    def _patiently(self, attempt: Callable[[], Answer], progress: Callable[[], int], url: str, what: str) -> Answer:
        failures, before = 0, progress()
        while True:
            try:
                return attempt()
            except (_PassingError, httpx.TransportError) as error:
                after = progress()
                failures, before = (1 if after > before else failures + 1), after
                if failures >= ATTEMPTS:
                    raise FetchError(f"{what}: GET {plain(url)} failed {failures} times: {error}") from error
                asked = error.pause if isinstance(error, _PassingError) else None
                pause = min(LONGEST_PAUSE, 2.0**failures if asked is None else asked)
                print(f"homei: {what}: {error}; again in {pause:g} s", file=sys.stderr)  # noqa: T201
                self.sleep(pause)


def plain(url: str) -> str:
    """An address without its query, which may hold a signature that is nobody else's business."""
    return url.partition("?")[0]


@contextmanager
def _answer(client: httpx.Client, url: str, what: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    try:
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code in _TRANSIENT:
                raise _PassingError(f"it answered {_status(response)}", _pause(response))
            if response.status_code != 416 and not response.is_success:
                raise FetchError(f"{what}: GET {plain(url)} answered {_status(response)}")
            yield response
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise FetchError(f"{what}: {plain(url)!r} is no address to download from: {error}") from error


def _continue(client: httpx.Client, url: str, part: Path, what: str) -> None:
    """Fills `part` up to its end, from where it is if the server agrees, else from the start."""
    headers = {"Accept-Encoding": "identity"}
    validator, there = _validator_of(part), _size(part)
    if there:
        headers["Range"] = f"bytes={there}-"
    if there and validator.exists():
        headers["If-Range"] = validator.read_text(encoding="ascii")
    with _answer(client, url, what, headers) as response:
        if response.status_code == 416:
            part.unlink()
            raise _PassingError("it has fewer bytes than were there already", 0.0)
        continues = response.headers.get("Content-Range", "").startswith(f"bytes {there}-")
        if response.status_code == 206 and not continues:
            part.unlink()
            raise _PassingError("it sent another range than the one asked for", 0.0)
        if response.status_code != 206:
            there = 0
            _note_validator(validator, response)
        length = response.headers.get("Content-Length")
        with part.open("ab" if there else "wb") as file, _bar(what, there, length) as bar:
            # In the pieces that come: a given size would hold bytes back, and lose them with the connection.
            for chunk in response.iter_bytes():
                file.write(chunk)
                bar.update(len(chunk))


def _bar(what: str, there: int, length: str | None) -> tqdm:
    total = there + int(length) if length and length.isdigit() else None
    return tqdm(desc=what, total=total, initial=there, unit="B", unit_scale=True, unit_divisor=1024, disable=None)


def _validator_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _note_validator(path: Path, response: httpx.Response) -> None:
    """Remembers what tells this version of the file from another; a weak ETag may not be used for ranges."""
    etag = response.headers.get("ETag", "")
    found = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
    if found and found.isascii():
        path.write_text(found, encoding="ascii")
    else:
        path.unlink(missing_ok=True)


def _json_object(response: httpx.Response, url: str, what: str) -> dict:
    try:
        value = response.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise FetchError(f"{what}: GET {plain(url)} answered something else than a JSON object")
    return value


def _pause(response: httpx.Response) -> float | None:
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else None


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
