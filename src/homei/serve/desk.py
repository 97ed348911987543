"""Where routes ask the warehouse: in threads of their own, never on the event loop; it says so where it is away.

Short questions that come at the same time are asked one after the other in one thread, of one publication: to hand
each to a thread, and to look anew what is published, takes longer than its answer. A database elsewhere is asked by
each for itself: what takes long there is the way.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection

from homei.serve.refusal import Problem, RequestError
from homei.serve.together import soon, tell
from homei.warehouse.access import NoWarehouseError, Warehouse, Work
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
        self._short = _Short(warehouse) if warehouse.is_near else None
        others = warehouse.connections - (self._short is not None)
        self._threads = ThreadPoolExecutor(max(1, others), "warehouse")
        # Probes have a thread of their own: they are answered however many routes wait.
        self._probing, self._looking = ThreadPoolExecutor(1, "probe"), asyncio.Lock()
        self._fresh, self._looked = fresh, -fresh
        self._was_there = self._is_gone = False

    async def read(self, work: Work[Answer], is_short: bool = False) -> Answer:
        """What `work` finds, as Warehouse.read gives it; others wait for one that is short, so that it has to be."""
        if is_short and self._short:
            return await _answered(self._short.read(work))
        return await _answered(self._in_a_thread(lambda: self._warehouse.read(work)))

    async def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """What `work` gives, as Warehouse.write gives it."""
        return await _answered(self._in_a_thread(lambda: self._warehouse.write(work)))

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

    async def _in_a_thread(self, asking: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, asking)


class _Short:
    """Works that wait while others are done, all of which are done next."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._thread = ThreadPoolExecutor(1, "warehouse-short")
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._busy = False

    async def read(self, work: Work[Answer]) -> Answer:
        """What the work finds; raises what it or the warehouse raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((work, answer))
        if not self._busy:
            self._busy = True
            soon(loop, self._begin, loop)
        return await answer

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        now, self._waiting = self._waiting, []
        wanted = [(work, answer) for work, answer in now if not answer.done()]
        self._busy = bool(wanted)
        if not wanted:
            return
        works = [work for work, _ in wanted]
        asking = loop.run_in_executor(self._thread, self._warehouse.read_all, works)
        asking.add_done_callback(lambda done: self._end(loop, [answer for _, answer in wanted], done))

    def _end(self, loop: asyncio.AbstractEventLoop, answers: Sequence[asyncio.Future[Any]], done: Any) -> None:
        failed = done.exception()
        tell(answers, [failed] * len(answers) if failed else done.result())
        self._busy = bool(self._waiting)
        if self._busy:
            self._begin(loop)


async def _answered(asking: Awaitable[Answer]) -> Answer:
    try:
        # Only the waiting ends here; what runs is ended by the warehouse's own limit.
        async with asyncio.timeout(PATIENCE):
            return await asking
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
