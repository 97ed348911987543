"""What is recorded of a Bento: the SHA-256 of each of its files, and which of them make a valuation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

# The code that turns a row into a price; the rest of a Bento's code takes requests and keeps answers.
VALUING = ("src/homei/features/", "src/homei/model/", "src/homei/lake.py", "src/homei/serve/predictor.py")


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 by file; Python's own caches, which a run of the service may leave, don't count."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def total(files: Mapping[str, str]) -> str:
    """The digest of all files together."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def differences(files: Mapping[str, str], folder: Path, record: Path) -> list[str]:
    """A sentence for each file of a folder that is not what a record says; empty where all are."""
    there = hashes(folder)
    found = [f"{folder}/{name}: not there" for name in files.keys() - there.keys()]
    found += [f"{folder}/{name}: not of this Bento" for name in there.keys() - files.keys()]
    changed = (name for name in files.keys() & there.keys() if files[name] != there[name])
    found += [f"{folder}/{name}: its bytes are not those that {record} records" for name in changed]
    return sorted(found)


def values_alike(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two Bentos make a valuation by the same code, so that either's runs the other's model."""
    ours, theirs = ({name: of[name] for name in of if name.startswith(VALUING)} for of in (one, other))
    return ours == theirs
