"""Input files of Spark's tasks: on a disk that all tasks see, or copied to the lake for workers on other machines.

A copy is `<lake>/inputs/<sha256>/content`. Beside it, `used` is written at each use: `homei lake clean` removes copies
that no run has used lately. The next run that needs one copies it again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from homei.storage import remote_files
from homei.storage.config import StorageConfig
from homei.storage.replacement import replace_file

INPUTS, CONTENT, USED = "inputs", "content", "used"
READ_AHEAD = 4 << 20  # bytes


class CopyError(Exception):
    """A copy in the lake can't be read or written.

    Not an OSError, which would mean that the source's file is broken.
    """


@dataclass(frozen=True)
class InputFile:
    """A file of a source; readers use it as a path, and errors name it by its `path` on the driver."""

    path: Path
    uri: str | None = None  # of its copy

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def suffix(self) -> str:
        return self.path.suffix

    def open(self, mode: str = "rb") -> io.BufferedIOBase:
        """The content of the file or of its copy, which is read by ranges; raises CopyError."""
        if self.uri is None:
            return self.path.open(mode)
        return io.BufferedReader(_Copy(self.uri))

    def __str__(self) -> str:
        return str(self.path)


def input_file(file: Path, storage: StorageConfig | None) -> InputFile:
    """The file, with a copy in the lake of `storage`, which is written if it is not there already.

    Raises OSError if the file can't be read, and CopyError if its copy can't be written.
    """
    if storage is None:
        return InputFile(file)
    before = _state(file)
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    folder = f"{storage.location()}/{INPUTS}/{sha256}"
    uri = f"{folder}/{CONTENT}"
    with _lake_errors(f"{file}: can't be copied to {uri}"):
        # First the mark of use, so that a copy that is seen now is not removed as an old one.
        remote_files.write_bytes(b"", f"{folder}/{USED}", storage.encryption)
        is_new = remote_files.size(uri) != before[0]
        if is_new:
            _upload(file, uri, storage.encryption)
        if _state(file) != before:
            if is_new:
                remote_files.remove([uri])
            raise OSError("it was changed meanwhile")
    return InputFile(file, uri)


def remove_copy(file: InputFile) -> None:
    """Removes the file's copy from the lake."""
    if file.uri is not None:
        remote_files.remove([file.uri, f"{file.uri.removesuffix(CONTENT)}{USED}"])


def _state(file: Path) -> tuple[int, int]:
    state = file.stat()
    return state.st_size, state.st_mtime_ns


def _upload(file: Path, uri: str, encryption: str | None) -> None:
    """Copies a file; its copy is complete or does not exist."""
    if uri.startswith(remote_files.S3):
        remote_files.upload(file, uri, encryption)
    else:
        replace_file(Path(uri.removeprefix("file://")), lambda new: shutil.copyfile(file, new))


@contextlib.contextmanager
def _lake_errors(message: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CopyError(f"{message} ({error}): repeat the stage") from error


class _Copy(io.RawIOBase):
    """A file of the lake that is read by ranges."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        with _lake_errors(f"{self._uri}: can't be read"):
            files, path = remote_files.filesystem(uri)
            self._file = files.open(path, "rb", block_size=READ_AHEAD)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        with _lake_errors(f"{self._uri}: can't be read"):
            return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
