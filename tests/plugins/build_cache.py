"""Folders that are expensive to build, kept on disk by a hash of all that determines them.

One process builds while the others wait at a file lock. A later run with the same code starts from the stored folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / ".pytest_cache" / "homei"
LOCK_FILE = "requirements.lock"
NOT_HASHED = {"__pycache__"}


def copy_of(name: str, inputs: Iterable[str], build: Callable[[Path], None], target: Path) -> Path:
    """Copies the folder `name` to `target` and returns that; builds it first where `inputs` changed.

    inputs: files and folders of the project, as paths from its top, that `build` reads, its own code among them.
    build: fills the empty folder that it gets; nothing in the result may depend on that folder's path.
    """
    stored = CACHE / f"{name}-{hash_of([*inputs, LOCK_FILE])}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stored.exists():
            for outdated in CACHE.glob(f"{name}-*"):
                shutil.rmtree(outdated)
            unfinished = stored.with_name(f"{name}-unfinished")
            unfinished.mkdir()
            build(unfinished)
            unfinished.rename(stored)
        return shutil.copytree(stored, target, symlinks=True, dirs_exist_ok=True)


def hash_of(inputs: Iterable[str]) -> str:
    """A hash of the names and contents of files and folders of the project."""
    digest = hashlib.sha256()
    for file in sorted(files_of(inputs)):
        content = hashlib.sha256((PROJECT / file).read_bytes()).hexdigest()
        digest.update(f"{file} {content}\n".encode())
    return digest.hexdigest()[:16]


def files_of(inputs: Iterable[str]) -> Iterator[str]:
    for name in inputs:
        path = PROJECT / name
        if not path.exists():
            raise FileNotFoundError(f"{name} is an input of a cached folder, and the project has no such file")
        found = path.rglob("*") if path.is_dir() else [path]
        yield from (
            str(file.relative_to(PROJECT)) for file in found if file.is_file() and not NOT_HASHED & {*file.parts}
        )
