"""Files and folders that are replaced atomically: a killed run leaves the old or the new one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd


class MissingTableError(FileNotFoundError):
    """A table or report that an earlier stage should have written."""


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; it replaces `folder` when the block succeeds and is removed when it fails."""
    new, old = (folder.with_name(f".{folder.name}.{state}") for state in ("writing", "replaced"))
    finish_replacing(folder)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if folder.is_dir() and not folder.is_symlink():
        folder.rename(old)
    else:
        folder.unlink(missing_ok=True)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def finish_replacing(folder: Path) -> None:
    """Puts the old folder back if a run was killed while replacing it."""
    old = folder.with_name(f".{folder.name}.replaced")
    if old.is_dir() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Replaces a file by what `write` writes at the path that it is called with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.writing")
    write(new)
    new.replace(path)


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
    return pd.read_csv(existing(path))


def existing(path: Path) -> Path:
    """The path itself; raises MissingTableError where there is no such file or folder."""
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
