"""Nested records as flat ones, whose columns are named by their paths, and records in JSON documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from homei.config.texts import normal_text
from homei.ingestion.connectors.text_rows import SourceError

_DECODER = json.JSONDecoder()
_BLANKS = " \t\r\n"


def flattened(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with nested values under their paths, such as `address.city` and `geometry.coordinates.0`."""
    return dict(_flat_items(record, ""))


def value_at(body: Any, path: str) -> Any:
    """The value at a path such as `data.next`, or None; `body` itself for an empty path."""
    for name in path.split(".") if path else []:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body


def json_lines(lines: Iterable[str]) -> Iterator[tuple[int, Any]]:
    """The values of JSON lines, each with its line; None in place of one that is not JSON."""
    for line, content in enumerate(lines, 1):
        if content.strip():
            try:
                yield line, json.loads(content)
            except (ValueError, RecursionError):
                yield line, None


def json_document(text: str, name: str, records_at: str) -> Iterator[tuple[int, Any]]:
    """The values of a list in a JSON document, each with the line where it begins (1 within an object).

    Raises SourceError where the document has no list at `records_at`.
    """
    start = _next(text, 0)
    if not records_at and text.startswith("[", start):
        yield from _elements(text, start + 1)
        return
    document = json.loads(text)
    values = value_at(document, records_at)
    if not isinstance(values, list):
        lists = (
            [key for key, value in document.items() if isinstance(value, list)] if isinstance(document, dict) else []
        )
        place = f"no list at records_at = {records_at!r}" if records_at else "one JSON object, not a list of records"
        hint = f": declare `records_at: {lists[0]}`" if lists else ": declare the path of the list in `records_at`"
        raise SourceError(f"{name}: has {place}{hint}")
    yield from ((1, value) for value in values)


def is_document(text: str) -> bool:
    """Whether JSON text is one document, and not one object a line."""
    start = _next(text, 0)
    if not text.startswith("{", start):
        return text.startswith("[", start)
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return False
    has_records = any(isinstance(part, list) and part and isinstance(part[0], dict) for part in value.values())
    return _next(text, end) == len(text) and ("\n" in text[start:end] or has_records)


def _flat_items(record: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from _flat_items(value, f"{path}{normal_text(name)}.")
        else:
            yield f"{path}{normal_text(name)}", value
            if isinstance(value, list) and len(value) in (2, 3) and all(type(part) in (int, float) for part in value):
                yield from ((f"{path}{normal_text(name)}.{position}", part) for position, part in enumerate(value))


def _elements(text: str, position: int) -> Iterator[tuple[int, Any]]:
    line, counted = 1, 0
    while not text.startswith("]", position := _next(text, position)):
        value, end = _DECODER.raw_decode(text, position)
        line, counted = line + text.count("\n", counted, position), position
        yield line, value
        position = _next(text, end)
        if text.startswith(",", position):
            position += 1
        elif not text.startswith("]", position):
            raise json.JSONDecodeError("expecting ',' or ']'", text, position)


def _next(text: str, position: int) -> int:
    while position < len(text) and text[position] in _BLANKS:
        position += 1
    return position
