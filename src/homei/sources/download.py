"""One file over HTTP: resumed where it broke off, swapped in whole."""

from __future__ import annotations

from pathlib import Path

import httpx
from tqdm import tqdm

from homei.sources.web import PassingError, Web


def download(web: Web, url: str, target: Path, what: str) -> None:
    """The bytes of `url` in `target`; raises FetchError naming `what` was asked for.

    An unfinished download stays beside it as .part and is taken up again: at once, and by a later call if the server
    can tell (by ETag or date) that the file is still the same.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    if not _validator_of(part).exists():
        part.unlink(missing_ok=True)
    web.patiently(lambda: _continue(web, url, part, what), url, what, lambda: _size(part))
    part.replace(target)
    _validator_of(part).unlink(missing_ok=True)


def _continue(web: Web, url: str, part: Path, what: str) -> None:
    """Fills `part` up to its end, from where it is if the server agrees, else from the start."""
    headers = {"Accept-Encoding": "identity"}
    validator, there = _validator_of(part), _size(part)
    if there:
        headers["Range"] = f"bytes={there}-"
    if there and validator.exists():
        headers["If-Range"] = validator.read_text(encoding="ascii")
    with web.answer(url, what, headers, also=(416,)) as response:
        if response.status_code == 416:
            part.unlink()
            raise PassingError("it has fewer bytes than were there already", 0.0)
        continues = response.headers.get("Content-Range", "").startswith(f"bytes {there}-")
        if response.status_code == 206 and not continues:
            part.unlink()
            raise PassingError("it sent another range than the one asked for", 0.0)
        if response.status_code != 206:
            there = 0
            _note_validator(validator, response)
        length = response.headers.get("Content-Length")
        with part.open("ab" if there else "wb") as file, _bar(what, there, length) as bar:
            # In the pieces that come: a given size would hold bytes back, and lose them with the connection.
            for chunk in response.iter_bytes():
                file.write(chunk)
                bar.update(len(chunk))


def _bar(what: str, there: int, length: str | None) -> tqdm:
    total = there + int(length) if length and length.isdigit() else None
    return tqdm(desc=what, total=total, initial=there, unit="B", unit_scale=True, unit_divisor=1024, disable=None)


def _validator_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _note_validator(path: Path, response: httpx.Response) -> None:
    """Remembers what tells this version of the file from another; a weak ETag may not be used for ranges."""
    etag = response.headers.get("ETag", "")
    found = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
    if found and found.isascii():
        path.write_text(found, encoding="ascii")
    else:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
