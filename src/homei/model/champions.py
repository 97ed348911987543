"""The champions: which model is in use, which were before, and all their bytes.

A champion is a folder (its Bento, what it was measured by) in DVC's cache, so that a remote carries it; a commit pins
its hash in registry/champion.dvc; a Git tag as GTO writes it, valuation@v1.2.0, gives it a version, and the last tag
valuation#production#7 says which version is in use. The tags have the last word: whatever lies in the folder is
compared with what the commit of the version in use pins.
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

from homei import lake
from homei.verify import md5

FOLDER = Path("registry/champion")
PINNED = FOLDER.with_suffix(".dvc")
BENTO, RECORD = "bento", "bento.json"  # in the folder: a Bento, and what models/bento.json said of it
IN_USE = Path("models/champion.json")  # a copy of that of the version in use, once it is: services follow it
DECISIONS = Path("registry/decisions.jsonl")
ARTIFACT = "valuation"  # in dvc.yaml, too
STAGE = "production"
FIRST = "v1.0.0"


class ChampionError(RuntimeError):
    """A version that there is none of, or whose bytes can't be had; the message says what to do."""


@dataclass(frozen=True)
class Version:
    """A model that was promoted: its name such as v1.2.0, the commit that pins it, and whether it is in use."""

    name: str
    commit: str
    in_use: bool


def versions() -> list[Version]:
    """All that were promoted, the earliest first."""
    from gto.constants import Action

    registered, withdrawn, used = {}, set(), []
    for told, commit in _tags():
        if told["action"] is Action.REGISTER:
            registered[told["version"]] = commit
        elif told["action"] is Action.DEREGISTER:
            withdrawn.add(told["version"])
        elif told.get("stage") == STAGE:
            # A version that is assigned anew moves to the end; one that is unassigned gives way to the one before.
            used = [other for other in used if other != commit]
            used += [commit] if told["action"] is Action.ASSIGN else []
    names = sorted(registered.keys() - withdrawn, key=_numbers)
    return [Version(name, registered[name], registered[name] == (used or [None])[-1]) for name in names]


def in_use() -> Version | None:
    """The champion, or None before the first promotion."""
    return next((version for version in versions() if version.in_use), None)


def version_before() -> Version:
    """The version that the one in use replaced when it was promoted; raises ChampionError where there is none."""
    champion = in_use()
    name = champion.name if champion else None
    replaced = [taken["against"] for taken in decisions() if taken["action"] == "promote" and taken["version"] == name]
    if not replaced or replaced[0] is None:
        raise ChampionError("there is no champion before the one in use: `homei champions` lists them")
    return find(replaced[0])


def find(name: str) -> Version:
    """The version of that name; raises ChampionError naming those that there are."""
    known = {version.name: version for version in versions()}
    if name not in known:
        raise ChampionError(f"there is no champion {name}: there are {', '.join(known) or 'none yet'}")
    return known[name]


def restore(version: Version) -> Path:
    """FOLDER with every byte of a version: what lies there, if it is that, or from DVC's cache or remote.

    Raises ChampionError, and leaves what lies there, where its bytes can't be had or are not those that were promoted.
    """
    expected = pinned(version)
    if FOLDER.is_dir() and md5(FOLDER) == expected:
        return FOLDER
    with lake.replacing(FOLDER) as side:
        side.rmdir()
        _bring(version, side)
        if md5(side) != expected:
            raise ChampionError(
                f"{version.name}: its bytes in DVC's cache are not those that were promoted; `homei verify` names the "
                "objects: delete them, and they come from the remote"
            )
    return FOLDER


def announce() -> None:
    """Has services that follow the champion take the one in FOLDER, which is in use."""
    lake.write_text((FOLDER / RECORD).read_text(encoding="utf-8"), IN_USE)


def pinned(version: Version) -> str:
    """The MD5 of a version's folder, as its commit has it."""
    return yaml.safe_load(git("show", f"{version.commit}:./{PINNED.as_posix()}"))["outs"][0]["md5"]


def crown(parts: Mapping[str, Path], decision: Mapping[str, Any]) -> Version:
    """The parts (name in the folder → file or folder) as a new version in use, with the decision that made it so."""
    from dvc.repo import Repo
    from gto.versions import SemVer

    known = versions()
    name = SemVer(known[-1].name).bump(bump_minor=True).version if known else FIRST
    with lake.replacing(FOLDER) as side:
        for part, path in parts.items():
            _copy(path, side / part)
    with Repo() as repo, repo.scm_context(quiet=True):
        repo.add([str(FOLDER)])
    summary = f"{ARTIFACT} {name}: {decision['summary']}"
    record({**decision, "version": name}, f"Promote {summary}", PINNED)
    return _assign(name, summary, git("rev-parse", "HEAD"))


def roll_back(version: Version) -> Path:
    """FOLDER with the bytes of an earlier version, which is in use from now on; the decision is recorded."""
    before = in_use()
    if before and before.name == version.name:
        raise ChampionError(f"{version.name} is in use already")
    folder = restore(version)
    git("checkout", "--quiet", version.commit, "--", str(PINNED))
    summary = f"{ARTIFACT} {version.name}: back from {before.name if before else 'none'}"
    taken = decided("rollback", summary) | {"version": version.name, "against": before.name if before else None}
    record(taken, f"Roll back to {summary}", PINNED)
    _assign(version.name, summary)
    return folder


def decisions() -> list[dict[str, Any]]:
    """Every decision that was recorded, the earliest first."""
    if not DECISIONS.exists():
        return []
    return [json.loads(line) for line in DECISIONS.read_text(encoding="utf-8").splitlines()]


def decided(action: str, summary: str) -> dict[str, Any]:
    """A decision's first fields: what, who, when (UTC), and of which commit."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    who = git("config", "user.name")
    return {"action": action, "decided_at": moment, "by": who, "commit": git("rev-parse", "HEAD"), "summary": summary}


def record(decision: Mapping[str, Any], message: str, *files: Path) -> None:
    """Adds the decision to DECISIONS and commits it, and the other files, but nothing else.

    Where git won't commit, the files are again what they were at the last commit.
    """
    before = DECISIONS.read_text(encoding="utf-8") if DECISIONS.exists() else ""
    lake.write_text(before + json.dumps(decision, ensure_ascii=False, allow_nan=False) + "\n", DECISIONS)
    paths = [str(path) for path in (DECISIONS, *files)]
    git("add", "--", *paths)
    try:
        git("commit", "--quiet", "--message", message, "--", *paths)
    except ChampionError:
        git("rm", "--quiet", "--force", "--", *paths)
        if known := git("ls-tree", "--name-only", "HEAD", "--", *paths).splitlines():
            git("checkout", "--quiet", "HEAD", "--", *known)
        raise


def uncommitted() -> list[str]:
    """The files that differ from the last commit, as `git status` names them."""
    return git("status", "--porcelain").splitlines()


def git(*arguments: str) -> str:
    """What git prints; raises ChampionError with what it complains of."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise ChampionError(f"`git {' '.join(arguments)}` failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def _tags() -> list[tuple[dict[str, Any], str]]:
    """What each of GTO's tags of the artifact says, and the commit it is at, in the order of their counters."""
    from gto.tag import parse_name

    # By counter, not by time as GTO reads them: two tags may be of one second.
    lines = git("for-each-ref", "--format=%(refname:strip=2) %(*objectname)", "refs/tags").splitlines()
    told = [(parse_name(name, raise_on_fail=False), commit) for name, commit in (line.split(" ") for line in lines)]
    ours = [(tag, commit) for tag, commit in told if tag.get("name") == ARTIFACT and "action" in tag]
    return sorted(ours, key=lambda pair: pair[0].get("counter", 0))


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _assign(name: str, message: str, commit: str | None = None) -> Version:
    """Tags a version, registered at `commit` where one is given, as the one in use."""
    from gto import api

    if commit:
        api.register(".", ARTIFACT, commit, version=name, message=message)
    api.assign(".", ARTIFACT, STAGE, version=name, message=message, force=True)
    announce()
    return find(name)


def _bring(version: Version, target: Path) -> None:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_data.index import DataIndexDirError

    try:
        with Repo() as today:
            # A version's own commit may name another remote than today's, or none.
            remotes = {section: today.config[section] for section in ("core", "remote")}
        Repo.get(str(Path.cwd()), str(FOLDER), out=str(target), rev=version.commit, config=remotes)
    except (DvcException, DataIndexDirError, OSError) as error:
        raise ChampionError(
            f"{version.name} is neither in DVC's cache nor in its remote ({error}); "
            f"where a remote has it: `git checkout {version.commit[:12]} && dvc pull {PINNED}`"
        ) from error


def _copy(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, target, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(path, target)
