"""Where lines wait while the warehouse can't be reached: a file of JSON lines, appended to the trail later in order."""

from __future__ import annotations

import datetime
import itertools
import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from homei.serve.audit.chain import ROWS, Line, append, last, line
from homei.serve.files import extend
from homei.warehouse.tables import audit

FILE = "spill.jsonl"


class Spill:
    """The lines that wait in a folder; the first one of the file names it, and says after which line it began."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE

    def __bool__(self) -> bool:
        return self.file.exists()

    def __len__(self) -> int:
        """How many lines wait."""
        if not self:
            return 0
        with self.file.open("rb") as opened:
            return max(0, sum(1 for _ in opened) - 1)

    def add(self, lines: Iterable[Line], after: int) -> None:
        """Has the lines wait; they are on the disk once this returns."""
        heading = [] if self else [{"spill": uuid.uuid4().hex, "after": after}]
        texts = (json.dumps(given, default=datetime.datetime.isoformat) for given in (*heading, *lines))
        extend(self.file, "".join(text + "\n" for text in texts))

    def replay(self, connection: Connection, now: datetime.datetime) -> None:
        """Appends what waits to the trail, and a line that says so; `clear` once that is committed."""
        with self.file.open(encoding="utf-8") as opened:
            heading = _parsed(opened.readline())
            if heading is None or _is_there(connection, heading):
                return
            waiting, torn, count = _whole(opened), 0, 0
            while chunk := list(itertools.islice(waiting, ROWS)):
                whole = [_line(given, heading["spill"]) for given in chunk if given]
                append(connection, whole)
                count, torn = count + len(whole), torn + len(chunk) - len(whole)
        told = {"spill": heading["spill"], "lines": count, "torn": torn}
        append(connection, [line("homei", "audit.replay", "incomplete" if torn else "ok", now, details=told)])

    def clear(self) -> None:
        self.file.unlink()


def _whole(opened: Iterable[str]) -> Iterator[Line | None]:
    return (_parsed(text) for text in opened)


def _parsed(text: str) -> Line | None:
    """None for a line that a crash cut short."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _line(given: Line, spill: str) -> Line:
    late = {"details": given["details"] | {"spill": spill}}
    return given | late | {"happened_at": datetime.datetime.fromisoformat(given["happened_at"])}


def _is_there(connection: Connection, heading: Line) -> bool:
    """Whether this very file was appended before, by a process that died before it removed it."""
    if last(connection).number <= heading["after"]:
        return False
    marked = audit.c.details["spill"].as_string() == heading["spill"]
    found = select(audit.c.number).where(audit.c.number > heading["after"], marked).limit(1)
    return connection.execute(found).first() is not None
