"""Files that only one may write at a time, and that are there whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class TakenError(RuntimeError):
    """Another process holds the lock, and nobody was to wait for it."""


@contextlib.contextmanager
def locked(file: Path, wait: bool = True) -> Iterator[None]:
    """Holds a lock that the system gives back even when this process is killed; raises TakenError unless it waits."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600)) as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise TakenError(f"another process holds {file}") from error
        yield


def replace(file: Path, text: str) -> None:
    """Puts a text in a file's place, on the disk before it returns."""
    fresh = file.with_suffix(".new")
    _write(fresh, text, os.O_TRUNC)
    fresh.replace(file)


def extend(file: Path, text: str) -> None:
    """Adds a text to a file's end, on the disk before it returns."""
    _write(file, text, os.O_APPEND)


def _write(file: Path, text: str, how: int) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | how, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
