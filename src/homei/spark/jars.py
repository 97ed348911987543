"""Jars that Spark needs to read and write S3: Maven fetches them into the project's folder."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from homei.config import tool_folders

POM = Path(__file__).with_name("s3a") / "pom.xml"
CHECKSUMS = POM.with_name("sha256sums")
REMEDY = "run `make parts`"


class JarsError(RuntimeError):
    """Jars are missing, could not be fetched, or are not those of the checksums."""


def s3a_jars() -> list[Path]:
    """The jars for s3a:// addresses, as `spark.jars` takes them; raises JarsError if one is missing."""
    names = _checksums()
    folders = tool_folders.places(tool_folders.JARS)
    for folder in folders:
        if all((folder / name).is_file() for name in names):
            return [(folder / name).resolve() for name in names]
    missing = next(name for name in names if not (folders[0] / name).is_file())
    raise JarsError(f"Spark needs {len(names)} jars for S3; {missing} is not in {tool_folders.JARS}: {REMEDY}")


def fetch_s3a_jars() -> list[Path]:
    """As `s3a_jars`, but fetches them with Maven if one is missing or differs from its checksum."""
    with contextlib.suppress(JarsError):
        jars = s3a_jars()
        if _differing(jars[0].parent) is None:
            return jars
    if (maven := shutil.which("mvn")) is None:
        raise JarsError(
            f"Maven (mvn) is not on PATH: install it (Debian's package is maven) and {REMEDY}, "
            f"or copy the jars that {CHECKSUMS} lists into {tool_folders.JARS}"
        )
    print(f"fetching the jars for S3 into {tool_folders.JARS}", file=sys.stderr)  # noqa: T201
    tool_folders.JARS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tool_folders.JARS) as name:
        folder = Path(name).resolve()
        command = [maven, "--quiet", "--batch-mode", "--file", str(POM), "dependency:copy-dependencies"]
        result = subprocess.run([*command, f"-DoutputDirectory={folder}"], capture_output=True, text=True)
        if result.returncode:
            raise JarsError(f"Maven could not fetch the jars for S3:\n{result.stdout[-3000:]}{result.stderr[-1000:]}")
        if jar := _differing(folder):
            raise JarsError(f"Maven fetched no {jar} with the SHA-256 in {CHECKSUMS}: check the registry it uses")
        for jar in _checksums():
            (folder / jar).replace(tool_folders.JARS / jar)
    return s3a_jars()


def _checksums() -> dict[str, str]:
    """SHA-256 by file name, from a file that `sha256sum --check` reads too."""
    lines = CHECKSUMS.read_text(encoding="utf-8").splitlines()
    return {name: checksum for checksum, name in (line.split() for line in lines)}


def _differing(folder: Path) -> str | None:
    """The first jar that the folder does not have with its checksum."""
    for name, checksum in _checksums().items():
        jar = folder / name
        if not jar.is_file() or hashlib.sha256(jar.read_bytes()).hexdigest() != checksum:
            return name
    return None
