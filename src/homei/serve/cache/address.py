"""The way to a Redis, by the address that one environment variable holds; it may hold a password, and is never told."""

from __future__ import annotations

import importlib.util
import os
from urllib.parse import parse_qsl, urlsplit

from homei.serving import Cache

PORT = 6379
SCHEMES = ("redis", "rediss")
OPTIONS = "ssl_"  # what an option of the address begins with: all others are the service's own


class CacheError(RuntimeError):
    """A cache that can't be used; the message names the setting, and holds nothing of its value."""


def address(settings: Cache) -> str | None:
    """Where the Redis is that the environment names; None where it names none.

    Raises CacheError for what is no such address, and where the client of Redis isn't installed.
    """
    given = os.environ.get(settings.address)
    if not given:
        return None
    if not _is_sound(given):
        raise CacheError(
            f"{settings.address} holds no address of a Redis: redis://:password@host:{PORT}/0, "
            f"or rediss:// for TLS, with no options but {OPTIONS}*"
        )
    if importlib.util.find_spec("redis") is None:
        raise CacheError(f"{settings.address} names a Redis: pip install 'homei[redis]'")
    return given


def shown(url: str) -> str:
    """An address as it may be told: without user, password and options."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or PORT}/{parts.path.strip('/') or 0}"


def _is_sound(given: str) -> bool:
    try:
        parts = urlsplit(given)
        known = parts.scheme in SCHEMES and parts.hostname and parts.port != 0
    except ValueError:  # whose message has a part of the address
        return False
    database = parts.path.strip("/")
    options = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    return bool(known) and (not database or database.isdecimal()) and all(o.startswith(OPTIONS) for o in options)
