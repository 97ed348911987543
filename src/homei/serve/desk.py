"""Where routes ask the warehouse: in threads of their own, never on the event loop; it says so where it is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, RowMapping

from homei.serve.refusal import Problem, RequestError
from homei.warehouse.access import NoWarehouseError, Warehouse
from homei.warehouse.connection import SlowError, WarehouseError

Answer = TypeVar("Answer")

SECONDS = 2.0  # a statement
PATIENCE = 5.0  # seconds that a request waits, for a connection and its answer
FRESH = 2.0  # seconds for which what a probe found is believed
AWAY = "can't be asked now; whoever runs this service brings the data there with `homei publish`"

log = logging.getLogger(__name__)


class Desk:
    """Asks the warehouse for routes; raises RequestError (503, with Retry-After) where it has no answer in time."""

    def __init__(self, warehouse: Warehouse, fresh: float = FRESH) -> None:
        self._warehouse = warehouse
        # AnyIO's threads and limits take as long as a short answer does.
        self._threads = ThreadPoolExecutor(warehouse.connections, "warehouse")
        # Probes have a thread of their own: they are answered however many routes wait.
        self._probing, self._looking = ThreadPoolExecutor(1, "probe"), asyncio.Lock()
        self._fresh, self._looked = fresh, -fresh
        self._was_there = self._is_gone = False

    async def read(self, work: Callable[[Connection, RowMapping], Answer]) -> Answer:
        """What `work` finds, as Warehouse.read gives it."""
        return await self._asked(lambda: self._warehouse.read(work))

    async def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """What `work` gives, as Warehouse.write gives it."""
        return await self._asked(lambda: self._warehouse.write(work))

    async def is_gone(self) -> bool:
        """Whether there was a warehouse, or should be one, and it can't be reached: looked at again each few seconds.

        One that is busy is there, and one where nobody ever published is none that could be gone.
        """
        async with self._looking:
            if time.monotonic() - self._looked >= self._fresh:
                self._is_gone = await asyncio.get_running_loop().run_in_executor(self._probing, self._look)
                self._looked = time.monotonic()
        return self._is_gone

    def _look(self) -> bool:
        try:
            self._warehouse.ask()
        except SlowError:
            pass
        except NoWarehouseError:
            return self._was_there
        except WarehouseError as error:
            log.warning("no warehouse: %s", error)
            return True
        self._was_there = True
        return False

    async def _asked(self, asking: Callable[[], Answer]) -> Answer:
        try:
            # Only the waiting ends here; what runs is ended by the warehouse's own limit.
            async with asyncio.timeout(PATIENCE):
                return await asyncio.get_running_loop().run_in_executor(self._threads, asking)
        except TimeoutError:
            raise _unavailable("is busy", 1) from None
        except SlowError as error:
            log.warning("the warehouse was too slow: %s", error)
            raise _unavailable(f"took longer than {SECONDS:g} s; ask for less, or again", 5) from None
        except WarehouseError as error:
            log.warning("no warehouse: %s", error)
            raise _unavailable(AWAY, 30) from None


def _unavailable(message: str, seconds: int) -> RequestError:
    return RequestError(503, [Problem("warehouse", message)], {"retry-after": str(seconds)})
