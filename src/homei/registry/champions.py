"""Registry of champions: the promoted models, which of them is in use, and their bytes.

A champion is a folder (its Bento and its evaluation) in DVC's cache, which a remote can hold. A commit pins the
folder's hash in registry/champion.dvc. Git tags in GTO's format name the version (valuation@v1.2.0) and the version in
use (valuation#production#7, the highest counter). The tags decide: the folder is checked against the hash pinned by
the commit of the version in use.
"""

from __future__ import annotations

import datetime
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from homei.pipeline.verify import md5
from homei.storage import lake

FOLDER = Path("registry/champion")
PINNED = FOLDER.with_suffix(".dvc")
BENTO, RECORD = "bento", "bento.json"  # in the folder: the Bento, and its models/bento.json
IN_USE = Path("models/champion.json")  # copy of the RECORD of the version in use; services watch it
DECISIONS = Path("registry/decisions.jsonl")
ARTIFACT = "valuation"  # as in dvc.yaml
STAGE = "production"
FIRST = "v1.0.0"


class ChampionError(RuntimeError):
    """A version that does not exist or cannot be restored: the message says what to do."""


@dataclass(frozen=True)
class Version:
    """A promoted model: its name such as v1.2.0, the commit that pins it, and whether it is in use."""

    name: str
    commit: str
    in_use: bool


def versions() -> list[Version]:
    """All promoted versions, the earliest first."""
    from gto.constants import Action

    registered, deregistered, assigned = {}, set(), []
    for tag, commit in _tags():
        if tag["action"] is Action.REGISTER:
            registered[tag["version"]] = commit
        elif tag["action"] is Action.DEREGISTER:
            deregistered.add(tag["version"])
        elif tag.get("stage") == STAGE:
            # Assigning a version moves it to the end; unassigning one leaves the version before it in use.
            assigned = [other for other in assigned if other != commit]
            assigned += [commit] if tag["action"] is Action.ASSIGN else []
    names = sorted(registered.keys() - deregistered, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
    in_use = assigned[-1] if assigned else None
    return [Version(name, registered[name], registered[name] == in_use) for name in names]


def champion_in_use() -> Version | None:
    """The version in use, or None before the first promotion."""
    return next((version for version in versions() if version.in_use), None)


def previous_champion() -> Version:
    """The version replaced by the promotion of the one in use; raises ChampionError without one."""
    champion = champion_in_use()
    promotions = {made["version"]: made["against"] for made in reversed(decisions()) if made["action"] == "promote"}
    replaced = promotions.get(champion.name) if champion else None
    if replaced is None:
        raise ChampionError("there is no champion before the one in use: `homei champions` lists the versions")
    return find_version(replaced)


def find_version(name: str) -> Version:
    """The version of that name; raises ChampionError with the names that exist."""
    by_name = {version.name: version for version in versions()}
    if name not in by_name:
        raise ChampionError(f"there is no champion {name}: choose one of {', '.join(by_name) or 'none yet'}")
    return by_name[name]


def restore(version: Version) -> Path:
    """FOLDER with the bytes of a version, from DVC's cache or remote unless they are there already.

    Raises ChampionError, and leaves the folder as it was, if the bytes are missing or differ from the promoted ones.
    """
    expected = pinned_md5(version)
    if FOLDER.is_dir() and md5(FOLDER) == expected:
        return FOLDER
    with lake.replacing(FOLDER) as side:
        side.rmdir()
        _fetch(version, side)
        if md5(side) != expected:
            raise ChampionError(
                f"{version.name}: its bytes in DVC's cache differ from those promoted; delete the objects named by "
                "`homei verify` to fetch them from the remote"
            )
    return FOLDER


def publish_champion() -> None:
    """Makes running services load the champion in FOLDER, by copying its record to IN_USE."""
    lake.write_text((FOLDER / RECORD).read_text(encoding="utf-8"), IN_USE)


def pinned_md5(version: Version) -> str:
    """The MD5 of a version's folder, from its commit."""
    return yaml.safe_load(git("show", f"{version.commit}:./{PINNED.as_posix()}"))["outs"][0]["md5"]


def register_champion(parts: Mapping[str, Path], decision: Mapping[str, Any]) -> Version:
    """Adds a version in use from its parts (name → file or folder), and records the decision."""
    from dvc.repo import Repo
    from gto.versions import SemVer

    earlier = versions()
    name = SemVer(earlier[-1].name).bump(bump_minor=True).version if earlier else FIRST
    with lake.replacing(FOLDER) as side:
        for part, path in parts.items():
            _copy(path, side / part)
    with Repo() as repo, repo.scm_context(quiet=True):
        repo.add([str(FOLDER)])
    summary = f"{ARTIFACT} {name}: {decision['summary']}"
    record_decision({**decision, "version": name}, f"Promote {summary}", PINNED)
    return _assign(name, summary, git("rev-parse", "HEAD"))


def roll_back(version: Version) -> Path:
    """Puts an earlier version back into use, records the decision, and returns its FOLDER."""
    current = champion_in_use()
    current_name = current.name if current else None
    if current_name == version.name:
        raise ChampionError(f"{version.name} is in use already")
    folder = restore(version)
    git("checkout", "--quiet", version.commit, "--", str(PINNED))
    summary = f"{ARTIFACT} {version.name}: back from {current_name or 'none'}"
    decision = new_decision("rollback", summary) | {"version": version.name, "against": current_name}
    record_decision(decision, f"Roll back to {summary}", PINNED)
    _assign(version.name, summary)
    return folder


def decisions() -> list[dict[str, Any]]:
    """All recorded decisions, the earliest first."""
    if not DECISIONS.exists():
        return []
    return [json.loads(line) for line in DECISIONS.read_text(encoding="utf-8").splitlines()]


def new_decision(action: str, summary: str) -> dict[str, Any]:
    """The first fields of a decision: action, time (UTC), user, commit, summary."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    user = git("config", "user.name")
    return {"action": action, "decided_at": moment, "by": user, "commit": git("rev-parse", "HEAD"), "summary": summary}


def record_decision(decision: Mapping[str, Any], message: str, *files: Path) -> None:
    """Appends a decision to DECISIONS and commits it with the other files only.

    If the commit fails, all these files are restored from the last commit.
    """
    before = DECISIONS.read_text(encoding="utf-8") if DECISIONS.exists() else ""
    lake.write_text(before + json.dumps(decision, ensure_ascii=False, allow_nan=False) + "\n", DECISIONS)
    paths = [str(path) for path in (DECISIONS, *files)]
    git("add", "--", *paths)
    try:
        git("commit", "--quiet", "--message", message, "--", *paths)
    except ChampionError:
        git("rm", "--quiet", "--force", "--", *paths)
        if committed := git("ls-tree", "--name-only", "HEAD", "--", *paths).splitlines():
            git("checkout", "--quiet", "HEAD", "--", *committed)
        raise


def uncommitted_files() -> list[str]:
    """The files that differ from the last commit, as `git status` prints them."""
    return git("status", "--porcelain").splitlines()


def git(*arguments: str) -> str:
    """The output of a git command; raises ChampionError with its error output."""
    result = subprocess.run(["git", *arguments], capture_output=True, text=True)
    if result.returncode:
        raise ChampionError(f"`git {' '.join(arguments)}` failed:\n{result.stderr.strip() or result.stdout.strip()}")
    return result.stdout.strip()


def _tags() -> list[tuple[dict[str, Any], str]]:
    """The artifact's tags as GTO parses them, each with its commit, in the order of their counters."""
    from gto.tag import parse_name

    # GTO's own listing is in order of time, which is ambiguous for tags of the same second.
    lines = git("for-each-ref", "--format=%(refname:strip=2) %(*objectname)", "refs/tags").splitlines()
    tags = [(parse_name(name, raise_on_fail=False), commit) for name, commit in (line.split(" ") for line in lines)]
    of_artifact = [(tag, commit) for tag, commit in tags if tag.get("name") == ARTIFACT and "action" in tag]
    return sorted(of_artifact, key=lambda pair: pair[0].get("counter", 0))


def _assign(name: str, message: str, commit: str | None = None) -> Version:
    """Tags a version as the one in use; registers it at `commit` first, if given."""
    from gto import api

    if commit:
        api.register(".", ARTIFACT, commit, version=name, message=message)
    api.assign(".", ARTIFACT, STAGE, version=name, message=message, force=True)
    publish_champion()
    return find_version(name)


def _fetch(version: Version, target: Path) -> None:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_data.index import DataIndexDirError

    try:
        with Repo() as repo:
            # A version's own commit may configure another remote, or none.
            remotes = {section: repo.config[section] for section in ("core", "remote")}
        Repo.get(str(Path.cwd()), str(FOLDER), out=str(target), rev=version.commit, config=remotes)
    except (DvcException, DataIndexDirError, OSError) as error:
        raise ChampionError(
            f"{version.name} is neither in DVC's cache nor in its remote ({error}); "
            f"fetch it from another remote with `git checkout {version.commit[:12]} && dvc pull {PINNED}`"
        ) from error


def _copy(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, target, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(path, target)
