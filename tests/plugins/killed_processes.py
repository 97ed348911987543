"""Runs a write in a process of its own that is killed before one of its steps."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

FORK = multiprocessing.get_context("fork")
STEPS = ("mkdir", "touch", "open", "link", "rename", "replace", "unlink", "fsync", "rmtree", "copyfile", "close")


def killed_write(write: Callable[[], object], step: int) -> bool:
    """Runs `write` in a process that is killed before the step; whether it was."""

    def run() -> None:
        _kill_at(step)
        write()
        os._exit(0)

    process = FORK.Process(target=run)
    process.start()
    process.join(30)
    return process.exitcode == -signal.SIGKILL


def _kill_at(step: int) -> None:
    """Kills this process before the given step of a write: any call that changes the file system."""
    counter = iter(range(1, 10_000))

    def counted(function: Callable) -> Callable:
        def call(*arguments, **options):
            if next(counter) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    for owner in (os, Path, shutil):
        for name in STEPS:
            if hasattr(owner, name):
                setattr(owner, name, counted(getattr(owner, name)))
