"""Java for Spark: the machine's, or a JRE in the project's folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from homei.config import tool_folders

MIN_VERSION = 17


class NoJavaError(RuntimeError):
    """No suitable Java was found, and none could be installed."""


def find() -> Path | None:
    """The home of a Java 17 or newer, from JAVA_HOME, PATH or the project's folder; None without one."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if on_path := shutil.which("java"):
        homes.append(Path(on_path).resolve().parent.parent)
    homes += [home for place in tool_folders.places(tool_folders.JRE) for home in sorted(place.glob("*"))]
    return next((home for home in homes if _version(home) >= MIN_VERSION), None)


def ensure() -> Path:
    """As `find`, but installs a JRE into the project's folder if there is none; raises NoJavaError."""
    if home := find():
        return home
    print(f"no Java {MIN_VERSION}+ found: installing a JRE into {tool_folders.JRE}", file=sys.stderr)  # noqa: T201
    import jdk

    tool_folders.JRE.mkdir(parents=True, exist_ok=True)
    try:
        return Path(jdk.install(str(MIN_VERSION), jre=True, path=str(tool_folders.JRE)))
    except Exception as error:  # install-jdk raises errors of the network, the archive and the disk
        raise NoJavaError(
            f"no Java {MIN_VERSION}+ on PATH or in JAVA_HOME, and a JRE could not be installed ({error}): "
            f"install one and set JAVA_HOME"
        ) from error


def _version(home: Path) -> int:
    java = home / "bin" / "java"
    if not java.exists():
        return 0
    output = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(match[1]) if match else 0
