"""Addresses taken apart: the same street, house and unit however they are spelled."""

from __future__ import annotations

import re
import unicodedata

import pandas as pd

# How kinds of streets are abbreviated.
ABBREVIATIONS = {
    "av": "avenue", "ave": "avenue", "blvd": "boulevard", "cl": "close", "cres": "crescent", "ct": "court",
    "dr": "drive", "gdns": "gardens", "gr": "grove", "hwy": "highway", "ln": "lane", "pl": "place", "rd": "road",
    "sq": "square", "st": "street", "str": "street", "ter": "terrace", "terr": "terrace", "wk": "walk",
}  # fmt: skip
_UNIT = re.compile(r"(?:\b(?:flat|apt|apartment|unit|suite)\b|#)\s*([0-9]+[a-z]?)")
_HOUSE_AND_UNIT = re.compile(r"\b([0-9]+[a-z]?)\s*/\s*([0-9]+[a-z]?)\b")
_NUMBER = re.compile(r"[0-9]+[a-z]?")
_NO_WORD = re.compile(r"[^0-9a-z]+")


def taken_apart(addresses: pd.Series) -> pd.DataFrame:
    """The street, house and unit of each address, in small letters without accents; null where it tells none."""
    known = addresses.dropna().unique()
    parts = {address: _parts(address) for address in known}
    rows = [parts.get(address, (None, None, None)) for address in addresses]
    return pd.DataFrame(rows, columns=["street", "house", "unit"], index=addresses.index, dtype=object)


def _parts(address: str) -> tuple[str | None, str | None, str | None]:
    plain = unicodedata.normalize("NFKD", address).encode("ascii", "ignore").decode().lower().replace(".", " ")
    house = unit = None
    if match := _UNIT.search(plain):
        unit, plain = match[1], plain[: match.start()] + " " + plain[match.end() :]
    if match := _HOUSE_AND_UNIT.search(plain):
        house, unit, plain = match[1], unit or match[2], plain[: match.start()] + " " + plain[match.end() :]
    words = []
    for word in _NO_WORD.sub(" ", plain).split():
        if not _NUMBER.fullmatch(word):
            words.append(word)
        elif house is None:
            house = word
        elif unit is None:
            unit = word
        else:
            words.append(word)
    return _street(words), house, unit


def _street(words: list[str]) -> str | None:
    words = [word for word in words if word not in ("no", "nr", "number")]
    if not words:
        return None
    # "St" is a street at the end and a saint before it.
    return " ".join([*words[:-1], ABBREVIATIONS.get(words[-1], words[-1])])
