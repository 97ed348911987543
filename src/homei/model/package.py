"""The model as a Bento: all that valuing takes, in one folder that runs without the repository.

A Bento's version is the digest of what goes into it, so that equal contents have an equal tag, and models/bento.json
records the digest of every file that came out.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import homei
from homei import config, lake, tools
from homei.features.columns import month_of
from homei.features.lookup import export
from homei.model import manifest
from homei.model.valuation import Valuation

MODEL = Path("models/valuation")
RECORD = Path("models/bento.json")
HOME = Path("models/bentos")  # BENTOML_HOME, which by default would be in the user's own folder
BENTOFILE = Path("bentofile.yaml")

SERVICE = "homei.serve.service"
REQUIREMENTS = "homei/serve/requirements.lock"
ATTRIBUTES = ("bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude")
DEGREES = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 180.0)}
KEPT = 3  # Bentos in the store


class PackageError(RuntimeError):
    """A Bento that can't be built, or isn't what was recorded."""


def run(
    source: config.Source,
    features: config.Features,
    package: config.Package,
    serve: config.Serve,
    publish: config.Publish,
) -> None:
    """Stage: the Bento in models/bentos, and models/bento.json, which names it and all its files."""
    model = Valuation.load(MODEL)
    contract = describe(model, source, package, serve, publish)
    # Outside the project: BentoML refuses to build below a hidden folder, where DVC runs queued experiments.
    with tempfile.TemporaryDirectory() as scratch:
        parts = Path(scratch).resolve() / "parts"
        assemble(parts, contract)
        export(source, features, package.months, parts / "lookup")
        tag = f"{package.name}:{lake.digest(parts)[:12]}"
        if not _is_in_store(tag):
            _build(parts, tag, contract["as_of"])
    _keep_the_newest(bento_folder(tag).parent)
    _record(tag, contract)


def describe(
    model: Valuation,
    source: config.Source,
    package: config.Package,
    serve: config.Serve,
    publish: config.Publish,
) -> dict[str, Any]:
    """service.json: what the service takes and promises; `homei.serve.contract` reads it."""
    last_month = month_of(source.as_of) + 1  # the Bento values homes in the month after
    numbers = ("square_meters", *ATTRIBUTES, *source.numeric)
    degrees = DEGREES if source.coordinates.system == "wgs84" else {}
    return {
        "name": package.name,
        "title": source.title,
        "currency": source.currency,
        "as_of": source.as_of.isoformat(),
        "model_version": model.version,
        "data_version": model.meta["data_version"],
        "level": model.meta["level"],
        "months": [last_month - package.months, last_month],
        "property_types": model.meta["categories"]["property_type"],
        "ranges": {name: limits for name, limits in (degrees | source.contract.ranges).items() if name in numbers},
        "numeric": list(source.numeric),
        "categorical": list(source.categorical),
        "example": _example(source),
        "limits": serve.model_dump(),
        "coordinates": source.coordinates.model_dump(),
        "warehouse": publish.model_dump(),
    }


def assemble(parts: Path, contract: dict[str, Any]) -> None:
    """Copies the code that serving needs, the model and the contract into `parts`."""
    sources = Path(homei.__file__).parent.parent
    for file in [*import_closure(SERVICE, sources), sources / REQUIREMENTS]:
        target = parts / file.relative_to(sources)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    shutil.copytree(MODEL, parts / "valuation", copy_function=shutil.copyfile)
    shutil.copyfile(BENTOFILE, parts / BENTOFILE.name)
    lake.write_json(contract, parts / "service.json")


def import_closure(module: str, sources: Path) -> list[Path]:
    """The files of homei's modules that `module` imports, directly or not, lazily or not, with their packages."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        stem = sources.joinpath(*name.split("."))
        file = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        if file in found or not file.exists():
            continue
        found.add(file)
        waiting += [name.rpartition(".")[0], *_imports(file)]
    return sorted(found)


def bento_folder(tag: str, home: Path = HOME) -> Path:
    """Where a store keeps a Bento."""
    return home / "bentos" / tag.replace(":", "/")


def recorded() -> dict[str, Any]:
    """What models/bento.json says; raises PackageError where nothing was packaged yet."""
    if not RECORD.exists():
        raise PackageError(f"{RECORD} is not there: `dvc repro package` builds the Bento and records it")
    return lake.read_json(RECORD)


def verify_bento(project: Path = Path()) -> list[str]:
    """A sentence for each file of the recorded Bento that is missing, changed or added; empty if none is."""
    if not (project / RECORD).exists():
        return [f"{RECORD} is not there: nothing was packaged yet"]
    record = lake.read_json(project / RECORD)
    folder = bento_folder(record["tag"])
    if not (project / folder).is_dir():
        return [f"{folder} is not there: `homei package` builds it"]
    found = manifest.differences(record["files"], project / folder, RECORD)
    return [told.removeprefix(f"{project}/") for told in found]


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "homei")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "homei":
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _example(source: config.Source) -> dict[str, Any]:
    """The last sale's attributes, as a request would give them."""
    names = [
        "square_meters",
        "property_type",
        "location",
        *ATTRIBUTES,
        *source.numeric,
        *source.categorical,
    ]
    last = lake.read(lake.READY, names).tail(1).to_json(orient="records", double_precision=6)
    # A whole number reads better as one: 3 bedrooms, not 3.0.
    whole = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in json.loads(last)[0].items()
    }
    return {name: value for name, value in whole.items() if value is not None}


def _is_in_store(tag: str) -> bool:
    return RECORD.exists() and recorded()["tag"] == tag and not verify_bento()


def _build(parts: Path, tag: str, as_of: str) -> None:
    """Has BentoML build in a store of its own, then puts the Bento into the project's store in one step."""
    name, version = tag.split(":")
    home = parts.with_name("home")
    command = [sys.executable, "-m", "bentoml", "build", "--name", name, "--version", version, "--output", "tag", "."]
    # Started in `parts`, the build imports the copied homei, not the repository's.
    done = subprocess.run(command, cwd=parts, env=_build_environment(home), capture_output=True, text=True)
    built = bento_folder(tag, home)
    if done.returncode or not built.is_dir():
        raise PackageError(f"`bentoml build` failed:\n{done.stdout}{done.stderr}")
    _set_creation_time(built / "bento.yaml", as_of)
    with lake.replacing(bento_folder(tag)) as folder:
        shutil.copytree(built, folder, dirs_exist_ok=True)
    lake.write_text(version, bento_folder(tag).with_name("latest"))


def _build_environment(home: Path) -> dict[str, str]:
    # BentoML looks for a uv even where nothing is left to lock, and would install one.
    path = os.pathsep.join([*map(str, tools.places(tools.UV)), os.environ.get("PATH", "")])
    if shutil.which("uv", path=path) is None:
        raise PackageError(f"there is no uv, neither in {tools.UV} nor on the PATH: `make setup` brings one")
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    own = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1", "PATH": path}
    return kept | own


def _set_creation_time(manifest: Path, as_of: str) -> None:
    """Puts the data's date where BentoML stamps the clock's: equal contents make equal bytes."""
    text = manifest.read_text(encoding="utf-8")
    stamped = re.sub(r"(?m)^creation_time: .*$", f"creation_time: '{as_of}T00:00:00+00:00'", text)
    manifest.write_text(stamped, encoding="utf-8", newline="\n")


def _keep_the_newest(versions: Path) -> None:
    bentos = sorted((path for path in versions.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for old in bentos[:-KEPT]:
        shutil.rmtree(old)


def _record(tag: str, contract: dict[str, Any]) -> None:
    folder = bento_folder(tag)
    versions = {name: contract[name] for name in ("model_version", "data_version", "as_of")}
    files = manifest.hashes(folder)
    lake.write_json({"tag": tag, "digest": manifest.total(files), **versions, "files": files}, RECORD)
