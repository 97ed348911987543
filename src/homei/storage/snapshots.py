"""Tables of an external lake: immutable snapshots, and the receipts by which the workspace names them.

A table `<lake>/<path>` has its Parquet files under `files/<write>/` and a manifest for each snapshot,
`snapshots/<digest>.json`, which is written last and by one atomic operation. The table's folder in the workspace holds
only a receipt, which DVC tracks: dvc.lock so pins the snapshot that later stages read. A writer never changes files of
another one, and a killed write leaves files that no manifest names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from homei.storage import remote_files
from homei.storage.files import MissingTableError, existing, read_json, write_json
from homei.storage.replacement import replacing

RECEIPT = "receipt.json"


class SnapshotError(ValueError):
    """A snapshot that is damaged, or too large to be read into memory."""


@dataclass(frozen=True)
class Receipt:
    """What the workspace keeps of an external table; equal rows in one lake give an equal receipt."""

    table: str  # the table's URI
    snapshot: str  # the name of its manifest
    rows: int
    columns: dict[str, str]  # types by name, in their order
    digest: str  # of the rows, in any order and in any files

    @property
    def manifest_uri(self) -> str:
        return f"{self.table}/snapshots/{self.snapshot}.json"


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a snapshot; `path` is relative to the table."""

    path: str
    rows: int
    bytes: int
    sha256: str


def read_receipt(table: Path) -> Receipt | None:
    """The receipt of a table, or None if the table is in the workspace; raises MissingTableError."""
    path = existing(table) / RECEIPT
    return Receipt(**read_json(path)) if path.is_file() else None


def commit(receipt: Receipt, files: Sequence[DataFile], target: Path, encryption: str | None) -> Receipt:
    """Makes the files a snapshot and writes its receipt to `target`.

    If the lake has a snapshot of equal rows, that one stays, and these files are removed.
    """
    manifest = json.dumps(
        {"rows": receipt.rows, "digest": receipt.digest, "files": [asdict(file) for file in files]}, indent=1
    )
    if not remote_files.create(manifest.encode(), receipt.manifest_uri, encryption):
        # A put that is sent again after a lost response finds its own manifest.
        kept = {file.path for file in data_files(receipt)}
        remove(receipt.table, [file.path for file in files if file.path not in kept])
    with replacing(target) as folder:
        write_json(asdict(receipt), folder / RECEIPT)
    return receipt


def data_files(receipt: Receipt) -> list[DataFile]:
    """The files of a snapshot; raises MissingTableError if the lake no longer has it."""
    try:
        manifest = json.loads(remote_files.read_bytes(receipt.manifest_uri))
    except FileNotFoundError:
        raise MissingTableError(
            f"{receipt.manifest_uri} does not exist: the lake has lost this snapshot; run `dvc repro --force` to build "
            "it again"
        ) from None
    return [DataFile(**file) for file in manifest["files"]]


def uris(receipt: Receipt) -> list[str]:
    """The URIs of a snapshot's files that have rows; of one file if none has."""
    files = data_files(receipt)
    with_rows = [file for file in files if file.rows]
    return [f"{receipt.table}/{file.path}" for file in with_rows or files[:1]]


def remove(table: str, paths: Sequence[str]) -> None:
    """Removes files of a table; they may be gone already."""
    files, folder = remote_files.filesystem(table)
    for path in paths:
        if files.exists(f"{folder}/{path}"):
            files.rm_file(f"{folder}/{path}")


def differences(receipt: Receipt) -> list[str]:
    """A sentence for each file of a snapshot that is missing or not as it was written; reads all of them."""
    import hashlib

    found = []
    for file in data_files(receipt):
        uri = f"{receipt.table}/{file.path}"
        try:
            content = remote_files.read_bytes(uri)
        except FileNotFoundError:
            found.append(f"{uri}: does not exist")
            continue
        if hashlib.sha256(content).hexdigest() != file.sha256:
            found.append(f"{uri}: differs from its hash in {receipt.manifest_uri}")
    return found
