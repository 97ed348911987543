"""A Java for Spark: the machine's own, or a JRE inside the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from homei import tools

OLDEST = 17


class NoJavaError(RuntimeError):
    """No Java that Spark can run on, and none could be installed."""


def find() -> Path | None:
    """The home of a Java 17 or newer: JAVA_HOME's, the one on PATH, or the project's own; None where there is none."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if on_path := shutil.which("java"):
        homes.append(Path(on_path).resolve().parent.parent)
    homes += [home for place in tools.places(tools.JRE) for home in sorted(place.glob("*"))]
    return next((home for home in homes if _version(home) >= OLDEST), None)


def ensure() -> Path:
    """The home of a Java to use, installed into the project where the machine has none; raises NoJavaError."""
    if found := find():
        return found
    print(f"no Java {OLDEST}+ found: installing a JRE into {tools.JRE}", file=sys.stderr)  # noqa: T201
    import jdk

    tools.JRE.mkdir(parents=True, exist_ok=True)
    try:
        return Path(jdk.install(str(OLDEST), jre=True, path=str(tools.JRE)))
    except Exception as error:  # install-jdk passes on whatever the network, the archive or the disk raise
        raise NoJavaError(
            f"no Java {OLDEST}+ on PATH or in JAVA_HOME, and a JRE could not be installed ({error}): "
            f"install one and set JAVA_HOME"
        ) from error


def _version(home: Path) -> int:
    java = home / "bin" / "java"
    if not java.exists():
        return 0
    printed = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', printed)
    return int(found[1]) if found else 0
