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
KINDS = set(ABBREVIATIONS.values())
LEADING_KINDS = {"av", "ave", "blvd", "pl"}  # "Av. Foch"; a "Dr" or "St" that leads is somebody's title
DIRECTIONS = {
    "n": "north", "e": "east", "s": "south", "w": "west",
    "ne": "northeast", "nw": "northwest", "se": "southeast", "sw": "southwest",
}  # fmt: skip
ORDINALS = {
    "first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th", "sixth": "6th",
    "seventh": "7th", "eighth": "8th", "ninth": "9th", "tenth": "10th", "eleventh": "11th", "twelfth": "12th",
}  # fmt: skip
SAME_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "'": "", "’": "", ".": " "})
NO_NAMES = {"no", "nr", "number"}

_UNIT = re.compile(
    r"(?:\b(?:flat|apt|apartment|appt|app|apto|unit|suite|wohnung|whg|кв)\b|#)\s*(?:(?:no|nr|number)\b)?\s*#?\s*"
    r"([0-9]+-[0-9]+|[0-9]+(?:-?[a-z])?|[a-z](?:-?[0-9]+)?)\b"
)
_FLOOR = re.compile(r"\b(?:[0-9]+(?:st|nd|rd|th)|ground|" + "|".join(ORDINALS) + r")\s+floor\b")
_LEADING_PAIR = re.compile(r"^\s*([0-9]+[a-z]?)\s*/\s*([0-9]+[a-z]?)\b")
_PAIR = re.compile(r"\b([0-9]+[a-z]?)\s*/\s*([0-9]+[a-z]?)\b")
_RANGE = re.compile(r"\b([0-9]+)[a-z]?\s*[-\u2013]\s*([0-9]+)[a-z]?\b")
_PART = re.compile(r"[,;\n]|\s[-\u2013]\s")
_NUMBER = re.compile(r"[0-9]+[a-z]?")
_NO_WORD = re.compile(r"[\W_]+")


def taken_apart(addresses: pd.Series) -> pd.DataFrame:
    """The street, house and unit of each address, in small letters without accents; null where it tells none.

    Of a range of houses, 12-14, it is the first. A pair is house and unit after the street, "Linden St 12/4", and unit
    and house before it, "4/12 Linden St", as is usual where each is written. Towns and postcodes behind a comma go.
    """
    known = addresses.dropna().unique()
    parts = {address: _parts(address) for address in known}
    rows = [parts.get(address, (None, None, None)) for address in addresses]
    return pd.DataFrame(rows, columns=["street", "house", "unit"], index=addresses.index, dtype=object)


def _parts(address: str) -> tuple[str | None, str | None, str | None]:
    plain, house, unit = _plain(address), None, None
    if match := _UNIT.search(plain):
        unit, plain = match[1], _without(match, plain)
    plain = _RANGE.sub(_first_of_range, _FLOOR.sub(" ", plain))
    if match := _LEADING_PAIR.search(plain):
        house, unit, plain = match[2], unit or match[1], _without(match, plain)
    elif match := _PAIR.search(plain):
        house, unit, plain = match[1], unit or match[2], _without(match, plain)
    words = []
    for word in _words_of_the_street(plain):
        if not _NUMBER.fullmatch(word):
            words.append(word)
        elif house is None:
            house = word
        elif unit is None:
            unit = word
        else:
            words.append(word)
    return _street(words), _number(house), _number(unit)


def _plain(address: str) -> str:
    """Small letters of any script, without accents; "straße" becomes "strasse"."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", address).casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).translate(SAME_LETTERS)


def _without(match: re.Match[str], text: str) -> str:
    return f"{text[: match.start()]} , {text[match.end() :]}"


def _first_of_range(match: re.Match[str]) -> str:
    """ "12-14" is a range, "12-4" a house and its unit."""
    return match[1] if int(match[2]) > int(match[1]) else f"{match[1]} {match[2]}"


def _words_of_the_street(plain: str) -> list[str]:
    """The words of the part that names the street, and short numbers that stand alone between commas, in their order.

    Longer ones are postcodes.
    """
    parts = [words for part in _PART.split(plain) if (words := _NO_WORD.sub(" ", part).split())]
    named = [words for words in parts if not all(_NUMBER.fullmatch(word) or word in NO_NAMES for word in words)]
    street = max(named, key=_likely_a_street, default=None)
    alone = [words for words in parts if words is street or words not in named]
    return [word for words in alone for word in words if words is street or len(word) < 5]


def _likely_a_street(words: list[str]) -> int:
    """ "Hauptstr 5" more than "Linden Street", that more than "12 Linden", and "10115 Berlin" not at all."""
    kind = any(word in KINDS or word in ABBREVIATIONS or word.endswith(("str", "strasse")) for word in words)
    numbered = any(_NUMBER.fullmatch(word) and len(word) < 5 for word in words)
    return 2 * kind + numbered


def _street(words: list[str]) -> str | None:
    words = [ORDINALS.get(word, word) for word in words if word not in NO_NAMES]
    if not words:
        return None
    if len(words) > 2:
        words = [DIRECTIONS.get(words[0], words[0]), *words[1:-1], DIRECTIONS.get(words[-1], words[-1])]
    if words[0] in LEADING_KINDS:
        words[0] = ABBREVIATIONS[words[0]]
    # "St" is a street at the end (but for a direction or number) and a saint before it.
    behind = words[-1].isdecimal() or words[-1] in DIRECTIONS.values()
    last = len(words) - (2 if len(words) > 2 and behind else 1)
    words = ["st" if word == "saint" and place < last else word for place, word in enumerate(words)]
    words[last] = ABBREVIATIONS.get(words[last], words[last])
    return " ".join(f"{word}asse" if len(word) > 3 and word.endswith("str") else word for word in words)


def _number(text: str | None) -> str | None:
    """Without leading zeros, and "4-B" as "4b"."""
    if text is None:
        return None
    numbers = [part.lstrip("0") or "0" for part in text.split("-")]
    return ("-" if all(part.isdecimal() for part in numbers) else "").join(numbers)
