"""The folders of what `make setup` and `make parts` install into a project: uv, a JRE, jars."""

from __future__ import annotations

import sys
from pathlib import Path

UV = Path(".tools/uv/bin")
JRE = Path(".tools/jre")
JARS = Path(".tools/jars")
SERVERS = Path(".tools/versitygw")


def places(tool: Path) -> list[Path]:
    """The folders that may hold a tool: in this project, then in the project of the environment.

    They differ in a queued experiment, which runs in a copy of the project without its tools.
    """
    return [project / tool for project in (Path.cwd(), Path(sys.prefix).parent)]
