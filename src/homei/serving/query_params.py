"""Models of query strings: each parameter at most once, no unknown ones, no unprintable text."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from homei.serving.problem_details import Problem, ProblemError, shown
from homei.serving.request_bodies import RequestModel

MAX_PARAMETERS = 100  # of one request

# A character that no dialect of regular expressions counts as blank: clients validate with their own.
VISIBLE = r"[^\s\u001c-\u001f\u0085\ufeff]"

CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
PRINTABLE = re.compile(f"[^{CONTROLS}]*")


def _require_printable(value: Any) -> Any:
    if isinstance(value, str) and not PRINTABLE.fullmatch(value):
        raise ValueError("holds a character that can't be printed")
    return value


# A name in the data. Databases take no NUL and no name has a line break; OpenAPI states that as one pattern.
Name = Annotated[
    str,
    BeforeValidator(_require_printable),
    Field(
        min_length=1,
        max_length=200,
        pattern=VISIBLE,
        json_schema_extra={"pattern": rf"^[^{CONTROLS}]*[^\s\ufeff{CONTROLS}][^{CONTROLS}]*$"},
    ),
]


class WithoutNull:
    """Removes null from the schema of an optional parameter: in a query string it would be the word "null"."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core_schema)["anyOf"][0]


Value = TypeVar("Value")
OptionalParam = Annotated[Value | None, WithoutNull()]


class QueryParams(RequestModel):
    """Base class of a route's query parameters."""

    model_config = ConfigDict(frozen=True)


async def check_query_string(request: Request) -> None:
    """A dependency that refuses what FastAPI accepts: repeated parameters, very many, and bytes that are not UTF-8."""
    query = request.scope["query_string"].decode("latin-1")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError:
        raise ProblemError(422, [Problem("query", "should be percent-encoded UTF-8")]) from None
    except ValueError:
        raise ProblemError(422, [Problem("query", f"should hold at most {MAX_PARAMETERS} parameters")]) from None
    names = [name for name, _ in pairs]
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ProblemError(422, [Problem(shown(name), "should be given once") for name in repeated])
