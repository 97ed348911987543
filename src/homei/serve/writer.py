"""The one writer of a log: it takes things from any thread without making it wait, and hands them on in order."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

DELAY = 2.0  # seconds until what could be written nowhere is tried again
EVERY = 60.0  # seconds between two complaints about the same

log = logging.getLogger("homei.serve")


class Complaint:
    """An error of the log that is told at most once a minute, however often it happens."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._told = -every

    def tell(self, message: str, *parts: Any) -> bool:
        """Whether it was told this time."""
        if time.monotonic() - self._told < self._every:
            return False
        self._told = time.monotonic()
        log.error(message, *parts)
        return True


class Writer:
    """Hands what it took to `write`, in order, every `pause` seconds and from one thread alone.

    What `write` raises OSError for stays, comes first the next time, and is complained about. A thing may weigh more
    than one line; all that is taken and not yet written weighs no more than `most`, where that is given.
    """

    def __init__(
        self, name: str, write: Callable[[Sequence[Any]], None], pause: float, most: float = float("inf")
    ) -> None:
        self._name, self._write, self._pause, self._most = name, write, pause, most
        self._waiting: deque[tuple[int, Any]] = deque()
        self._weight = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._nowhere = Complaint()

    def __len__(self) -> int:
        """How many lines are taken and not yet written."""
        return self._weight

    @property
    def is_ending(self) -> bool:
        """Whether this is the last time that anything is written."""
        return self._stopping.is_set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what is left."""
        self._stopping.set()
        self._thread.join()

    def take(self, thing: Any, weight: int = 1) -> bool:
        """Whether there was room for it."""
        with self._lock:
            if self._weight + weight > self._most:
                return False
            self._waiting.append((weight, thing))
            self._weight += weight
        return True

    def flush(self) -> None:
        """Writes all that is taken by now."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        try:
            self._write([thing for _, thing in taken])
        except OSError as error:
            with self._lock:
                self._waiting.extendleft(reversed(taken))
            self._nowhere.tell("%s: lines can be written nowhere: %s", self._name, error.strerror)
            self._stopping.wait(DELAY)
            return
        except Exception:
            # The thread must go on: lines that come later have done nothing wrong.
            log.exception("%s: %d entries are lost", self._name, len(taken))
        with self._lock:
            self._weight -= sum(weight for weight, _ in taken)

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            self.flush()
        self.flush()
