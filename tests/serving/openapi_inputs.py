"""All that a client may fill in, as the service's own OpenAPI lists it, and requests with one of these changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

FORM = "application/x-www-form-urlencoded"
GIVEN = {"property_id": "p001", "idempotency-key": "a-key"}  # where OpenAPI has no example that this town knows


@dataclass(frozen=True)
class Input:
    """A place for a value: `where` is path, query, header, json or form; a key of several parts leads into JSON."""

    method: str
    path: str
    where: str
    key: tuple[str | int, ...]
    operation: dict[str, Any] = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        return str(self.key[-1])

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.where} {'.'.join(map(str, self.key))}"


def inputs(api: dict[str, Any]) -> Iterator[Input]:
    """Each place of each operation, and each operation's X-Request-Id, which OpenAPI tells of answers only."""
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            own = method.upper(), path
            yield Input(*own, "header", ("X-Request-Id",), operation)
            for parameter in operation.get("parameters", ()):
                yield Input(*own, parameter["in"], (parameter["name"],), operation)
            if "requestBody" in operation:
                kind, body = _body(operation)
                for key in _keys(api, body["schema"]):
                    yield Input(*own, "form" if kind == FORM else "json", key, operation)


def request(client: httpx.Client, place: Input, value: Any) -> httpx.Request:
    """An ordinary request, but for the value at that place."""
    given = {"path": {}, "query": {}, "header": {}}
    for parameter in place.operation.get("parameters", ()):
        if parameter["required"]:
            given[parameter["in"]][parameter["name"]] = GIVEN[parameter["name"]]
    body = {}
    if "requestBody" in place.operation:
        kind, described = _body(place.operation)
        filled = copy.deepcopy(described["example"])
        filled |= {name: known for name, known in GIVEN.items() if name in filled}
        if place.where in ("json", "form"):
            _put(filled, place.key, value)
        body = {"data": filled} if kind == FORM else {"json": filled}
    if place.where in given:
        given[place.where][place.name] = value
    path = place.path
    for name, value in given["path"].items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    headers = {name: value.encode() for name, value in given["header"].items()}
    return client.build_request(place.method, path, params=given["query"], headers=headers, **body)


def _body(operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ((kind, body),) = operation["requestBody"]["content"].items()
    return kind, body


def resolved(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the component that it refers to."""
    return api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


def _keys(
    api: dict[str, Any], schema: dict[str, Any], before: tuple[str | int, ...] = ()
) -> Iterator[tuple[str | int, ...]]:
    schema = resolved(api, schema)
    for name, inner in schema.get("properties", {}).items():
        yield (*before, name)
        yield from _keys(api, inner, (*before, name))
    if "items" in schema:
        yield from _keys(api, schema["items"], (*before, 0))


def _put(whole: Any, key: tuple[str | int, ...], value: Any) -> None:
    *way, last = key
    for step in way:
        whole = whole[step]
    whole[last] = value
