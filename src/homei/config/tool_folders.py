"""The folders of tools that `make setup` installs into a project: uv and a JRE."""

from __future__ import annotations

import sys
from pathlib import Path

UV = Path(".tools/uv/bin")
JRE = Path(".tools/jre")


def places(tool: Path) -> list[Path]:
    """The folders that may hold a tool: in this project, then in the project of the environment.

    They differ in a queued experiment, which runs in a copy of the project without its tools.
    """
    return [project / tool for project in (Path.cwd(), Path(sys.prefix).parent)]
