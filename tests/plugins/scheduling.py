"""pytest plugin that gives test files which share an expensive fixture to the same xdist worker."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

# A JVM takes 20 CPU seconds until it is warm; a boot of a Bento takes 8.
SHARED_FIXTURES = {
    "tests/features": "Spark session",
    "tests/curated": "Spark session",
    "tests/spark": "Spark session",
    "tests/storage": "Spark session",
    "tests/whole/test_documented_requests.py": "rebuilt city",
    "tests/whole/test_parity.py": "rebuilt city",
    "tests/whole/test_rebuild.py": "rebuilt city",
    "tests/whole/test_shift.py": "rebuilt city",
    "tests/whole/test_experiments.py": "small city",
    "tests/whole/test_outputs.py": "small city",
    "tests/serving/test_bento.py": "served Bento",
    "tests/serving/test_two_bentos.py": "served Bento",
    "tests/serving/abuse/test_raw_http.py": "served Bento",
    "tests/serving/abuse/test_owasp_service.py": "served Bento",
}


def group_of(nodeid: str) -> str:
    """The expensive fixture that the test's file shares with others, or else the file."""
    file = nodeid.partition("::")[0]
    for path, fixture in SHARED_FIXTURES.items():
        if file == path or file.startswith(f"{path}/"):
            return fixture
    return file


def pytest_configure(config: pytest.Config) -> None:
    if missing := [path for path in SHARED_FIXTURES if not (config.rootpath / path).exists()]:
        raise pytest.UsageError(f"SHARED_FIXTURES in {__file__} names missing files: {', '.join(missing)}")


class ByFixture(LoadScopeScheduling):
    """Distributes groups of test files; each group runs in one process."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return ByFixture(config, log)


def pytest_collection_modifyitems(items):
    """Long groups run first, and each group's tests together: at the end no process waits for another one."""
    groups = {group: at for at, group in enumerate(dict.fromkeys(group_of(item.nodeid) for item in items))}
    shared = set(SHARED_FIXTURES.values())

    def order(item):
        group = group_of(item.nodeid)
        return item.get_closest_marker("slow") is None, group not in shared, groups[group]

    items.sort(key=order)
