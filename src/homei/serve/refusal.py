"""Why a request is refused: a status and the fields that are wrong, as the body of every 4xx says it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

SHOWN = 100  # problems of one request, and characters of one value


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: the field, what is wrong with it, and the value it had."""

    field: str
    message: str
    value: Any = None


class RequestError(ValueError):
    """A request that can't be answered, with the HTTP status (4xx) that says why."""

    def __init__(self, status: int, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.status = status
        self.problems = problems

    @property
    def body(self) -> bytes:
        """`{"detail": [{"field", "message", "value"}]}`, of at most a hundred problems."""
        return to_json({"detail": [asdict(problem) for problem in self.problems[:SHOWN]]})


def problems_of(error: ValidationError, place: str, known: Iterable[str]) -> list[Problem]:
    """What pydantic found, field by field; `place` is put before the fields of a row in a batch."""
    return [_problem(found, place, known) for found in error.errors(include_url=False, include_context=False)]


def _problem(found: dict[str, Any], place: str, known: Iterable[str]) -> Problem:
    name = ".".join(shown(part) if isinstance(part, str) else str(part) for part in found["loc"])
    field = f"{place}.{name}".strip(".") or "body"
    message = found["msg"].removeprefix("Value error, ")
    if found["type"] == "missing":
        return Problem(field, "this field is required")
    if found["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, list(known), n=1)
        message = "there is no such field" + (f"; did you mean {near[0]}?" if near else "")
    return Problem(field, f"{message[0].lower()}{message[1:]}", shown(found["input"]))


def shown(value: Any) -> Any:
    """A value as a refusal may repeat it: short, and always expressible in JSON."""
    if isinstance(value, str):
        return value if len(value) <= SHOWN else f"{value[:SHOWN]}…"
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return "an object" if isinstance(value, dict) else "a list"
