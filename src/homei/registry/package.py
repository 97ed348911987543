"""Stage `package`: builds the model, its look-up tables and the service's code into a Bento.

A Bento's version is the digest of its contents, so equal contents have an equal tag. models/bento.json records the
digest of every file of the Bento.
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
from types import SimpleNamespace
from typing import Any

import homei
from homei.config import tool_folders
from homei.config.city import CityConfig
from homei.config.projection import area_of
from homei.features.columns import month_of
from homei.features.feature_lookup import export_lookup
from homei.registry import bento_manifest
from homei.storage import lake
from homei.training.valuation_model import VALUATION, ValuationModel

RECORD = Path("models/bento.json")
HOME = Path("models/bentos")  # BENTOML_HOME, by default in the user's home folder
BENTOFILE = Path("bentofile.yaml")

SERVICE = "homei.serving.service"
REQUIREMENTS = "homei/serving/requirements.lock"
ATTRIBUTES = ("bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude")
N_BENTOS = 3  # Bentos in the store


class PackageError(RuntimeError):
    """A Bento that cannot be built, or differs from its record."""


def run(**sections: Any) -> None:
    """Builds the Bento in models/bentos and writes models/bento.json with its tag and files."""
    p = SimpleNamespace(**sections)
    service = service_contract(ValuationModel.load(VALUATION), p)
    # Outside the project: BentoML refuses to build below a hidden folder, where DVC runs queued experiments.
    with tempfile.TemporaryDirectory() as scratch:
        parts = Path(scratch).resolve() / "parts"
        copy_parts(parts, service)
        export_lookup(p.city, p.features, p.package.months, parts / "lookup")
        tag = f"{p.package.name}:{lake.digest(parts)[:12]}"
        if not _is_in_store(tag):
            _build(parts, tag, service["as_of"])
    _remove_old_bentos(bento_folder(tag).parent)
    _write_record(tag, service)


def service_contract(model: ValuationModel, p: SimpleNamespace) -> dict[str, Any]:
    """The contents of service.json (inputs, limits, versions), which `homei.serving.contract` reads."""
    last_month = month_of(p.city.as_of) + 1
    numbers = ("square_meters", *ATTRIBUTES, *p.city.attributes.numeric)
    degrees = area_of(p.city.coordinates)
    return {
        "name": p.package.name,
        "title": p.city.title,
        "currency": p.city.currency,
        "as_of": p.city.as_of.isoformat(),
        "model_version": model.version,
        "data_version": model.meta["data_version"],
        "level": model.meta["level"],
        "months": [last_month - p.package.months, last_month],
        "needs_area": not model.fitted.encoder.has_unknown_areas,
        "property_types": sorted(model.applicability.types),
        "ranges": {name: limits for name, limits in (degrees | p.contract.ranges).items() if name in numbers},
        "numeric": list(p.city.attributes.numeric),
        "categorical": list(p.city.attributes.categorical),
        "example": _example(p.city),
        "limits": p.serve.model_dump(),
        "coordinates": p.city.coordinates.model_dump(),
        "warehouse": p.publish.model_dump(),
    }


def copy_parts(parts: Path, service: dict[str, Any]) -> None:
    """Copies the service's code, the model and service.json into `parts`."""
    sources = Path(homei.__file__).parent.parent
    for file in [*import_closure(SERVICE, sources), sources / REQUIREMENTS]:
        target = parts / file.relative_to(sources)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    shutil.copytree(VALUATION, parts / "valuation", copy_function=shutil.copyfile)
    shutil.copyfile(BENTOFILE, parts / BENTOFILE.name)
    lake.write_json(service, parts / "service.json")


def import_closure(module: str, sources: Path) -> list[Path]:
    """The files of all homei modules that `module` imports, directly, indirectly or lazily."""
    closure: set[Path] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        stem = sources.joinpath(*name.split("."))
        file = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        if file in closure or not file.exists():
            continue
        closure.add(file)
        queue += [name.rpartition(".")[0], *_imports(file)]
    return sorted(closure)


def bento_folder(tag: str, home: Path = HOME) -> Path:
    """The folder of a Bento in a BentoML store."""
    return home / "bentos" / tag.replace(":", "/")


def read_record() -> dict[str, Any]:
    """The contents of models/bento.json; raises PackageError if nothing has been packaged."""
    if not RECORD.exists():
        raise PackageError(f"{RECORD} does not exist: run `dvc repro package` to build the Bento")
    return lake.read_json(RECORD)


def verify_bento(project: Path = Path()) -> list[str]:
    """One sentence for each file of the recorded Bento that is missing, changed or added."""
    if not (project / RECORD).exists():
        return [f"{RECORD} does not exist: nothing has been packaged"]
    record = lake.read_json(project / RECORD)
    folder = bento_folder(record["tag"])
    if not (project / folder).is_dir():
        return [f"{folder} does not exist: run `homei package` to build it"]
    sentences = bento_manifest.differences(record["files"], project / folder, RECORD)
    return [sentence.removeprefix(f"{project}/") for sentence in sentences]


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "homei")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "homei":
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _example(city: CityConfig) -> dict[str, Any]:
    """The attributes of the last sale, as a request would contain them."""
    names = ["square_meters", "property_type", "location", *ATTRIBUTES, *city.attributes.names]
    last = lake.read(lake.TRAINING_SET, names).tail(1).to_json(orient="records", double_precision=6)
    # Whole numbers are shown without decimals: 3 bedrooms, not 3.0.
    values = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in json.loads(last)[0].items()
    }
    return {name: value for name, value in values.items() if value is not None}


def _is_in_store(tag: str) -> bool:
    return RECORD.exists() and read_record()["tag"] == tag and not verify_bento()


def _build(parts: Path, tag: str, as_of: str) -> None:
    """Builds a Bento in a temporary store, then moves it into the project's store in one step."""
    name, version = tag.split(":")
    home = parts.with_name("home")
    command = [sys.executable, "-m", "bentoml", "build", "--name", name, "--version", version, "--output", "tag", "."]
    # In `parts`, the build imports the copied homei instead of the repository's.
    result = subprocess.run(command, cwd=parts, env=_build_environment(home), capture_output=True, text=True)
    built = bento_folder(tag, home)
    if result.returncode or not built.is_dir():
        raise PackageError(f"`bentoml build` failed:\n{result.stdout}{result.stderr}")
    _set_creation_time(built / "bento.yaml", as_of)
    with lake.replacing(bento_folder(tag)) as folder:
        shutil.copytree(built, folder, dirs_exist_ok=True)
    lake.write_text(version, bento_folder(tag).with_name("latest"))


def _build_environment(home: Path) -> dict[str, str]:
    # BentoML looks for uv even with nothing to lock, and would install it.
    path = os.pathsep.join([*map(str, tool_folders.places(tool_folders.UV)), os.environ.get("PATH", "")])
    if shutil.which("uv", path=path) is None:
        raise PackageError(f"uv is neither in {tool_folders.UV} nor on the PATH: run `make setup`")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    bentoml = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1", "PATH": path}
    return environment | bentoml


def _set_creation_time(bento_yaml: Path, as_of: str) -> None:
    """Replaces the build time by the date of the data, so that equal contents have equal bytes."""
    text = bento_yaml.read_text(encoding="utf-8")
    dated = re.sub(r"(?m)^creation_time: .*$", f"creation_time: '{as_of}T00:00:00+00:00'", text)
    bento_yaml.write_text(dated, encoding="utf-8", newline="\n")


def _remove_old_bentos(versions: Path) -> None:
    bentos = sorted((path for path in versions.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for old in bentos[:-N_BENTOS]:
        shutil.rmtree(old)


def _write_record(tag: str, service: dict[str, Any]) -> None:
    versions = {name: service[name] for name in ("model_version", "data_version", "as_of")}
    files = bento_manifest.file_digests(bento_folder(tag))
    record = {"tag": tag, "digest": bento_manifest.bento_digest(files), **versions, "files": files}
    lake.write_json(record, RECORD)
