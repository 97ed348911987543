"""Client of the warehouse for routes: queries run in threads, with 503 if it cannot be reached."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, fail_after, to_thread
from sqlalchemy import Connection

from homei.serving.problem_details import Problem, ProblemError
from homei.warehouse.connection import SlowError, WarehouseError
from homei.warehouse.sessions import Query, Warehouse

Result = TypeVar("Result")

STATEMENT_SECONDS = 2.0
REQUEST_SECONDS = 5.0  # that a request waits for a thread, a connection and its result
PROBE_SECONDS = 2.0  # for which the result of a probe is reused
UNAVAILABLE = "is not available; the operator publishes data with `homei publish`"

log = logging.getLogger(__name__)


class WarehouseBusyError(ProblemError):
    """A warehouse that can be reached and did not answer in time."""


class WarehouseClient:
    """Queries the warehouse for routes; raises ProblemError (503) if there is no result in time."""

    def __init__(self, warehouse: Warehouse, probe_seconds: float = PROBE_SECONDS) -> None:
        self._warehouse = warehouse
        self._threads = CapacityLimiter(warehouse.connections)
        # Probes have a thread of their own: they are answered however many queries are waiting.
        self._probe_thread, self._probe_lock = CapacityLimiter(1), asyncio.Lock()
        self._probe_seconds, self._probed_at = probe_seconds, -probe_seconds
        self._is_available = False

    async def read(self, query: Query[Result]) -> Result:
        """The result of Warehouse.read."""
        return await self._in_thread(lambda: self._warehouse.read(query))

    async def write(self, command: Callable[[Connection], Result]) -> Result:
        """The result of Warehouse.write."""
        return await self._in_thread(lambda: self._warehouse.write(command))

    async def is_available(self) -> bool:
        """Whether a publication can be read, which a busy warehouse counts as; checked every few seconds."""
        async with self._probe_lock:
            if time.monotonic() - self._probed_at >= self._probe_seconds:
                self._is_available = await to_thread.run_sync(self._probe, limiter=self._probe_thread)
                self._probed_at = time.monotonic()
        return self._is_available

    def _probe(self) -> bool:
        try:
            self._warehouse.read(lambda connection, publication: None)
        except SlowError:
            return True
        except WarehouseError as error:
            if self._is_available:  # until now
                log.warning("the warehouse is not available: %s", error)
            return False
        return True

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        try:
            # Only the waiting ends here; the warehouse's own time limit ends the statement.
            with fail_after(REQUEST_SECONDS):
                return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._threads)
        except TimeoutError:
            raise WarehouseBusyError(503, [Problem("warehouse", "is busy")], _retry_after(1)) from None
        except SlowError as error:
            log.warning("the warehouse was too slow: %s", error)
            message = f"took longer than {STATEMENT_SECONDS:g} s: narrow the request or try again"
            raise WarehouseBusyError(503, [Problem("warehouse", message)], _retry_after(5)) from None
        except WarehouseError as error:
            log.warning("the warehouse is not available: %s", error)
            raise ProblemError(503, [Problem("warehouse", UNAVAILABLE)], _retry_after(30)) from None


def _retry_after(seconds: int) -> dict[str, str]:
    return {"retry-after": str(seconds)}
