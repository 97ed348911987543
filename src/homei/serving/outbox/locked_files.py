"""File locks between processes, and writes that are on disk before they return."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class LockedError(RuntimeError):
    """Another process holds the lock."""


@contextlib.contextmanager
def file_lock(path: Path, wait: bool = True) -> Iterator[None]:
    """An exclusive lock on `path`, which the system releases if the process is killed.

    Raises LockedError if another process holds it and `wait` is false.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600)) as lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise LockedError(f"another process holds {path}") from error
        yield


def replace_text(path: Path, text: str) -> None:
    """Replaces the content of a file atomically."""
    new_path = path.with_suffix(".new")
    _write(new_path, text.encode(), os.O_TRUNC)
    new_path.replace(path)


def append_bytes(path: Path, data: bytes) -> None:
    """Appends to a file, all or nothing; raises OSError if the disk does not take the data."""
    size = path.stat().st_size if path.exists() else 0
    try:
        _write(path, data, os.O_APPEND)
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise


def _write(path: Path, data: bytes, flag: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600), "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
