"""Runs a script with a Bento's own code in a separate process, independent of the workspace's code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


class IsolatedInferenceError(RuntimeError):
    """A script that failed in a Bento's code: the message is the last line of its error output."""


def run_in_bento(bento: Path, script: str, *arguments: str) -> str:
    """Standard output of a script run in a Bento's src/, where `homei` is the Bento's copy."""
    source = (bento / "src").resolve()
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise IsolatedInferenceError((result.stderr.strip().splitlines() or ["no error output"])[-1])
    return result.stdout
