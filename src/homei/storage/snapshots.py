"""Tables of an external lake: immutable snapshots, and the receipts by which the workspace names them.

A table `<lake>/<path>` has its Parquet files under `files/<write>/` and a manifest for each snapshot,
`snapshots/<name>.json`, which is written last and by one atomic operation. The table's folder in the workspace holds
only a receipt, which DVC tracks: dvc.lock so pins the snapshot that later stages read. A writer never changes files of
another one, and a killed write leaves files that no manifest names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from homei.storage import remote_files
from homei.storage.files import MissingTableError, existing, read_json, write_json
from homei.storage.replacement import locked, replacing, restore

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
    key: list[str]  # the columns by which rows are ordered
    digest: str  # of the rows, in any order and in any files

    @property
    def manifest_uri(self) -> str:
        return f"{self.table}/snapshots/{self.snapshot}.json"

    def uri(self, file: DataFile) -> str:
        return f"{self.table}/{file.path}"


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a snapshot; `path` is relative to the table."""

    path: str
    rows: int
    bytes: int
    sha256: str


def receipt_of(table: str, columns: dict[str, str], key: Sequence[str], rows: int, digest: str) -> Receipt:
    """The receipt of a snapshot, whose name follows from its content."""
    content = json.dumps([list(columns.items()), list(key), rows, digest])
    return Receipt(table, hashlib.sha256(content.encode()).hexdigest()[:32], rows, columns, list(key), digest)


def read_receipt(table: Path) -> Receipt | None:
    """The receipt of a table, or None if the table is in the workspace; raises MissingTableError."""
    path = existing(table) / RECEIPT
    return Receipt(**read_json(path)) if path.is_file() else None


def commit(receipt: Receipt, files: Sequence[DataFile], target: Path, encryption: str | None) -> Receipt:
    """Makes the files a snapshot and writes its receipt to `target`.

    If the lake has a complete snapshot of equal rows, that one stays, and these files are removed.
    """
    manifest = _manifest(receipt, files)
    if not remote_files.create(manifest, receipt.manifest_uri, encryption):
        stored = data_files(receipt)
        if all(remote_files.size(receipt.uri(file)) == file.bytes for file in stored):
            # A put that is sent again after a lost response finds its own manifest.
            remote_files.remove(receipt.uri(file) for file in files if file not in stored)
            # It is written again for its time of change: `homei lake clean` keeps new snapshots.
            manifest = _manifest(receipt, stored)
        remote_files.write_bytes(manifest, receipt.manifest_uri, encryption)
    _write_receipt(receipt, target)
    return receipt


def _write_receipt(receipt: Receipt, target: Path) -> None:
    # One of two writers might otherwise replace the folder into which the other one writes.
    with locked(target.with_name(f"{target.name}.receipt")):
        restore(target)
        if (target / RECEIPT).is_file():
            # One rename, while a folder takes two: a reader finds one receipt or the other at any time.
            write_json(asdict(receipt), target / RECEIPT)
        else:
            with replacing(target) as folder:
                write_json(asdict(receipt), folder / RECEIPT)


def _manifest(receipt: Receipt, files: Sequence[DataFile]) -> bytes:
    return json.dumps({**asdict(receipt), "files": [asdict(file) for file in files]}, indent=1).encode()


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
    return [receipt.uri(file) for file in with_rows or files[:1]]


def differences(receipt: Receipt) -> Iterator[str]:
    """A sentence for each file of a snapshot that is missing or not as it was written; reads all of them."""
    for file in data_files(receipt):
        uri = receipt.uri(file)
        try:
            if remote_files.sha256(uri) != file.sha256:
                yield f"{uri}: differs from its hash in {receipt.manifest_uri}"
        except FileNotFoundError:
            yield f"{uri}: does not exist"
