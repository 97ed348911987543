"""`homei fetch`: a source's files in its folder, downloaded from data.gov.sg or copied from another folder."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from homei.source import Fetch, LookupFile, PlacesFile, Source
from homei.sources.checksums import SUMS, is_intact, read_sums, sha256, write_sums
from homei.sources.download import FetchError, Web, plain

POLLS = 60
POLL_PAUSE = 5.0  # seconds; without a key, the API allows few requests a minute
TIMEOUT = 30.0


def fetch(source: Source, from_dir: Path | None = None, sleep: Callable[[float], None] = time.sleep) -> list[Path]:
    """A source's files, in place and noted in SHA256SUMS; those that are there and intact are left alone.

    Without `from_dir` each dataset of `source.fetch` is downloaded; with it, every file that the source names is
    copied. Raises FetchError naming what is missing or what the server answered.
    """
    if from_dir is not None:
        return _copy(source, from_dir)
    if source.fetch is None:
        raise FetchError(f"source {source.name} has no addresses to download from: use --from DIR")
    folder, sums, paths = Path(source.folder), read_sums(Path(source.folder)), []
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers={"User-Agent": "homei"}) as client:
        web = Web(client, sleep)
        for name, dataset in source.fetch.datasets.items():
            target = _inside(folder, name)
            if not is_intact(folder, name, sums):
                web.download(_address(web, source.fetch, dataset), target, dataset)
                sums = _noted(folder, sums, name)
            paths.append(target)
    _tell_what_else(source)
    return paths


def _address(web: Web, declared: Fetch, dataset: str) -> str:
    """Where a dataset can be downloaded, once data.gov.sg has exported it.

    https://guide.data.gov.sg/developer-guide/dataset-apis/download-dataset: `initiate-download` starts the export, and
    `poll-download` answers {"code": 0, "data": {"status": "DOWNLOAD_SUCCESS", "url": ...}} when it is done.
    """
    base = f"{declared.url.rstrip('/')}/{dataset}"
    _data(web.json(f"{base}/initiate-download", dataset), base, dataset)
    for _ in range(POLLS):
        data = _data(web.json(f"{base}/poll-download", dataset), base, dataset)
        status = str(data.get("status", ""))
        if status == "DOWNLOAD_SUCCESS" and data.get("url"):
            return str(data["url"])
        if "FAIL" in status or "ERROR" in status:
            raise FetchError(f"{dataset}: {base}/poll-download says {status}")
        web.sleep(POLL_PAUSE)
    raise FetchError(f"{dataset}: not exported after {POLLS} polls of {base}/poll-download; try again later")


def _data(answer: dict, base: str, dataset: str) -> dict:
    # The documentation says errorMsg, its examples errMsg.
    message = answer.get("errorMsg") or answer.get("errMsg")
    if answer.get("code", 0) != 0 or not isinstance(answer.get("data"), dict):
        raise FetchError(f"{dataset}: {plain(base)} refuses: {message or answer}")
    return answer["data"]


def _copy(source: Source, from_dir: Path) -> list[Path]:
    folder, names = Path(source.folder), _names_in(source, from_dir)
    sums, paths = read_sums(folder), []
    for name in names:
        origin, target = from_dir / name, _inside(folder, name)
        if not is_intact(folder, name, sums) or sums[name] != sha256(origin):
            _copy_whole(origin, target)
            sums = _noted(folder, sums, name)
        paths.append(target)
    return paths


def _names_in(source: Source, folder: Path) -> list[str]:
    """The files of a folder that the source names; raises FetchError listing those that it must have and has not."""
    names, missing = set(), []
    for pattern in source.sales.files:
        hits = {path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file()}
        names |= hits
        missing += [] if hits else [pattern]
    for declared in _side_files(source):
        if (folder / declared.file).is_file():
            names.add(declared.file)
        elif declared.required:
            missing.append(declared.file)
    if missing:
        raise FetchError(f"{folder}: lacks {', '.join(missing)}, which source {source.name} needs")
    return sorted(names)


def _side_files(source: Source) -> list[LookupFile | PlacesFile]:
    lookup = source.sales.lookup
    return [*([lookup] if lookup else []), *source.places]


def _tell_what_else(source: Source) -> None:
    absent = [item.file for item in _side_files(source) if not (Path(source.folder) / item.file).exists()]
    if absent:
        remedy = f"`homei fetch {source.name} --from DIR` copies such files"
        print(f"homei: not part of the download: {', '.join(absent)}; {remedy}", file=sys.stderr)  # noqa: T201


def _copy_whole(origin: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    side = target.with_name(f"{target.name}.part")
    shutil.copyfile(origin, side)
    side.replace(target)


def _noted(folder: Path, sums: dict[str, str], name: str) -> dict[str, str]:
    """SHA256SUMS with this file added, at once: what is finished stays finished if the next one fails."""
    sums = {**sums, name: sha256(folder / name)}
    write_sums(folder, sums)
    return sums


def _inside(folder: Path, name: str) -> Path:
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()) or name == SUMS:
        raise FetchError(f"{name!r} is no name for a file in {folder}")
    return target
