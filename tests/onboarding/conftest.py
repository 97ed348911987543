"""Small registers in a temporary project, and what `homei init` makes of them."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from homei.config import params
from homei.config.feeds import Source
from homei.ingestion import ingest
from homei.onboarding import init
from homei.onboarding.declaration import values
from homei.storage import lake
from homei.validation.parsing import parse

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the parameters of this project as current one."""
    shutil.copytree(PROJECT / "params", tmp_path / "params")
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def onboard(project):
    """Drafts a city from files without a terminal; `answers` are as in `--set`."""

    def run(*paths, ask=None, **answers):
        answers = {key.replace("__", "."): value for key, value in {"currency": "EUR", **answers}.items()}
        given = init.Answers({key: value for key, value in answers.items() if value is not None})
        return init.draft_from_files("town", [Path(path) for path in paths], given, ask)

    return run


@pytest.fixture
def read_back(onboard):
    """The typed sales that the stages read under the drafted configuration."""

    def run(*paths, **answers) -> pd.DataFrame:
        draft = onboard(*paths, **answers)
        init.write("town", draft, [Path(path) for path in paths], force=True)
        source: Source = params.source(values(draft))
        raw = ingest.records(source, "sales").to_pandas(types_mapper={lake.pa.string(): lake.TEXT}.get)
        return parse(raw, source).columns

    return run
