"""Files of an external lake, on S3 or in a folder, by their URI.

S3's endpoint and credentials come from the standard AWS environment variables alone.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from homei.storage.replacement import replace_file, sync

if TYPE_CHECKING:
    import fsspec
    import pyarrow.fs

S3 = "s3://"
PIECE = 8 << 20  # bytes read at a time
UPLOAD_PART = 16 << 20  # bytes of a request
S3_CLIENT = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 6, "mode": "standard"}}


class StoredFile(NamedTuple):
    """A file of the lake, and when it was written."""

    uri: str
    bytes: int
    changed: datetime.datetime


def filesystem(uri: str, encryption: str | None = None) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URI and the path in it; files are written with that encryption at rest."""
    return _filesystem(uri.startswith(S3), encryption, os.getpid()), uri.removeprefix(S3).removeprefix("file://")


@cache
def _filesystem(is_s3: bool, encryption: str | None, process: int) -> fsspec.AbstractFileSystem:
    """One client a process: a forked worker must not use its parent's connections."""
    from fsspec.implementations.local import LocalFileSystem

    if not is_s3:
        return LocalFileSystem(auto_mkdir=True)
    from s3fs import S3FileSystem

    options: dict[str, Any] = {"ServerSideEncryption": encryption} if encryption else {}
    return S3FileSystem(
        config_kwargs=S3_CLIENT, s3_additional_kwargs=options, use_listings_cache=False, skip_instance_cache=True
    )


def arrow_filesystem(uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The same for Arrow's readers."""
    from pyarrow.fs import FSSpecHandler, LocalFileSystem, PyFileSystem

    files, path = filesystem(uri)
    return (PyFileSystem(FSSpecHandler(files)) if uri.startswith(S3) else LocalFileSystem()), path


def read_bytes(uri: str) -> bytes:
    """The content of a file; raises FileNotFoundError."""
    files, path = filesystem(uri)
    return files.cat_file(path)


def upload(file: Path, uri: str, encryption: str | None = None) -> None:
    """Copies a local file to a new URI, whose content is on the disk when this returns."""
    files, path = filesystem(uri, encryption)
    if uri.startswith(S3):
        files.put_file(str(file), path, chunksize=UPLOAD_PART)  # ten at a time
    else:
        files.put_file(str(file), path)
        sync(Path(path))


def write_bytes(content: bytes, uri: str, encryption: str | None = None) -> None:
    """Writes a file, complete or not at all, in place of one that exists."""
    if not create(content, uri, encryption):
        files, path = filesystem(uri, encryption)
        if uri.startswith(S3):
            files.pipe_file(path, content)
        else:
            replace_file(Path(path), lambda new: new.write_bytes(content))


def create(content: bytes, uri: str, encryption: str | None = None) -> bool:
    """Writes a file, complete or not at all; False, and nothing is written, if it exists already.

    S3 decides by a conditional put (If-None-Match), a local file system by linking a complete file.
    """
    files, path = filesystem(uri, encryption)
    with contextlib.suppress(FileExistsError):
        if uri.startswith(S3):
            files.pipe_file(path, content, mode="create")
        else:
            _create_local(content, Path(path))
        return True
    return False


def size(uri: str) -> int | None:
    """The bytes of a file; None if it does not exist."""
    files, path = filesystem(uri)
    try:
        return files.info(path)["size"]
    except FileNotFoundError:
        return None


def sha256(uri: str) -> str:
    """The SHA-256 of a file, read in pieces; raises FileNotFoundError."""
    files, path = filesystem(uri)
    total = hashlib.sha256()
    with files.open(path, "rb") as file:
        while piece := file.read(PIECE):
            total.update(piece)
    return total.hexdigest()


def remove(uris: Iterable[str]) -> None:
    """Removes files; they may be gone already."""
    for uri in uris:
        files, path = filesystem(uri)
        with contextlib.suppress(FileNotFoundError):
            files.rm_file(path)


def _create_local(content: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    side = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        side.write_bytes(content)
        sync(side)
        os.link(side, target)
        sync(target.parent)
    finally:
        side.unlink(missing_ok=True)


def find(uri: str) -> Iterator[StoredFile]:
    """All files below a URI, in the order of their URIs."""
    files, path = filesystem(uri)
    scheme = uri.partition("://")[0]
    found = files.find(path, detail=True) if files.exists(path) else {}
    for name, entry in sorted(found.items()):
        changed = entry.get("LastModified") or datetime.datetime.fromtimestamp(entry["mtime"], datetime.UTC)
        yield StoredFile(f"{scheme}://{name}", entry["size"], changed)
