import re
from pathlib import Path

import pytest

from homei import lake
from homei.model import package

SOURCES = Path("src")
LOCK = Path("requirements.lock")


def locked(path):
    return set(re.findall(r"(?m)^([a-z0-9_.-]+==[^ \\]+)", path.read_text()))


def test_the_service_is_locked_to_the_versions_of_the_project():
    of_the_service = locked(SOURCES / package.REQUIREMENTS)
    assert of_the_service <= locked(LOCK)
    assert {name.partition("==")[0] for name in of_the_service} >= {"bentoml", "fastapi", "lightgbm", "numpy"}


def test_a_bento_holds_what_serving_imports_and_nothing_of_the_pipeline():
    closure = {path.relative_to(SOURCES).as_posix() for path in package.import_closure(package.SERVICE, SOURCES)}
    assert {
        "homei/__init__.py",
        "homei/serve/app.py",
        "homei/features/lookup.py",
        "homei/model/valuation.py",
    } <= closure
    assert not [name for name in closure if name.split("/")[1] in ("cli.py", "sources", "quality", "report", "demo")]
    assert "homei/model/package.py" not in closure


def test_the_closure_follows_lazy_imports_and_submodules(tmp_path):
    folder = tmp_path / "homei" / "wing"
    folder.mkdir(parents=True)
    (tmp_path / "homei" / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "first.py").write_text("import json\ndef late():\n    from homei.wing import second\n")
    (folder / "second.py").write_text("import homei.wing.third\n")
    (folder / "third.py").write_text("from homei.wing.first import late\n")
    (folder / "unused.py").touch()
    found = [path.name for path in package.import_closure("homei.wing.first", tmp_path)]
    assert found == ["__init__.py", "__init__.py", "first.py", "second.py", "third.py"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = package.bento_folder("valuation:0123456789ab")
    lake.write_text("name: valuation\n", folder / "bento.yaml")
    lake.write_text("trees\n", folder / "src" / "valuation" / "model.txt")
    package._record("valuation:0123456789ab", {"model_version": "a", "data_version": "b", "as_of": "2025-12-31"})
    return folder


def test_a_whole_bento_differs_in_nothing(store):
    assert package.verify_bento() == []


def test_what_python_caches_is_no_difference(store):
    lake.write_text("bytecode", store / "src" / "__pycache__" / "service.pyc")
    assert package.verify_bento() == []


def test_a_flipped_byte_is_named(store):
    lake.write_text("treez\n", store / "src" / "valuation" / "model.txt")
    (difference,) = package.verify_bento()
    assert "valuation/0123456789ab/src/valuation/model.txt: its bytes" in difference


def test_a_missing_and_an_added_file_are_named(store):
    (store / "bento.yaml").rename(store / "bento.yml")
    missing, added = package.verify_bento()
    assert "bento.yaml: not there" in missing
    assert "bento.yml: not of this Bento" in added


def test_a_bento_that_is_gone_is_told_with_its_remedy(store):
    store.rename(store.with_name("elsewhere"))
    (difference,) = package.verify_bento()
    assert "`homei package` builds it" in difference


def test_another_project_is_verified_from_where_one_is(store, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert package.verify_bento(tmp_path) == []


def test_only_the_newest_bentos_stay(store):
    import os

    versions = store.parent
    for age in range(5):
        (versions / f"older{age}").mkdir()
        os.utime(versions / f"older{age}", (1000 - age, 1000 - age))
    package._keep_the_newest(versions)
    assert sorted(path.name for path in versions.iterdir()) == ["0123456789ab", "older0", "older1"]


def test_nothing_recorded_is_told_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(package.PackageError, match="dvc repro package"):
        package.recorded()
