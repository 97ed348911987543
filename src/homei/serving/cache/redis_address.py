"""The address of a Redis in an environment variable; it may hold a password, and no message shows it."""

from __future__ import annotations

import importlib.util
import os
from urllib.parse import parse_qsl, urlsplit

from homei.serving.config import CacheConfig

PORT = 6379
SCHEMES = ("redis", "rediss")
OPTION_PREFIX = "ssl_"  # all other options are set by the service


class CacheError(RuntimeError):
    """A cache that cannot be used; the message names the environment variable and not its value."""


def address(config: CacheConfig) -> str | None:
    """The URL of the Redis that the environment names, if any.

    Raises CacheError for an invalid URL, and where the Redis client is not installed.
    """
    url = os.environ.get(config.address_variable)
    if not url:
        return None
    if not _is_valid(url):
        raise CacheError(
            f"{config.address_variable} is no address of a Redis: redis://:password@host:{PORT}/0, "
            f"or rediss:// for TLS, with no options but {OPTION_PREFIX}*"
        )
    if importlib.util.find_spec("redis") is None:
        raise CacheError(f"{config.address_variable} names a Redis: pip install 'homei[redis]'")
    return url


def shown(url: str) -> str:
    """An address without user, password and options."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or PORT}/{parts.path.strip('/') or 0}"


def _is_valid(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_server = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its message has a part of the address
        return False
    database = parts.path.strip("/")
    options = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    has_valid_database = not database or database.isdecimal()
    return has_server and has_valid_database and all(name.startswith(OPTION_PREFIX) for name in options)
