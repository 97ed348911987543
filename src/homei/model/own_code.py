"""A Bento's own code at work on its own model, in a process of its own: whatever has become of today's code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


class OwnCodeError(RuntimeError):
    """A Bento's code that did not do what it was asked: the message is the last thing that it said."""


def run(bento: Path, script: str, *arguments: str) -> str:
    """What a script prints that is run in a Bento's src/, where `homei` is the Bento's; raises OwnCodeError."""
    source = (bento / "src").resolve()
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise OwnCodeError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return done.stdout
