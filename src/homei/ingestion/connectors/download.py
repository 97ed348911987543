"""Downloads of single files over HTTP: resumed after an interruption, in place only when complete."""

from __future__ import annotations

from pathlib import Path

import httpx
from tqdm import tqdm

from homei.ingestion.connectors.http_client import HttpClient, TemporaryError


def download(client: HttpClient, url: str, target: Path) -> None:
    """Downloads `url` to `target`; raises FetchError.

    An incomplete download stays beside the target as .part. It is resumed by the next attempt, and also by a later
    call if the server can confirm by ETag or date that the file is still the same.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    if not _validator_path(part).exists():
        part.unlink(missing_ok=True)
    client.retry(lambda: _resume(client, url, part), url, lambda: _size(part))
    part.replace(target)
    _validator_path(part).unlink(missing_ok=True)


def _resume(client: HttpClient, url: str, part: Path) -> None:
    """Completes `part` from its present end, or from the start if the server does not support that."""
    headers = {"Accept-Encoding": "identity"}
    validator, n_bytes = _validator_path(part), _size(part)
    if n_bytes:
        headers["Range"] = f"bytes={n_bytes}-"
        if validator.exists():
            headers["If-Range"] = validator.read_text(encoding="ascii")
    with client.stream(url, headers, accept=(416,)) as response:
        range_start = response.headers.get("Content-Range", "").startswith(f"bytes {n_bytes}-")
        if response.status_code == 416 or (response.status_code == 206 and not range_start):
            part.unlink()
            raise TemporaryError("the server can't continue the download", 0.0)
        if response.status_code != 206:
            n_bytes = 0
            _write_validator(validator, response)
        length = response.headers.get("Content-Length", "")
        total = n_bytes + int(length) if length.isdigit() else None
        progress = tqdm(desc=client.label, total=total, initial=n_bytes, unit="B", unit_scale=True, disable=None)
        with part.open("ab" if n_bytes else "wb") as file, progress:
            # Without a chunk size, bytes are written as they arrive and are not lost with the connection.
            for chunk in response.iter_bytes():
                file.write(chunk)
                progress.update(len(chunk))


def _validator_path(part: Path) -> Path:
    """The file that holds the ETag or date of the version that `part` belongs to."""
    return part.with_name(f"{part.name}.etag")


def _write_validator(path: Path, response: httpx.Response) -> None:
    etag = response.headers.get("ETag", "")
    # HTTP forbids a weak ETag in If-Range.
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
    if validator and validator.isascii():
        path.write_text(validator, encoding="ascii")
    else:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
