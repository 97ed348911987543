"""Stage `fetch`: a source's living feeds in their landings, and its files downloaded from data.gov.sg or copied."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from homei.groups import Group
from homei.source import TABLES, Fetch, LookupFile, PlacesFile, Source
from homei.sources.checksums import SUMS, is_intact, read_sums, sha256, write_sums
from homei.sources.download import download
from homei.sources.files import Files
from homei.sources.landing import folder_of, land
from homei.sources.rows import SourceError
from homei.sources.web import TIMEOUT, USER_AGENT, FetchError, Web, plain

POLLS = 60
POLL_PAUSE = 5.0  # seconds; without a key, the API allows few requests a minute


def run(
    source: Source,
    from_dir: Path | None = None,
    again: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Path]:
    """What a source lives from, in its folder: the landings of its feeds, and its files as SHA256SUMS notes them.

    With `from_dir` nothing is asked elsewhere: every file that the source names is copied. Without it, each feed is
    read from where it was left (or from the start, `again`), and each dataset of `source.fetch` is downloaded that is
    not there and intact. Raises FetchError naming all that failed, after all else was brought.
    """
    if from_dir is not None:
        return _copy(source, from_dir)
    landings, failed = _land_all(source, again)
    if source.fetch is None and not landings and not failed:
        raise FetchError(f"source {source.name} has no addresses to read from: use --from DIR")
    files = [] if source.fetch is None else _download(source, source.fetch, sleep)
    if failed:
        raise FetchError("\n".join(failed))
    return [*landings, *files]


def _land_all(source: Source, again: bool) -> tuple[list[Path], list[str]]:
    """The folders of the feeds that were landed, and what the others failed of."""
    landings, failed = [], []
    for table, feed in source.living():
        try:
            counts = land(source, table, feed, again)
        except (SourceError, FetchError) as error:
            failed.append(f"{table}: {error}")
            continue
        told = f"{counts.records:,} records, {counts.new:,} new, {counts.changed:,} changed"
        print(f"homei: {table} from {feed.name}: {told}", file=sys.stderr)  # noqa: T201
        landings.append(folder_of(source, table, feed))
    return landings, failed


def _download(source: Source, declared: Fetch, sleep: Callable[[float], None]) -> list[Path]:
    folder, sums, paths = Path(source.folder), read_sums(Path(source.folder)), []
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers={"User-Agent": USER_AGENT}) as client:
        web = Web(client, sleep)
        for name, dataset in declared.datasets.items():
            target = _inside(folder, name)
            if not is_intact(folder, name, sums):
                download(web, _address(web, declared, dataset), target, dataset)
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
    if not isinstance(answer, dict):
        raise FetchError(f"{dataset}: {plain(base)} answered something else than a JSON object")
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
    for pattern in [pattern for feed in _file_feeds(source) for pattern in feed.files]:
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


def _side_files(source: Source) -> list[LookupFile | PlacesFile | Group]:
    lookups = [feed.lookup for feed in _file_feeds(source) if feed.lookup]
    return [*lookups, *source.places, *(group for group in source.groups if group.file)]


def _file_feeds(source: Source) -> list[Files]:
    return [feed for table in TABLES for feed in getattr(source, table) if isinstance(feed, Files)]


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
