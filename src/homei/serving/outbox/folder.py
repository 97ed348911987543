"""The outbox on disk: a folder per process, with JSON-lines files for delivery in their order."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homei.serving.outbox.locked_files import LockedError, append_bytes, file_lock

OPEN_FILE = "current"
SUFFIX = ".jsonl"
REJECTED_SUFFIX = ".refused"
MAX_FILE_BYTES = 1 << 20
MAX_PROCESSES = 100


@dataclass(frozen=True)
class Batch:
    """The entries of one file; `batch_id` is the same at each attempt to deliver them."""

    batch_id: str
    entries: list[Any]
    n_torn: int  # lines that a crash cut short


class OutboxFolder:
    """The files of one process, in `parent/00`, `parent/01`, …

    Files that a dead process left are moved here.

    Raises LockedError if 100 processes share `parent`, OSError if it cannot be written.
    """

    def __init__(self, parent: Path) -> None:
        self._process_lock = contextlib.ExitStack()
        self._file_lock = threading.Lock()
        self.path = self._claim(parent)
        for other in sorted(parent.iterdir()):
            if other != self.path:
                self._adopt(other)
        _close(self.path)

    def append(self, lines: list[bytes]) -> None:
        """Writes lines; all of them are on disk when it returns, none if it raises OSError."""
        path = self.path / OPEN_FILE
        with self._file_lock:
            append_bytes(path, b"".join(line + b"\n" for line in lines))
            if path.stat().st_size > MAX_FILE_BYTES:
                _close(self.path)

    def oldest_file(self) -> Path | None:
        """The oldest file with entries, closed so that it no longer grows; None if there is no entry."""
        with self._file_lock:
            if not (paths := sorted(self.path.glob(f"*{SUFFIX}"))):
                _close(self.path)
                paths = list(self.path.glob(f"*{SUFFIX}"))
        return paths[0] if paths else None

    def n_bytes(self) -> int:
        """Bytes that wait for delivery."""
        return sum(map(_size, _waiting_files(self.path)))

    def release(self) -> None:
        """Unlocks the folder for the next process."""
        self._process_lock.close()

    def _claim(self, parent: Path) -> Path:
        for number in range(MAX_PROCESSES):
            path = parent / f"{number:02}"
            with contextlib.suppress(LockedError):
                self._process_lock.enter_context(file_lock(path / "lock", wait=False))
                return path
        raise LockedError(f"{MAX_PROCESSES} services use {parent}: give this one another folder")

    def _adopt(self, other: Path) -> None:
        if not other.is_dir():
            return
        with contextlib.suppress(LockedError), file_lock(other / "lock", wait=False):
            _close(other)
            for path in other.glob(f"*{SUFFIX}"):
                path.rename(self.path / path.name)


def read_batch(path: Path) -> Batch:
    """The entries of a closed file."""
    entries: list[Any] = []
    n_torn = 0
    for line in path.read_bytes().splitlines():
        try:
            entries.append(json.loads(line))
        except ValueError:
            n_torn += 1
    return Batch(path.stem, entries, n_torn)


def n_waiting(parent: Path) -> int:
    """Lines that all processes' folders under `parent` hold for delivery."""
    paths = [path for folder in parent.glob("*/") for path in _waiting_files(folder)]
    return sum(path.read_bytes().count(b"\n") for path in paths)


def _waiting_files(folder: Path) -> list[Path]:
    return [path for path in (*folder.glob(f"*{SUFFIX}"), folder / OPEN_FILE) if path.exists()]


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # delivered and removed in the meantime
        return path.stat().st_size
    return 0


def _close(folder: Path) -> None:
    """Renames the open file to a unique name that sorts by time."""
    name = f"{time.time_ns():020}-{os.urandom(4).hex()}{SUFFIX}"
    with contextlib.suppress(FileNotFoundError):
        (folder / OPEN_FILE).rename(folder / name)
