"""Text, JSON and CSV files of reports, and digests of any files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from homei.storage.replacement import replace_file, restore


class MissingTableError(FileNotFoundError):
    """A table or report that an earlier stage should have written."""


def write_text(text: str, path: Path) -> None:
    """Writes a UTF-8 text file with Unix line ends."""
    replace_file(path, lambda new: new.write_text(text, encoding="utf-8", newline="\n"))


def write_json(value: Any, path: Path) -> None:
    """Writes indented JSON; raises ValueError for NaN, which JSON cannot express."""
    write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def read_json(path: Path) -> Any:
    """The value in a JSON file; raises MissingTableError."""
    return json.loads(existing(path).read_text(encoding="utf-8"))


def read_csv(path: Path) -> pd.DataFrame:
    """The rows of a report's CSV file; raises MissingTableError."""
    rows = pd.read_csv(existing(path))
    return rows.astype("f8") if rows.empty else rows  # pandas reads empty columns as objects, which have no order


def existing(path: Path) -> Path:
    """The path itself, restored after a killed switch.

    Raises MissingTableError if there is no such file or folder.
    """
    restore(path)
    if not path.exists():
        raise MissingTableError(f"{path} does not exist: run `dvc repro` to build it")
    return path


def digest(*paths: Path) -> str:
    """SHA-256 of the names and contents of files and folders, sorted by name, as 64 hexadecimal digits."""
    total = hashlib.sha256()
    for path in paths:
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in files:
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()
