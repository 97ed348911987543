"""Clients' secrets: made here, kept as argon2 hashes alone, and compared where that keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# The least that OWASP's cheat sheet on password storage asks of Argon2id: 19 MiB, two passes, one lane. The secrets
# have 256 random bits, which no search gets through whatever a guess costs.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
MOST_WAITING = 16
MOST_CHARACTERS = 200


class BusyError(RuntimeError):
    """More comparisons are waiting than will be done in a second or so."""


def new_secret() -> str:
    """A secret of 256 random bits, in letters that need no escape anywhere."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    return HASHER.hash(secret)


class Comparer:
    """Compares secrets with hashes, one at a time, in a thread of its own: argon2 is slow on purpose."""

    def __init__(self) -> None:
        self._nobodys = hashed(new_secret())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="argon2")
        self._waiting = 0

    async def matches(self, secret: str, known: str | None) -> bool:
        """Whether `secret` is the one behind the hash `known`; takes as long where there is no such hash.

        Raises BusyError where too many are waiting already.
        """
        if self._waiting >= MOST_WAITING:
            raise BusyError(f"{self._waiting} comparisons are waiting")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._compare, secret, known)
        finally:
            self._waiting -= 1

    def _compare(self, secret: str, known: str | None) -> bool:
        try:
            # Cut rather than refused before: that would tell by its speed.
            return HASHER.verify(known or self._nobodys, secret[: MOST_CHARACTERS + 1]) and known is not None
        except (VerificationError, InvalidHashError):
            return False
