"""The trail's head, kept in a file apart from the warehouse: whoever cuts lines off there must get at it here too."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from sqlalchemy import Connection, Engine

from homei.serve.audit.chain import Head, Line, append, holds
from homei.serve.files import locked, replace
from homei.warehouse.connection import writing

FOLDER = "HOMEI_AUDIT"  # the environment variable that names where head and spill are kept
DEFAULT = "data/audit"
FILE = "head.txt"

log = logging.getLogger("homei.audit")


class HeadError(ValueError):
    """What is no head: a number and 64 hexadecimal digits."""


def folder() -> Path:
    """Where head and spill are kept, apart from the warehouse."""
    return Path(os.environ.get(FOLDER) or DEFAULT)


def parsed(text: str) -> Head:
    """The head that `NUMBER:HASH` means, as `homei audit verify` prints it."""
    number, _, digits = text.strip().partition(":")
    if not (number.isdigit() and len(digits) == 64 and set(digits) <= set("0123456789abcdef")):
        raise HeadError(f"{text.strip()[:100]!r} is no head: NUMBER:HASH, as `homei audit verify` tells it")
    return Head(int(number), digits)


def told(head: Head) -> str:
    return f"{head.number}:{head.hash}"


def read(folder: Path) -> Head | None:
    """The head that was kept; None where none was yet."""
    file = folder / FILE
    return parsed(file.read_text(encoding="utf-8")) if file.exists() else None


def write_lines(engine: Engine, folder: Path, lines: list[Line]) -> Head:
    """Appends lines to the trail in a transaction of their own, and keeps the new head."""
    with writing(engine) as connection:
        intact = is_intact(connection, folder)
        head = append(connection, lines)
    keep(folder, head, intact)
    return head


def is_intact(connection: Connection, folder: Path) -> bool:
    """Whether the trail still holds the line whose hash was kept."""
    try:
        known = read(folder)
    except HeadError:
        return False
    return known is None or holds(connection, known)


def keep(folder: Path, head: Head, intact: bool) -> None:
    """Moves the head forward; it stays where the trail was tampered with, so that `verify` finds it."""
    if not intact:
        log.error("the audit trail is not what it was: `homei audit verify` says where")
        return
    try:
        with locked(folder / "head.lock"):
            known = read(folder)
            if known is None or head.number > known.number:
                replace(folder / FILE, told(head) + "\n")
    except OSError as error:
        log.error("the audit trail's head can't be kept in %s: %s", folder, error.strerror)
