"""SHA-256 digests of a Bento's files, and comparisons of Bentos by them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

# The code that computes a valuation; the rest of a Bento's code handles requests and responses.
VALUATION_CODE = (
    "src/homei/features/",
    "src/homei/training/",
    "src/homei/storage/",
    "src/homei/serving/predictor.py",
)


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 by file, without Python's bytecode caches, which a running service may leave."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def bento_digest(files: Mapping[str, str]) -> str:
    """One SHA-256 over the digests of all files."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def differences(files: Mapping[str, str], folder: Path, record: Path) -> list[str]:
    """One sentence for each file of a folder that is missing, added or changed compared with a record."""
    present = file_digests(folder)
    sentences = [f"{folder}/{name}: missing" for name in files.keys() - present.keys()]
    sentences += [f"{folder}/{name}: not part of this Bento" for name in present.keys() - files.keys()]
    changed = (name for name in files.keys() & present.keys() if files[name] != present[name])
    sentences += [f"{folder}/{name}: its bytes differ from those recorded in {record}" for name in changed]
    return sorted(sentences)


def have_same_valuation_code(files: Mapping[str, str], other_files: Mapping[str, str]) -> bool:
    """Whether two Bentos compute valuations with the same code, so that either can load the other's model."""
    code, other_code = (
        {name: digest for name, digest in each.items() if name.startswith(VALUATION_CODE)}
        for each in (files, other_files)
    )
    return code == other_code
