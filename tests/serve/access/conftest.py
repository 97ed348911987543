"""Services that ask for tokens, for the tests of who may."""

import functools
from collections.abc import Iterator

import pytest
from guarded import Place, opened_in


@pytest.fixture(scope="session")
def opened(contract, predictor):
    """Opens a place in a folder for the length of a block."""
    return functools.partial(opened_in, contract, predictor)


@pytest.fixture(scope="module")
def place(opened, tmp_path_factory) -> Iterator[Place]:
    with opened(tmp_path_factory.mktemp("place")) as found:
        found.add("valuer", "predict")
        found.add("analyst", "analytics")
        found.add("boss", "predict", "admin")
        yield found
