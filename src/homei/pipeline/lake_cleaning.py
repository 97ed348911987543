"""Finds files of an external lake that nothing needs: what killed writes left, old snapshots, copies of input files.

A snapshot is kept as long as a receipt names it: one in the workspace, or one in DVC's cache, where those of all
commits are until `dvc gc` removes them. A new manifest is kept too: a stage may be about to write its receipt.
"""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from homei.storage import remote_files
from homei.storage.input_files import INPUTS
from homei.storage.remote_files import StoredFile
from homei.storage.snapshots import RECEIPT, Receipt

LARGEST_RECEIPT = 1 << 20  # bytes; larger objects of the cache are not read


class CleaningError(RuntimeError):
    """Receipts of commits are not here, so that it is unknown which snapshots they name."""


def unused_files(
    lake: str, project: Path, older_than: datetime.datetime, ignores_history: bool = False
) -> list[StoredFile]:
    """Files of the lake that are older than a moment and that no receipt needs; manifests come first.

    Raises CleaningError if a commit's receipts are not in DVC's cache, unless `ignores_history`.
    """
    cache = _cache(project)
    if not ignores_history:
        _check_history(project, cache)
    kept = {receipt.manifest_uri for receipt in [*_receipts_in_workspace(project), *_receipts_in_cache(cache)]}
    # Data files are listed before manifests are read: a snapshot that is committed in between is then seen.
    data = [file for file in remote_files.find(lake) if _part(file.uri, lake) == "files"]
    manifests = [file for file in remote_files.find(lake) if _part(file.uri, lake) == "snapshots"]
    old = [file for file in manifests if file.uri not in kept and file.changed < older_than]
    needed = {uri for file in manifests if file not in old and _is_whole(file.uri) for uri in _files_of(file.uri)}
    unused = [file for file in data if file.uri not in needed and file.changed < older_than]
    return old + unused + _unused_inputs(lake, older_than)


def _unused_inputs(lake: str, older_than: datetime.datetime) -> list[StoredFile]:
    """Copies of input files that were last written and used before a moment."""
    files = list(remote_files.find(f"{lake}/{INPUTS}"))
    used = {file.uri.rpartition("/")[0] for file in files if file.changed >= older_than}
    return [file for file in files if file.uri.rpartition("/")[0] not in used]


def _part(uri: str, lake: str) -> str | None:
    """Which folder of a table a file is in, "files" or "snapshots"; None if it is in neither."""
    folders = uri.removeprefix(lake).split("/")[1:-1]
    if "files" in folders[1:]:
        return "files"
    return "snapshots" if folders[-1:] == ["snapshots"] else None


def _is_whole(manifest: str) -> bool:
    """Whether it is a manifest, and not the hidden file that becomes one."""
    return not manifest.rpartition("/")[2].startswith(".")


def _files_of(manifest: str) -> list[str]:
    table = manifest.rpartition("/snapshots/")[0]
    try:
        return [f"{table}/{file['path']}" for file in json.loads(remote_files.read_bytes(manifest))["files"]]
    except FileNotFoundError:  # another process cleans too
        return []


def _receipts_in_workspace(project: Path) -> Iterator[Receipt]:
    for path in (project / "data").rglob(RECEIPT):
        yield Receipt(**json.loads(path.read_bytes()))


def _receipts_in_cache(cache: Path) -> Iterator[Receipt]:
    for path in cache.glob("??/*"):
        if path.is_file() and path.suffix != ".dir" and path.stat().st_size < LARGEST_RECEIPT:
            content = path.read_bytes()
            if content.startswith(b'{\n  "table": ') and b'"snapshot": ' in content:
                yield Receipt(**json.loads(content))


def _check_history(project: Path, cache: Path) -> None:
    missing = [digest for digest in sorted(_outputs_of_commits(project)) if not _has_receipts(cache, digest)]
    if missing:
        raise CleaningError(
            f"{len(missing)} outputs that commits name are not in DVC's cache ({missing[0]} is one), so their "
            "snapshots are unknown: run `dvc fetch --all-commits`, or give --ignore-history to remove them"
        )


def _has_receipts(cache: Path, digest: str) -> bool:
    """Whether the cache has the listing of an output and the receipts in it."""
    listing = _object(cache, digest)
    if not listing.is_file():
        return False
    entries = json.loads(listing.read_bytes())
    receipts = [entry["md5"] for entry in entries if Path(entry["relpath"]).name == RECEIPT]
    return all(_object(cache, md5).is_file() for md5 in receipts)


def _object(cache: Path, digest: str) -> Path:
    return cache / digest[:2] / digest[2:]


def _outputs_of_commits(project: Path) -> set[str]:
    """MD5s of the output folders of all stages that wrote to an external lake, in any commit."""
    listed = _git(project, "rev-list", "--all", "--objects", "--", "dvc.lock").decode().splitlines()
    blobs = [line.split()[0] for line in listed if line.endswith(" dvc.lock")]
    return {digest for blob in blobs for digest in _external_outputs(_git(project, "cat-file", "blob", blob))}


def _external_outputs(lock: bytes) -> Iterator[str]:
    if b"uri" not in lock:
        return
    stages: dict[str, Any] = yaml.load(lock, yaml.CSafeLoader).get("stages", {})
    for stage in stages.values():
        storage = stage.get("params", {}).get("params.yaml", {}).get("storage") or {}
        if storage.get("uri") or storage.get("uri_env"):
            yield from (out["md5"] for out in stage.get("outs", []) if out.get("md5", "").endswith(".dir"))


def _git(project: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(project), *arguments], check=True, capture_output=True).stdout


def _cache(project: Path) -> Path:
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        return Path(repo.cache.local.path)
