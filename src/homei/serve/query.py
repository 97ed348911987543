"""Query strings as strict models: each parameter once, none that isn't known, and OpenAPI from the same model."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from homei.serve.refusal import Problem, RequestError, problems_of, shown

MOST = 100  # parameters of one request

# Not blank, by whatever a dialect of regular expressions takes for blank: clients check it with theirs.
VISIBLE = r"[^\s\u001c-\u001f\u0085\ufeff]"

CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
PLAIN = re.compile(f"[^{CONTROLS}]*")


def _plain(value: Any) -> Any:
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        raise ValueError("holds a character that can't be printed")
    return value


# A name as the data has it: databases take no NUL, and no name has a line break. OpenAPI tells that as one pattern.
Name = Annotated[
    str,
    BeforeValidator(_plain),
    Field(
        min_length=1,
        max_length=200,
        pattern=VISIBLE,
        json_schema_extra={"pattern": rf"^[^{CONTROLS}]*[^\s\ufeff{CONTROLS}][^{CONTROLS}]*$"},
    ),
]


class Query(BaseModel):
    """The base of what a route takes in its query string."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=Query)


def parsed(model: type[Model], query: bytes) -> Model:
    """A query string as a model; raises RequestError for all that is wrong, with "did you mean" for a slip."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=MOST)
    except UnicodeDecodeError:
        raise RequestError(422, [Problem("query", "should be percent-encoded UTF-8")]) from None
    except ValueError:
        raise RequestError(422, [Problem("query", f"should hold at most {MOST} parameters")]) from None
    names = [name for name, _ in pairs]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise RequestError(422, [Problem(shown(name), "should be given once") for name in twice])
    try:
        return model.model_validate_strings(dict(pairs))
    except ValidationError as error:
        raise RequestError(422, problems_of(error, "", model.model_fields)) from None


def parameters(model: type[Query]) -> list[dict[str, Any]]:
    """The model's fields as OpenAPI's query parameters."""
    schema = model.model_json_schema()
    required = schema.get("required", ())
    return [_parameter(name, dict(told), name in required) for name, told in schema["properties"].items()]


def _parameter(name: str, told: dict[str, Any], required: bool) -> dict[str, Any]:
    # A parameter that isn't known is left out: OpenAPI's null would be the word "null".
    kinds = [kind for kind in told.pop("anyOf", []) if kind.get("type") != "null"]
    schema = {key: value for key, value in told.items() if key not in ("title", "description", "examples")}
    if schema.get("default", ...) is None:
        del schema["default"]
    found = {"name": name, "in": "query", "required": required, "schema": schema | (kinds[0] if kinds else {})}
    found["description"] = told.get("description", "")
    return found | ({"example": told["examples"][0]} if "examples" in told else {})
