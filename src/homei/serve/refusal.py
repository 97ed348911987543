"""Why a request is refused: a status and the fields that are wrong, as the problem details of RFC 9457 say it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.responses import Response

from homei.serve.request_ids import request_id

SHOWN = 100  # problems of one request, and characters of one value
TOLD = 3  # problems in the one sentence for people
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: the field, what is wrong with it, and the value it had."""

    field: str
    message: str
    value: Any = None


class RequestError(ValueError):
    """A request that can't be answered, with the HTTP status that says why, and further headers of the answer."""

    def __init__(self, status: int, problems: Sequence[Problem], headers: Mapping[str, str] | None = None) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.status = status
        self.problems = problems
        self.headers = headers or {}


def answer(scope: Mapping[str, Any], refused: RequestError) -> Response:
    """The response to the request of `scope`: `type`, `title`, `status`, `detail` (a sentence), `errors` (at most a
    hundred of `field`, `message`, `value`) and `request_id`.
    """
    more = len(refused.problems) - TOLD
    sentences = [f"{problem.field}: {problem.message}" for problem in refused.problems[:TOLD]]
    told = {
        "type": "about:blank",  # which says that the title is the status code's own
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "detail": "; ".join(sentences) + (f"; and {more} more" if more > 0 else ""),
        "errors": [asdict(problem) for problem in refused.problems[:SHOWN]],
        "request_id": request_id(scope),
    }
    return Response(to_json(told), refused.status, {**refused.headers}, MEDIA_TYPE)


def failure(scope: Mapping[str, Any]) -> Response:
    """The response to a request that the service itself failed at: the log has the reason."""
    problem = Problem("request", "the service failed; its log has the reason under the request's id")
    return answer(scope, RequestError(500, [problem]))


def problems_of(error: ValidationError, place: str, known: Iterable[str]) -> list[Problem]:
    """What pydantic found, field by field; `place` is put before the fields of a row in a batch."""
    return [_problem(found, place, known) for found in error.errors(include_url=False, include_context=False)]


def _problem(found: dict[str, Any], place: str, known: Iterable[str]) -> Problem:
    name = ".".join(shown(part) if isinstance(part, str) else str(part) for part in found["loc"])
    field = f"{place}.{name}".strip(".") or "body"
    message = found["msg"].removeprefix("Value error, ")
    if found["type"] == "missing":
        return Problem(field, "this field is required")
    if found["type"] == "model_type":
        message = "should be an object"
    elif found["type"] == "extra_forbidden":
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
