"""Atomic replacement of files and folders: a killed run leaves the old or the new one, complete.

A write fills a side path of its own, `.name.<process>-<number>.writing`, and holds the lock of a file beside it as long
as the process lives, so that the next write can remove what killed ones left. The switch of a folder takes two renames
under the lock of its name; `restore` undoes the first one if a run was killed before the second.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

_NUMBERS = itertools.count(1)


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; it replaces `folder` when the block succeeds and is removed when it fails."""
    with _side_path(folder) as new:
        new.mkdir()
        yield new
        for path in [*new.rglob("*"), new]:
            sync(path)
        _switch(new, folder)


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Replaces a file by what `write` writes at the path that it is called with."""
    with _side_path(path) as new:
        write(new)
        sync(new)
        new.replace(path)
        sync(path.parent)


def restore(folder: Path) -> None:
    """Puts the old folder back if a run was killed between the two renames of its switch."""
    old = _old(folder)
    if not old.exists():
        return
    with locked(folder):
        # Another process may have finished the switch in the meantime.
        if folder.exists():
            _discard(old, folder)
        elif old.exists():
            old.rename(folder)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits for the lock of a path, which need not exist, and holds it for the block.

    The operating system releases the lock of a process that ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked_file(path.with_name(f".{path.name}.lock")):
        yield


@contextlib.contextmanager
def _side_path(path: Path) -> Iterator[Path]:
    """A path beside `path` that no other write uses, removed at the end of the block if it is still there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    of_path = f".{glob.escape(path.name)}.*"
    for other in [*path.parent.glob(f"{of_path}.lock"), *path.parent.glob(f"{of_path}.writing")]:
        if not _is_locked(lock := other.with_suffix(".lock")):
            _remove(other.with_suffix(".writing"))
            lock.unlink(missing_ok=True)
    side = _side_name(path)
    with _locked_file(side.with_suffix(".lock")):
        try:
            yield side
        finally:
            _remove(side)


def _switch(new: Path, folder: Path) -> None:
    old = _old(folder)
    with locked(folder):
        if folder.is_dir() and not folder.is_symlink():
            _discard(old, folder)
            folder.rename(old)
        else:
            folder.unlink(missing_ok=True)
        new.rename(folder)
        sync(folder.parent)
        _discard(old, folder)


def _discard(old: Path, folder: Path) -> None:
    """Removes an old folder under another name, as one that is removed in part must not be restored."""
    if old.exists():
        removed = _side_name(folder)
        old.rename(removed)
        _remove(removed)


@contextlib.contextmanager
def _locked_file(lock: Path) -> Iterator[None]:
    """Creates a file and holds its lock for the block; another process may remove it before it is locked."""
    descriptor = _open(lock)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    while not lock.exists() or lock.stat().st_ino != os.fstat(descriptor).st_ino:
        os.close(descriptor)
        descriptor = _open(lock)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _is_locked(lock: Path) -> bool:
    descriptor = _open(lock)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _open(lock: Path) -> int:
    """The descriptor of a file, created if it is missing.

    Network file systems only lock what is open for writing.
    """
    return os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def _side_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{next(_NUMBERS)}.writing")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Has the operating system write a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
