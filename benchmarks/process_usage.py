"""CPU time and memory of a command with all the processes that it starts."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

INTERVAL_SECONDS = 0.2
MIB = 2**20


@dataclass
class Usage:
    """The wall and CPU seconds of a command, and peaks of resident memory in MiB."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0  # of all processes together; memory that forked processes share counts for each
    largest_mib: dict[str, float] = field(default_factory=dict)  # of one process, by program: java, python


def run(command: Sequence[str], folder: Path, env: Mapping[str, str], others: Sequence[int] = ()) -> Usage:
    """Runs a command; exits with its last output if it fails.

    `others` are ids of processes that work for it without being its children, such as a cluster's master and workers.
    """
    start, before = time.monotonic(), {pid: _cpu_seconds(pid) for pid in others}
    with subprocess.Popen(
        command, cwd=folder, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        usage, done = Usage(), threading.Event()
        watcher = threading.Thread(target=_watch, args=([child.pid, *others], before, usage, done))
        watcher.start()
        output = child.stdout.read().decode(errors="replace")
        code = child.wait()
        done.set()
        watcher.join()
    usage.wall_seconds = time.monotonic() - start
    if code:
        sys.exit(f"{' '.join(command)} failed:\n{output[-3000:]}")
    return usage


def _watch(roots: Sequence[int], before: Mapping[int, float], usage: Usage, done: threading.Event) -> None:
    cpu_seconds: dict[int, float] = {}
    while not done.wait(INTERVAL_SECONDS):
        total = 0.0
        for process in _family(roots):
            try:
                with process.oneshot():
                    name, memory, times = process.name(), process.memory_info().rss / MIB, process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += memory
            kind = "java" if name == "java" else "python"
            usage.largest_mib[kind] = max(usage.largest_mib.get(kind, 0.0), memory)
            cpu_seconds[process.pid] = times.user + times.system - before.get(process.pid, 0.0)
        usage.peak_mib = max(usage.peak_mib, total)
        usage.cpu_seconds = sum(cpu_seconds.values())


def _family(roots: Sequence[int]) -> list[psutil.Process]:
    members = []
    for root in roots:
        try:
            process = psutil.Process(root)
            members += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return members


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
