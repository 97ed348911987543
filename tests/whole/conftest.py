"""What all the tests share that look at the whole."""

from pathlib import Path

import pytest
from newcomer import copy_of_the_project, run


@pytest.fixture(scope="session")
def city(tmp_path_factory) -> Path:
    """The demo city, rebuilt from nothing in a new folder."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("newcomer") / "a new place")
    run(["homei", "compose"], folder)
    run(["dvc", "repro"], folder)
    return folder
