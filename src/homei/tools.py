"""Where `make setup` leaves what a project needs beside its packages: a uv, a Java."""

from __future__ import annotations

import sys
from pathlib import Path

UV = Path(".tools/uv/bin")
JRE = Path(".tools/jre")


def places(tool: Path) -> list[Path]:
    """The folders in which a tool may lie: this project's, then that of the project whose environment runs.

    They differ in a queued experiment, which runs in a copy of the project without its tools.
    """
    return [project / tool for project in (Path.cwd(), Path(sys.prefix).parent)]
