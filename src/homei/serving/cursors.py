"""Cursors of search pages: opaque base64url text that names where a page starts.

A cursor is valid for one search in one publication: a fingerprint of each is part of it. Nothing in it is secret, and
a forged one reaches no further than the search itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter

from homei.serving.problem_details import Problem, ProblemError
from homei.serving.query_params import require_printable
from homei.warehouse.search_sql import MAX_COUNTED, PageStart

MAX_CHARACTERS = 1000
FINGERPRINT_CHARACTERS = 16


# What a cursor holds: value, property_id, backwards, n_matches, search, data.
FIELDS: TypeAdapter[tuple[Any, ...]] = TypeAdapter(
    tuple[
        Annotated[float, Field(ge=-1e300, le=1e300, allow_inf_nan=False)],
        Annotated[str, AfterValidator(require_printable)],
        Annotated[int, Field(ge=0, le=1)],
        Annotated[int, Field(ge=0, le=MAX_COUNTED + 1)],
        str,
        str,
    ],
    config=ConfigDict(strict=True),
)


class Cursor(NamedTuple):
    """The start of a page, the number of matches, and fingerprints of the search and the data."""

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
        padded = text + "=" * (-len(text) % 4)
        value, property_id, backwards, *rest = FIELDS.validate_json(base64.b64decode(padded, b"-_", validate=True))
        cursor = Cursor(PageStart(value, property_id, bool(backwards)), *rest)
    except ValueError:
        raise _cursor_error("is not a cursor of this service") from None
    if cursor.search != search:
        raise _cursor_error("belongs to another search: keep filters and sort as they were")
    return cursor


def require_same_data(cursor: Cursor, digest: str) -> None:
    """Raises ProblemError if data was published since the cursor was issued."""
    if cursor.data != data_fingerprint(digest):
        raise _cursor_error("belongs to data that has been replaced: start again without a cursor")


def _cursor_error(message: str) -> ProblemError:
    return ProblemError(422, [Problem("cursor", message)])
