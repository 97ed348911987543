"""Types and models of query parameters: no unprintable text, no null."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from homei.config.texts import normal_text
from homei.serving.request_bodies import RequestModel

# A character that no dialect of regular expressions counts as blank: clients validate with their own.
VISIBLE = r"[^\s\u001c-\u001f\u0085\ufeff]"

CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
PRINTABLE = re.compile(f"[^{CONTROLS}]*")


def require_printable(value: Any) -> Any:
    """The value; raises ValueError for a text with control characters or line breaks."""
    if isinstance(value, str) and not PRINTABLE.fullmatch(value):
        raise ValueError("holds a character that can't be printed")
    return value


# A name in the data. Databases take no NUL and no name has a line break; OpenAPI states that as one pattern.
Name = Annotated[
    str,
    BeforeValidator(require_printable),
    Field(
        min_length=1,
        max_length=200,
        pattern=VISIBLE,
        json_schema_extra={"pattern": rf"^[^{CONTROLS}]*[^\s\ufeff{CONTROLS}][^{CONTROLS}]*$"},
    ),
    AfterValidator(normal_text),
]


class WithoutNull:
    """Removes null from the schema of an optional parameter, since a query string has none."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core_schema)["anyOf"][0]


Value = TypeVar("Value")
OptionalParam = Annotated[Value | None, WithoutNull()]


class QueryParams(RequestModel):
    """Base class of a route's query parameters."""

    model_config = ConfigDict(frozen=True)
