"""pytest plugin that reports the CPU seconds of a run, in total and of the ten most expensive test files.

Child processes count: finished ones, live ones (a JVM, a server), and orphans of finished ones.
"""

from __future__ import annotations

import collections
import ctypes
import os
import sys
from collections.abc import Iterator

import psutil
import pytest

START = "start and collection"
SHOWN = 10
PR_SET_CHILD_SUBREAPER = 36


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu-budget", type=float, help="CPU seconds that the run should not exceed")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(CpuTime(config), "cpu-time-of-this-run")


class CpuTime:
    """CPU seconds by test file; under xdist each worker measures itself, and the controller adds them up."""

    def __init__(self, config: pytest.Config) -> None:
        self.seconds: collections.Counter[str] = collections.Counter()
        self._config = config
        self._file, self._before = START, 0.0
        if not self._is_controller:
            adopt_orphans()

    @property
    def _is_controller(self) -> bool:
        """Whether xdist workers run the tests and this process only distributes them."""
        return not hasattr(self._config, "workerinput") and bool(self._config.getoption("numprocesses", None))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        file = item.nodeid.partition("::")[0]
        if file != self._file:
            self._record()
            self._file = file
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        if self._is_controller:
            times = os.times()
            self.seconds[START] += times.user + times.system
            return
        self._record()
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["cpu_seconds"] = dict(self.seconds)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node) -> None:
        self.seconds.update(getattr(node, "workeroutput", {}).get("cpu_seconds", {}))

    def pytest_terminal_summary(self, terminalreporter) -> None:
        if hasattr(self._config, "workerinput"):
            return
        total, budget = sum(self.seconds.values()), self._config.getoption("--cpu-budget")
        allowed = f" of at most {budget:.0f}" if budget else ""
        terminalreporter.section(f"CPU time: {total:.0f}{allowed} seconds")
        for file, seconds in self.seconds.most_common(SHOWN):
            terminalreporter.line(f"{seconds:7.1f} s  {file}")
        if budget and total > budget:
            terminalreporter.line(f"The run exceeds its budget of {budget:.0f} CPU seconds.", red=True, bold=True)

    def _record(self) -> None:
        now = cpu_seconds()
        self.seconds[self._file] += max(0.0, now - self._before)
        self._before = now


def cpu_seconds() -> float:
    """CPU seconds used by this process, its finished children, and its descendants that are alive or not yet reaped."""
    total = sum(os.times()[:4])
    for process in psutil.Process().children(recursive=True):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


def adopt_orphans() -> None:
    """Makes processes whose parent ends (the JVM of a Python that ran Spark) children of this one, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
