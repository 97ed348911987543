"""Where a page begins, as text that means nothing to a client: base64url of JSON.

It is good for one question to one publication: another question, or data published since, is told apart by a
fingerprint. Nothing in it is secret, and nothing in it can reach further than a search itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Any, NamedTuple

from homei.serve.refusal import Problem, RequestError
from homei.warehouse.filters import Start
from homei.warehouse.search import MOST_COUNTED

MOST_CHARACTERS = 1000


class Cursor(NamedTuple):
    """Where a page starts, how many homes were counted on the first one, and of what question and data it is."""

    start: Start
    counted: int
    question: str
    digest: str

    def text(self) -> str:
        """The cursor as a client carries it."""
        told = [self.start.value, self.start.property_id, int(self.start.backwards), *self[1:]]
        return base64.urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode().rstrip("=")


def question(filters: dict[str, Any], sort: str) -> str:
    """The fingerprint of what is asked, but for the size of a page."""
    canonical = json.dumps([sort, filters], sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(canonical).hexdigest()[:16]


def opened(text: str, asked: str) -> Cursor:
    """The cursor of a text; raises RequestError for what is none, or one of another question."""
    try:
        cursor = _read(text)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise _refused("is none that this service gave out") from None
    if cursor.question != asked:
        raise _refused("is of another search: filters and sort should stay as they were")
    return cursor


def require_same_data(cursor: Cursor | None, digest: str) -> None:
    """Raises RequestError where the data was published anew since the cursor was given out."""
    if cursor is not None and cursor.digest != short(digest):
        raise _refused("is of data that has been published anew since: begin again, without a cursor")


def short(digest: str) -> str:
    """As much of a publication's digest as tells it from another."""
    return digest[:16]


def _read(text: str) -> Cursor:
    padded = text + "=" * (-len(text) % 4)
    value, property_id, backwards, counted, asked, digest = json.loads(base64.b64decode(padded, b"-_", validate=True))
    sound = (
        type(value) in (int, float)
        and math.isfinite(value)
        and abs(value) < 1e300
        and isinstance(property_id, str)
        and property_id.isprintable()
        and backwards in (0, 1)
        and type(counted) is int
        and 0 <= counted <= MOST_COUNTED + 1
        and isinstance(asked, str)
        and isinstance(digest, str)
    )
    if not sound:
        raise ValueError("no cursor")
    return Cursor(Start(float(value), property_id, bool(backwards)), counted, asked, digest)


def _refused(message: str) -> RequestError:
    return RequestError(422, [Problem("cursor", message)])
