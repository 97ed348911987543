"""Messages for errors of commands: what failed, where, what to do, and where the traceback is."""

from __future__ import annotations

import errno
import linecache
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import homei

LOGS = Path("reports/errors")
DEBUG = "HOMEI_DEBUG"  # the environment variable that shows tracebacks on the terminal
MOST_CHARACTERS = 600  # of an exception's own message: Spark's hold whole query plans
_CODE = Path(homei.__file__).parent
_JAVA_ENDED = ("Py4JNetworkError", "ConnectionRefusedError", "ConnectionResetError")


def message(error: Exception, arguments: Sequence[str]) -> str:
    """The message for an error of the command with these arguments.

    An error that homei raised itself says everything. All others are explained, and their traceback is written to a
    file under LOGS.
    """
    if is_expected(error):
        return str(error)
    command = " ".join(argument for argument in arguments if not argument.startswith("-")) or "homei"
    lines = [f"`homei {command}` failed: {_shown(error)}", *_place(error), remedy(error), _written(error, command)]
    return "\n".join(filter(None, lines))


def is_expected(error: Exception) -> bool:
    """Whether homei raised an error with a message of its own: a class of homei, or a `raise` in its code."""
    if type(error).__module__.partition(".")[0] == "homei":
        return True
    frames = traceback.extract_tb(error.__traceback__)
    if not isinstance(error, ValueError | RuntimeError) or not frames or not _is_own(frames[-1].filename):
        return False
    return linecache.getline(frames[-1].filename, frames[-1].lineno or 0).strip().startswith("raise ")


def remedy(error: Exception) -> str:
    """What to do about an error of the system, of a library, or of homei's own code."""
    kind = type(error).__name__
    if isinstance(error, MemoryError):
        return "There is too little memory: close other programs, or reduce the data."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free space (`dvc gc --workspace` removes old results), and run the command again."
    if isinstance(error, PermissionError):
        return f"Give this user the right to read and write {error.filename or 'the file'}, and run the command again."
    if isinstance(error, FileNotFoundError):
        name = error.filename or "A file"
        return f"{name} is missing: run `dvc repro` to build it, or `make setup` if it is a program."
    text = str(error)
    if kind in _JAVA_ENDED or "OutOfMemoryError" in text:
        return "Spark's Java process ended, most often for lack of memory: raise spark.driver_memory."
    if "JAVA_GATEWAY_EXITED" in text or "UnsupportedClassVersionError" in text:
        return "Spark could not start Java: run `homei java`, which says which one it uses, then `make setup`."
    if kind == "AnalysisException":
        return "A table lacks a column or has it as another type: run `dvc repro`, which rebuilds stale tables."
    if isinstance(error, KeyError):
        return f"Nothing is called {error}: if it is a column, map it under feeds.*.columns, then run `dvc repro`."
    return "This is a fault of homei or of a library: `homei check` may show what in the data leads to it."


def _shown(error: Exception) -> str:
    text = str(error).strip()
    cut = text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
    return f"{type(error).__name__}: {cut}" if cut else type(error).__name__


def _place(error: Exception) -> list[str]:
    """The line of homei's code in which an error arose."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename)]
    if not own:
        return []
    path = Path(own[-1].filename).relative_to(_CODE.parent)
    return [f"In {path}, line {own[-1].lineno}: {own[-1].name}"]


def _is_own(path: str) -> bool:
    return Path(path).is_relative_to(_CODE)


def _written(error: Exception, command: str) -> str:
    """Where the traceback was written, or how to see it."""
    path = LOGS / f"{'_'.join(command.split()[:2])}.log".replace("/", "_")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_traceback(error, error.__traceback__), encoding="utf-8")
    except OSError:
        return f"The traceback could not be written to {path}: {DEBUG}=1 shows it on the terminal."
    return f"The traceback is in {path}; `homei --debug {command}` shows it on the terminal."


def _traceback(error: Exception, frames: TracebackType | None) -> str:
    return "".join(traceback.format_exception(type(error), error, frames))
