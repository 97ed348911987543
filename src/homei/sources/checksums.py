"""SHA256SUMS of a folder: what was fetched, so that a later call can tell whether it is still that."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from homei import lake

SUMS = "SHA256SUMS"


def read_sums(folder: Path) -> dict[str, str]:
    """The digest by file name that the folder's SHA256SUMS holds; empty without one."""
    path = folder / SUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines) if name}


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """SHA256SUMS as `sha256sum --check` reads it, by file name."""
    lake.write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)), folder / SUMS)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_intact(folder: Path, name: str, sums: Mapping[str, str]) -> bool:
    """Whether the folder's file is there with the digest that was noted for it."""
    return name in sums and (folder / name).is_file() and sha256(folder / name) == sums[name]
