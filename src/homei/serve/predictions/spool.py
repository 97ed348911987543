"""Where lines are until the warehouse has them: files of JSON lines, each taken whole, the oldest first."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

from homei.serve.files import TakenError, extend, locked

CURRENT = "current"
SUFFIX = ".jsonl"
MOST_BYTES = 4 << 20  # of a file that still grows
MOST_SERVICES = 100  # that share a folder


class Spool:
    """The files of one service, in a folder of its own below `parent`; what services that died left comes along.

    Raises TakenError where a hundred services are at it, and OSError where the folder can't be written.
    """

    def __init__(self, parent: Path) -> None:
        self._held = contextlib.ExitStack()
        self._lock = threading.Lock()
        self.folder = self._claim(parent)
        for other in sorted(parent.iterdir()):
            if other != self.folder:
                self._adopt(other)
        self._close(self.folder)

    def add(self, text: str) -> None:
        """Adds whole lines; they are on the disk once this returns. None of them is there where it raises OSError."""
        file = self.folder / CURRENT
        with self._lock:
            size = file.stat().st_size if file.exists() else 0
            try:
                extend(file, text)
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(file, size)
                raise
            if size + len(text) > MOST_BYTES:
                self._close(self.folder)

    def oldest(self) -> Path | None:
        """The file whose lines came first, which grows no more; None where no line waits."""
        with self._lock:
            closed = sorted(self.folder.glob(f"*{SUFFIX}"))
            if not closed:
                closed = self._close(self.folder)
        return closed[0] if closed else None

    def size(self) -> int:
        """The bytes that wait."""
        total = 0
        for file in (*self.folder.glob(f"*{SUFFIX}"), self.folder / CURRENT):
            with contextlib.suppress(FileNotFoundError):
                total += file.stat().st_size
        return total

    def release(self) -> None:
        """Leaves the folder to whoever comes next."""
        self._held.close()

    def _claim(self, parent: Path) -> Path:
        for number in range(MOST_SERVICES):
            folder = parent / f"{number:02}"
            with contextlib.suppress(TakenError):
                self._held.enter_context(locked(folder / "lock", wait=False))
                return folder
        raise TakenError(f"{MOST_SERVICES} services keep their lines in {parent}")

    def _adopt(self, other: Path) -> None:
        with contextlib.suppress(TakenError, NotADirectoryError), locked(other / "lock", wait=False):
            self._close(other)
            for file in other.glob(f"*{SUFFIX}"):
                file.rename(self.folder / file.name)

    @staticmethod
    def _close(folder: Path) -> list[Path]:
        """Has the file that grows grow no more. Names are times, so that they sort as the lines came."""
        closed = folder / f"{time.time_ns():020}{SUFFIX}"
        try:
            (folder / CURRENT).rename(closed)
        except FileNotFoundError:
            return []
        return [closed]
