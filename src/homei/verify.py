"""Is what was built still what dvc.lock says? Every file is read and hashed anew.

DVC trusts a file's time and size, and the names in its cache; a flipped byte in either goes unnoticed, and a
`dvc checkout` would hand it out. Here nothing is trusted but the bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import yaml
from tqdm import tqdm

CACHE = Path(".dvc/cache/files/md5")


def verify(project: Path) -> list[str]:
    """A sentence for each output, cache object or model file that differs from its recorded hash; empty if none."""
    from homei.model.package import verify_bento

    return [*outputs_that_differ(project), *cache_objects_that_differ(project), *verify_bento(project)]


def outputs_that_differ(project: Path) -> Iterator[str]:
    """Compares every output of dvc.lock with its MD5 there; a folder's is that of DVC's listing of it."""
    lock = project / "dvc.lock"
    if not lock.exists():
        yield "dvc.lock is not there: nothing was built yet"
        return
    recorded = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
    in_graph = _stages_in_graph(project)
    for stage, entry in tqdm(recorded.items(), desc="outputs", disable=None):
        for out in entry.get("outs", []) if stage in in_graph else []:
            path = project / out["path"]
            if not path.exists():
                yield f"{out['path']} ({stage}): not there"
            elif md5(path) != out["md5"]:
                yield f"{out['path']} ({stage}): its bytes are not those that dvc.lock records"


def cache_objects_that_differ(project: Path) -> Iterator[str]:
    """Compares every object in DVC's cache with its name, which is its MD5."""
    objects = sorted(path for path in (project / CACHE).glob("??/*") if not path.name.endswith(".unpacked"))
    for path in tqdm(objects, desc="cache", disable=None):
        name = path.parent.name + path.name.removesuffix(".dir")
        if _md5_of_file(path) != name:
            yield f"{path.relative_to(project)}: its bytes are not those that its name promises"


def recorded_outputs(project: Path) -> dict[str, str]:
    """The MD5 of every output of today's graph, by path, as dvc.lock records it."""
    recorded = yaml.safe_load((project / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    outs = (out for stage in _stages_in_graph(project) & recorded.keys() for out in recorded[stage].get("outs", []))
    return {out["path"]: out["md5"] for out in outs}


def _stages_in_graph(project: Path) -> set[str]:
    """The stages that dvc.yaml has today: dvc.lock keeps those of other sources as well."""
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

    with Repo(str(project)) as repo:
        return {stage.name for stage in repo.index.stages if isinstance(stage, PipelineStage)}


def md5(path: Path) -> str:
    """The MD5 of a file, or of DVC's listing of a folder, as DVC writes it."""
    if path.is_file():
        return _md5_of_file(path)
    # In the order of whole paths: a.json comes before a/b.
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
    listing = [{"md5": _md5_of_file(file), "relpath": name} for name, file in files]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5_of_file(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
