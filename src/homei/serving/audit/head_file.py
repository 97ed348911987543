"""A copy of the audit trail's head outside the warehouse: it shows entries that were cut off there."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine

from homei.serving.audit import chain
from homei.serving.audit.chain import Entry, Head, HeadError
from homei.serving.outbox.entry_file import file_lock
from homei.storage.files import write_text
from homei.warehouse.connection import writing

FOLDER_VARIABLE = "HOMEI_AUDIT"  # the environment variable with the folder of the head file and the outbox
DEFAULT_FOLDER = "data/audit"

log = logging.getLogger("homei.audit")


def audit_folder() -> Path:
    """The folder of the head file and of the entries that wait for the warehouse."""
    return Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)


class HeadFile:
    """The file `head.txt` in the audit folder, with one line NUMBER:HASH."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "head.txt"

    def read(self) -> Head | None:
        """The stored head; None if there is no file. Raises HeadError if the file holds something else."""
        return Head.parse(self._path.read_text(encoding="utf-8")) if self._path.exists() else None

    def is_in(self, connection: Connection) -> bool:
        """Whether the trail in the warehouse still has the entry of the stored head."""
        try:
            head = self.read()
        except HeadError:
            return False
        return head is None or chain.contains(connection, head)

    def advance(self, head: Head, was_intact: bool) -> None:
        """Stores a newer head, unless the trail was changed: `homei audit verify` needs the old one."""
        if not was_intact:
            log.error("the audit trail was changed: `homei audit verify` names the first changed entry")
            return
        try:
            with file_lock(self._folder / "head.lock"):
                stored = self.read()
                if stored is None or head.number > stored.number:
                    write_text(f"{head}\n", self._path)
        except OSError as error:
            log.error("the head of the audit trail cannot be written to %s: %s", self._path, error.strerror)


@contextlib.contextmanager
def audited_transaction(engine: Engine, folder: Path) -> Iterator[tuple[Connection, list[Entry]]]:
    """A writing transaction that also appends the listed entries to the trail."""
    head_file = HeadFile(folder)
    entries: list[Entry] = []
    with writing(engine) as connection:
        yield connection, entries
        is_intact = head_file.is_in(connection)
        head = chain.append(connection, entries)
    head_file.advance(head, is_intact)
