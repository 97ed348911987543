"""The inputs of every operation in an OpenAPI document, and valid requests with one input replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

FORM = "application/x-www-form-urlencoded"
VALUES = {"property_id": "p001", "idempotency-key": "a-key"}  # for inputs without a valid example in OpenAPI


@dataclass(frozen=True)
class Input:
    """An input: `where` is path, query, header, json or form; `key` is its name, or the path to it within JSON."""

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


def inputs(document: dict[str, Any]) -> Iterator[Input]:
    """All inputs, and the header X-Request-Id of each operation, which OpenAPI lists for responses only."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            target = method.upper(), path
            yield Input(*target, "header", ("X-Request-Id",), operation)
            for parameter in operation.get("parameters", ()):
                yield Input(*target, parameter["in"], (parameter["name"],), operation)
            if "requestBody" in operation:
                media_type, body = _body(operation)
                for key in _keys(document, body["schema"]):
                    yield Input(*target, "form" if media_type == FORM else "json", key, operation)


def request(client: httpx.Client, changed: Input, value: Any) -> httpx.Request:
    """A valid request, except for the value of one input."""
    parameters = {"path": {}, "query": {}, "header": {}}
    for parameter in changed.operation.get("parameters", ()):
        if parameter["required"]:
            parameters[parameter["in"]][parameter["name"]] = VALUES[parameter["name"]]
    body = {}
    if "requestBody" in changed.operation:
        media_type, content = _body(changed.operation)
        filled = copy.deepcopy(content["example"])
        filled |= {name: value for name, value in VALUES.items() if name in filled}
        if changed.where in ("json", "form"):
            _put(filled, changed.key, value)
        body = {"data": filled} if media_type == FORM else {"json": filled}
    if changed.where in parameters:
        parameters[changed.where][changed.name] = value
    path = changed.path
    for name, value in parameters["path"].items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    headers = {name: value.encode() for name, value in parameters["header"].items()}
    return client.build_request(changed.method, path, params=parameters["query"], headers=headers, **body)


def _body(operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ((media_type, content),) = operation["requestBody"]["content"].items()
    return media_type, content


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the component that it refers to."""
    return document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


def _keys(
    document: dict[str, Any], schema: dict[str, Any], parent: tuple[str | int, ...] = ()
) -> Iterator[tuple[str | int, ...]]:
    schema = resolved(document, schema)
    for name, inner in schema.get("properties", {}).items():
        yield (*parent, name)
        yield from _keys(document, inner, (*parent, name))
    if "items" in schema:
        yield from _keys(document, schema["items"], (*parent, 0))


def _put(container: Any, key: tuple[str | int, ...], value: Any) -> None:
    *parents, last = key
    for parent in parents:
        container = container[parent]
    container[last] = value
