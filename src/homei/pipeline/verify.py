"""Comparison of what was built, and of what it was built from, with the hashes in dvc.lock.

DVC trusts a file's time and size, and the names in its cache: it does not notice a flipped byte in either, and
`dvc checkout` would restore it. Here every file is read and hashed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from homei.storage.files import MissingTableError, read_json
from homei.storage.snapshots import RECEIPT, Receipt, differences

CACHE = Path(".dvc/cache/files/md5")
CODE = ("src/", "notebooks/", "bentofile.yaml")
IGNORED = {"__pycache__", ".ipynb_checkpoints"}  # as in .dvcignore


def verify(project: Path) -> list[str]:
    """A sentence for each output, cache object, lake file or model file that differs from its hash."""
    from homei.registry.package import verify_bento

    return [
        *outputs_that_differ(project),
        *cache_objects_that_differ(project),
        *snapshots_that_differ(project),
        *verify_bento(project),
    ]


def changed_inputs(project: Path) -> list[str]:
    """A sentence for each stage whose code, notebook or parameters are not those that dvc.lock records."""
    values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    hashes: dict[str, str] = {}
    changes = []
    for stage, entry in _recorded_stages(project).items():
        for dep in entry.get("deps", []):
            path = dep["path"]
            if not path.startswith(CODE):
                continue
            if path not in hashes:
                hashes[path] = md5(project / path) if (project / path).exists() else ""
            if hashes[path] != dep["md5"]:
                changes.append(f"{stage}: {path} has changed since it ran")
        for name, value in entry.get("params", {}).get("params.yaml", {}).items():
            if _value(values, name) != value:
                changes.append(f"{stage}: the parameter {name} has changed since it ran")
    return changes


def outputs_that_differ(project: Path) -> Iterator[str]:
    """Compares every output with its MD5 in dvc.lock; a folder's is that of DVC's listing of it."""
    if not (project / "dvc.lock").exists():
        yield "dvc.lock does not exist: nothing was built yet"
        return
    for stage, entry in tqdm(_recorded_stages(project).items(), desc="outputs", disable=None):
        for out in entry.get("outs", []):
            path = project / out["path"]
            if not path.exists():
                yield f"{out['path']} ({stage}): does not exist"
            elif md5(path) != out["md5"]:
                yield f"{out['path']} ({stage}): differs from its hash in dvc.lock"


def cache_objects_that_differ(project: Path) -> Iterator[str]:
    """Compares every object in DVC's cache with its name, which is its MD5."""
    objects = sorted(path for path in (project / CACHE).glob("??/*") if not path.name.endswith(".unpacked"))
    for path in tqdm(objects, desc="cache", disable=None):
        name = path.parent.name + path.name.removesuffix(".dir")
        if _md5_of_file(path) != name:
            yield f"{path.relative_to(project)}: differs from the hash in its name"


def snapshots_that_differ(project: Path) -> Iterator[str]:
    """Compares the files of all snapshots named by receipts with the hashes in their manifests."""
    for path in tqdm(sorted((project / "data").rglob(RECEIPT)), desc="snapshots", disable=None):
        try:
            yield from differences(Receipt(**read_json(path)))
        except MissingTableError as error:
            yield str(error)


def recorded_outputs(project: Path) -> dict[str, str]:
    """The MD5 of every output of the current graph, by path, as dvc.lock records it."""
    outs = (out for entry in _recorded_stages(project).values() for out in entry.get("outs", []))
    return {out["path"]: out["md5"] for out in outs}


def _recorded_stages(project: Path) -> dict[str, Any]:
    """The entries of dvc.lock for the current graph: dvc.lock also keeps stages of other cities."""
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

    recorded = yaml.safe_load((project / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    with Repo(str(project)) as repo:
        names = {stage.name for stage in repo.index.stages if isinstance(stage, PipelineStage)}
    return {name: entry for name, entry in recorded.items() if name in names}


def _value(values: Any, name: str) -> Any:
    """The value of a dotted parameter; None if it does not exist."""
    for key in name.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def md5(path: Path) -> str:
    """The MD5 of a file, or of DVC's listing of a folder, as DVC writes it."""
    if path.is_file():
        return _md5_of_file(path)
    # In the order of whole paths: a.json comes before a/b.
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if _is_hashed(file))
    listing = [{"md5": _md5_of_file(file), "relpath": name} for name, file in files]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _is_hashed(path: Path) -> bool:
    return path.is_file() and not IGNORED & {*path.parts}


def _md5_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
