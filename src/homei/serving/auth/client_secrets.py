"""Client secrets: generated here, stored as Argon2id hashes, and verified in a thread of their own."""

from __future__ import annotations

import secrets

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's minimum for Argon2id: 19 MiB, two passes, one lane. Secrets have 256 random bits, so no search succeeds
# whatever one guess costs.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
MAX_WAITING = 16
MAX_CHARACTERS = 200


class BusyError(RuntimeError):
    """More verifications wait than can be done in about a second."""


def new_secret() -> str:
    """256 random bits in URL-safe characters."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """The Argon2id hash of a secret."""
    return HASHER.hash(secret)


class SecretVerifier:
    """Verifies one secret at a time, off the event loop: Argon2 is slow on purpose."""

    def __init__(self) -> None:
        self._dummy_hash = hash_secret(new_secret())
        self._thread = CapacityLimiter(1)

    async def verify(self, secret: str, secret_hash: str | None) -> bool:
        """Whether the hash is the secret's; takes as long if there is no hash. Raises BusyError."""
        if self._thread.statistics().tasks_waiting >= MAX_WAITING:
            raise BusyError(f"{MAX_WAITING} verifications are waiting")
        return await to_thread.run_sync(self._verify, secret, secret_hash, limiter=self._thread)

    def _verify(self, secret: str, secret_hash: str | None) -> bool:
        try:
            # Cut, because refusing long secrets before the verification would show in the time.
            is_equal = HASHER.verify(secret_hash or self._dummy_hash, secret[: MAX_CHARACTERS + 1])
        except (VerificationError, InvalidHashError):
            return False
        return is_equal and secret_hash is not None
