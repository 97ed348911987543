"""Files of a source: downloaded from data.gov.sg or copied from a folder, with checksums.

A file whose checksum still matches is not brought again, and each file is recorded as soon as it is complete.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from homei.config.city import Group
from homei.config.feeds import Source
from homei.config.file_formats import LookupFile, PlacesFile
from homei.ingestion.connectors.download import download
from homei.ingestion.connectors.files import Files
from homei.ingestion.connectors.http_client import (
    TIMEOUT_SECONDS,
    USER_AGENT,
    FetchError,
    HttpClient,
    json_body,
    without_query,
)
from homei.ingestion.feeds import FetchConfig
from homei.storage import lake

CHECKSUMS = "SHA256SUMS"  # in the format of `sha256sum --check`
POLLS = 60
POLL_PAUSE_SECONDS = 5.0  # without a key, the API allows few requests a minute


def download_datasets(source: Source, declared: FetchConfig, sleep: Callable[[float], None]) -> list[Path]:
    """The paths of the declared datasets, each downloaded unless it is intact; raises FetchError."""
    folder, paths = Path(source.city.folder), []
    with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True, headers={"User-Agent": USER_AGENT}) as client:
        for name, dataset in declared.datasets.items():
            path = _path_in(folder, name)
            if not is_intact(folder, name):
                dataset_client = HttpClient(client, dataset, sleep=sleep)
                url = _download_url(dataset_client, f"{declared.url.rstrip('/')}/{dataset}")
                download(dataset_client, url, path)
                _record_checksum(folder, name)
            paths.append(path)
    missing = [item.file for item in _other_files(source) if not (folder / item.file).exists()]
    if missing:
        hint = f"copy them with `homei fetch {source.city.name} --from DIR`"
        print(f"homei: not part of the download: {', '.join(missing)}; {hint}", file=sys.stderr)  # noqa: T201
    return paths


def copy_files(source: Source, from_folder: Path) -> list[Path]:
    """The paths of the files that the source names, each copied unless it is intact; raises FetchError."""
    folder, paths = Path(source.city.folder), []
    for name in _names_in(source, from_folder):
        original, path = from_folder / name, _path_in(folder, name)
        if not is_intact(folder, name) or read_checksums(folder)[name] != sha256(original):
            lake.replace_file(path, lambda new, original=original: shutil.copyfile(original, new))
            _record_checksum(folder, name)
        paths.append(path)
    return paths


def read_checksums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file name, as recorded in the folder."""
    path = folder / CHECKSUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines) if name}


def is_intact(folder: Path, name: str) -> bool:
    """Whether a file exists and has its recorded checksum."""
    checksum = read_checksums(folder).get(name)
    return checksum is not None and (folder / name).is_file() and sha256(folder / name) == checksum


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record_checksum(folder: Path, name: str) -> None:
    checksums = read_checksums(folder) | {name: sha256(folder / name)}
    lake.write_text("".join(f"{checksums[name]}  {name}\n" for name in sorted(checksums)), folder / CHECKSUMS)


def _download_url(client: HttpClient, dataset_url: str) -> str:
    """The address of a dataset's file, once data.gov.sg has exported it.

    https://guide.data.gov.sg/developer-guide/dataset-apis/download-dataset: `initiate-download` starts the export;
    `poll-download` answers {"code": 0, "data": {"status": "DOWNLOAD_SUCCESS", "url": ...}} when it is complete.
    """
    body = partial(json_body, label=client.label)
    _data_in(client.get(f"{dataset_url}/initiate-download", convert=body), client.label, dataset_url)
    for _ in range(POLLS):
        data = _data_in(client.get(f"{dataset_url}/poll-download", convert=body), client.label, dataset_url)
        status = str(data.get("status", ""))
        if status == "DOWNLOAD_SUCCESS" and data.get("url"):
            return str(data["url"])
        if "FAIL" in status or "ERROR" in status:
            raise FetchError(f"{client.label}: {dataset_url}/poll-download answered the status {status}")
        client.sleep(POLL_PAUSE_SECONDS)
    raise FetchError(f"{client.label}: not exported after {POLLS} polls of {dataset_url}/poll-download; retry later")


def _data_in(answer: Any, label: str, url: str) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise FetchError(f"{label}: {without_query(url)} did not answer with a JSON object")
    # The documentation writes errorMsg, its examples errMsg.
    message = answer.get("errorMsg") or answer.get("errMsg")
    if answer.get("code", 0) != 0 or not isinstance(answer.get("data"), dict):
        raise FetchError(f"{label}: {without_query(url)} refused the request: {message or answer}")
    return answer["data"]


def _names_in(source: Source, folder: Path) -> list[str]:
    """The files in a folder that the source names; raises FetchError listing missing ones."""
    names, missing = set(), []
    for pattern in [pattern for feed in _file_feeds(source) for pattern in feed.files]:
        matches = {path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file()}
        names |= matches
        missing += [] if matches else [pattern]
    for declared in _other_files(source):
        if (folder / declared.file).is_file():
            names.add(declared.file)
        elif declared.required:
            missing.append(declared.file)
    if missing:
        raise FetchError(f"{folder}: lacks {', '.join(missing)}, which city {source.city.name} needs")
    return sorted(names)


def _file_feeds(source: Source) -> list[Files]:
    return [feed for _, feeds in source.feeds.by_table() for feed in feeds if isinstance(feed, Files)]


def _other_files(source: Source) -> list[LookupFile | PlacesFile | Group]:
    lookups = [feed.lookup for feed in _file_feeds(source) if feed.lookup]
    return [*lookups, *source.feeds.places, *(group for group in source.city.groups if group.file)]


def _path_in(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or name == CHECKSUMS:
        raise FetchError(f"{name!r} is not a valid name for a file in {folder}")
    return path
