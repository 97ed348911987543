"""Services that require tokens, for the tests of authentication."""

import functools
from collections.abc import Iterator

import pytest
from authenticated_service import AuthenticatedService, run_service


@pytest.fixture(scope="session")
def running_service(contract, predictor):
    """Runs a service in a folder for the length of a block."""
    return functools.partial(run_service, contract, predictor)


@pytest.fixture(scope="session")
def service(running_service, tmp_path_factory) -> Iterator[AuthenticatedService]:
    """A service with the clients `valuer`, `analyst` and `boss`."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        running.add_client("valuer", "predict")
        running.add_client("analyst", "analytics")
        running.add_client("boss", "predict", "admin")
        yield running
