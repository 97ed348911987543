import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from homei.registry import package
from homei.storage import lake

SOURCES = Path("src")
LOCK = Path("requirements.lock")


def locked(path):
    return set(re.findall(r"(?m)^([a-z0-9_.-]+==[^ \\]+)", path.read_text()))


def test_the_service_uses_the_locked_versions_of_the_project():
    of_the_service = locked(SOURCES / package.REQUIREMENTS)
    assert of_the_service <= locked(LOCK)
    assert {name.partition("==")[0] for name in of_the_service} >= {"bentoml", "fastapi", "lightgbm", "numpy"}


def test_a_bento_contains_what_serving_imports_and_no_pipeline_code():
    closure = {path.relative_to(SOURCES).as_posix() for path in package.import_closure(package.SERVICE, SOURCES)}
    assert {
        "homei/__init__.py",
        "homei/serving/app.py",
        "homei/features/feature_lookup.py",
        "homei/training/valuation_model.py",
    } <= closure
    packages = {name.split("/")[1] for name in closure}
    assert not packages & {"cli", "demo", "ingestion", "reporting", "validation"}
    assert "homei/registry/package.py" not in closure


def test_the_closure_follows_lazy_imports_and_submodules(tmp_path):
    folder = tmp_path / "homei" / "wing"
    folder.mkdir(parents=True)
    (tmp_path / "homei" / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "first.py").write_text("import json\ndef late():\n    from homei.wing import second\n")
    (folder / "second.py").write_text("import homei.wing.third\n")
    (folder / "third.py").write_text("from homei.wing.first import late\n")
    (folder / "unused.py").touch()
    names = [path.name for path in package.import_closure("homei.wing.first", tmp_path)]
    assert names == ["__init__.py", "__init__.py", "first.py", "second.py", "third.py"]


@pytest.mark.parametrize("has_unknown_areas", [False, True])
def test_the_service_accepts_every_type_with_a_market_sale_and_unknown_areas_that_the_model_was_trained_on(
    sections, monkeypatch, has_unknown_areas
):
    monkeypatch.setattr(package, "_example", lambda city: {})
    model = SimpleNamespace(
        applicability=SimpleNamespace(types={"flat": 90, "cabin": 0}),
        fitted=SimpleNamespace(encoder=SimpleNamespace(has_unknown_areas=has_unknown_areas)),
        meta={"data_version": "d", "level": 0.9},
        version="m",
    )
    contract = package.service_contract(model, sections)
    assert contract["property_types"] == ["cabin", "flat"]
    assert contract["needs_area"] != has_unknown_areas


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = package.bento_folder("valuation:0123456789ab")
    lake.write_text("name: valuation\n", folder / "bento.yaml")
    lake.write_text("trees\n", folder / "src" / "valuation" / "model.txt")
    package._write_record("valuation:0123456789ab", {"model_version": "a", "data_version": "b", "as_of": "2025-12-31"})
    return folder


def test_an_unchanged_bento_has_no_differences(store):
    assert package.verify_bento() == []


def test_bytecode_caches_are_ignored(store):
    lake.write_text("bytecode", store / "src" / "__pycache__" / "service.pyc")
    assert package.verify_bento() == []


def test_a_changed_file_is_reported(store):
    lake.write_text("treez\n", store / "src" / "valuation" / "model.txt")
    (difference,) = package.verify_bento()
    assert "valuation/0123456789ab/src/valuation/model.txt: its bytes differ" in difference


def test_missing_and_added_files_are_reported(store):
    (store / "bento.yaml").rename(store / "bento.yml")
    missing, added = package.verify_bento()
    assert "bento.yaml: missing" in missing
    assert "bento.yml: not part of this Bento" in added


def test_a_missing_bento_is_reported_with_its_remedy(store):
    store.rename(store.with_name("elsewhere"))
    (difference,) = package.verify_bento()
    assert "run `homei package`" in difference


def test_a_project_can_be_verified_from_another_folder(store, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert package.verify_bento(tmp_path) == []


def test_only_the_newest_bentos_are_kept(store):
    import os

    versions = store.parent
    for age in range(5):
        (versions / f"older{age}").mkdir()
        os.utime(versions / f"older{age}", (1000 - age, 1000 - age))
    package._remove_old_bentos(versions)
    assert sorted(path.name for path in versions.iterdir()) == ["0123456789ab", "older0", "older1"]


def test_the_error_without_a_record_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(package.PackageError, match="dvc repro package"):
        package.read_record()
