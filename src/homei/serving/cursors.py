"""Cursors of search pages: opaque base64url text that names where a page starts.

A cursor is valid for one search in one publication: a fingerprint of each is part of it. Nothing in it is secret, and
a forged one reaches no further than the search itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Any, NamedTuple

from homei.serving.problem_details import Problem, ProblemError
from homei.warehouse.search_sql import MAX_COUNTED, PageStart

MAX_CHARACTERS = 1000
FINGERPRINT_CHARACTERS = 16


class Cursor(NamedTuple):
    """Where a page starts, the matches counted on the first page, and fingerprints of the search and the data."""

    start: PageStart
    n_matches: int
    search: str
    data: str

    def encode(self) -> str:
        """The cursor as clients receive it."""
        values = [self.start.value, self.start.property_id, int(self.start.backwards), *self[1:]]
        return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def search_fingerprint(filters: dict[str, Any], sort: str) -> str:
    """The fingerprint of a search without the size of its pages."""
    canonical = json.dumps([sort, filters], sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(canonical).hexdigest()[:FINGERPRINT_CHARACTERS]


def data_fingerprint(digest: str) -> str:
    """The fingerprint of a publication with this digest."""
    return digest[:FINGERPRINT_CHARACTERS]


def decode_cursor(text: str, search: str) -> Cursor:
    """The cursor in a client's text; raises ProblemError for an invalid one, or one of another search."""
    try:
        cursor = _decode(text)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise _cursor_error("is not a cursor of this service") from None
    if cursor.search != search:
        raise _cursor_error("belongs to another search: keep filters and sort as they were")
    return cursor


def require_same_data(cursor: Cursor, digest: str) -> None:
    """Raises ProblemError if data was published since the cursor was issued."""
    if cursor.data != data_fingerprint(digest):
        raise _cursor_error("belongs to data that has been replaced: start again without a cursor")


def _decode(text: str) -> Cursor:
    padded = text + "=" * (-len(text) % 4)
    value, property_id, backwards, n_matches, search, data = json.loads(base64.b64decode(padded, b"-_", validate=True))
    is_valid = (
        type(value) in (int, float)
        and math.isfinite(value)
        and abs(value) < 1e300
        and isinstance(property_id, str)
        and property_id.isprintable()
        and backwards in (0, 1)
        and type(n_matches) is int
        and 0 <= n_matches <= MAX_COUNTED + 1
        and isinstance(search, str)
        and isinstance(data, str)
    )
    if not is_valid:
        raise ValueError("a value of the cursor is out of range")
    return Cursor(PageStart(float(value), property_id, bool(backwards)), n_matches, search, data)


def _cursor_error(message: str) -> ProblemError:
    return ProblemError(422, [Problem("cursor", message)])
