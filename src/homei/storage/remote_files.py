"""Files of an external lake, on S3 or in a folder, by their URI.

S3's endpoint and credentials come from the standard AWS environment variables alone.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fsspec
    import pyarrow.fs

S3 = "s3://"
S3_CLIENT = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 6, "mode": "standard"}}


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
    """Copies a local file to a new URI."""
    files, path = filesystem(uri, encryption)
    files.put_file(str(file), path)


def create(content: bytes, uri: str, encryption: str | None = None) -> bool:
    """Writes a file, complete or not at all; False, and nothing is written, if it exists already.

    S3 decides by a conditional put (If-None-Match), a local file system by linking a complete file.
    """
    files, path = filesystem(uri, encryption)
    with contextlib.suppress(FileExistsError):
        if uri.startswith(S3):
            files.pipe_file(path, content, mode="create")
            return True
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        side = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            with side.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(side, target)
            return True
        finally:
            side.unlink(missing_ok=True)
    return False
