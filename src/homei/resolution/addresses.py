"""Addresses parsed into street, house and unit, normalised so that different spellings are equal."""

from __future__ import annotations

import re
import unicodedata

import pandas as pd

# Of kinds of streets.
ABBREVIATIONS = {
    "av": "avenue", "ave": "avenue", "blvd": "boulevard", "cl": "close", "cres": "crescent", "ct": "court",
    "dr": "drive", "gdns": "gardens", "gr": "grove", "hwy": "highway", "ln": "lane", "pl": "place", "rd": "road",
    "sq": "square", "st": "street", "str": "street", "ter": "terrace", "terr": "terrace", "wk": "walk",
}  # fmt: skip
KINDS = set(ABBREVIATIONS.values())
LEADING_KINDS = {"av", "ave", "blvd", "pl"}  # as in "Av. Foch"; a leading "Dr" or "St" is a title
DIRECTIONS = {
    "n": "north", "e": "east", "s": "south", "w": "west",
    "ne": "northeast", "nw": "northwest", "se": "southeast", "sw": "southwest",
}  # fmt: skip
ORDINALS = {
    "first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th", "sixth": "6th",
    "seventh": "7th", "eighth": "8th", "ninth": "9th", "tenth": "10th", "eleventh": "11th", "twelfth": "12th",
}  # fmt: skip
SAME_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "'": "", "’": "", ".": " "})
NUMBER_WORDS = {"no", "nr", "number"}

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
_SEPARATORS = re.compile(r"[\W_]+")


def parse_addresses(addresses: pd.Series) -> pd.DataFrame:
    """The street, house and unit of each address, in lower case without accents; null where there is none.

    A range of houses, 12-14, counts as its first. A pair is house and unit after the street, "Linden St 12/4", but unit
    and house before it, "4/12 Linden St", as in the countries that write so. Towns and postcodes are dropped.
    """
    parts = {address: _parts(address) for address in addresses.dropna().unique()}
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
    street = []
    for word in _street_words(plain):
        if not _NUMBER.fullmatch(word):
            street.append(word)
        elif house is None:
            house = word
        elif unit is None:
            unit = word
        else:
            street.append(word)
    return _street(street), _number(house), _number(unit)


def _plain(address: str) -> str:
    """Lower-case letters of any script, without accents; "straße" becomes "strasse"."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", address).casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).translate(SAME_LETTERS)


def _without(match: re.Match[str], text: str) -> str:
    return f"{text[: match.start()]} , {text[match.end() :]}"


def _first_of_range(match: re.Match[str]) -> str:
    """ "12-14" is a range, "12-4" a house and its unit."""
    return match[1] if int(match[2]) > int(match[1]) else f"{match[1]} {match[2]}"


def _street_words(plain: str) -> list[str]:
    """The words of the street's part and of parts with short numbers; longer ones are postcodes."""
    parts = [part for text in _PART.split(plain) if (part := _SEPARATORS.sub(" ", text).split())]
    named = [part for part in parts if not all(_NUMBER.fullmatch(word) or word in NUMBER_WORDS for word in part)]
    street = max(named, key=_street_score, default=None)
    relevant = [part for part in parts if part is street or part not in named]
    return [word for part in relevant for word in part if part is street or len(word) < 5]


def _street_score(part: list[str]) -> int:
    """3 for "Hauptstr 5", 2 for "Linden Street", 1 for "12 Linden" and 0 for "10115 Berlin"."""
    has_kind = any(word in KINDS or word in ABBREVIATIONS or word.endswith(("str", "strasse")) for word in part)
    has_number = any(_NUMBER.fullmatch(word) and len(word) < 5 for word in part)
    return 2 * has_kind + has_number


def _street(tokens: list[str]) -> str | None:
    tokens = [ORDINALS.get(word, word) for word in tokens if word not in NUMBER_WORDS]
    if not tokens:
        return None
    if len(tokens) > 2:
        tokens = [DIRECTIONS.get(tokens[0], tokens[0]), *tokens[1:-1], DIRECTIONS.get(tokens[-1], tokens[-1])]
    if tokens[0] in LEADING_KINDS:
        tokens[0] = ABBREVIATIONS[tokens[0]]
    # "St" is a street at the end, except for a direction or number after it, and a saint before.
    has_suffix = tokens[-1].isdecimal() or tokens[-1] in DIRECTIONS.values()
    last = len(tokens) - (2 if len(tokens) > 2 and has_suffix else 1)
    tokens = ["st" if word == "saint" and position < last else word for position, word in enumerate(tokens)]
    tokens[last] = ABBREVIATIONS.get(tokens[last], tokens[last])
    return " ".join(f"{word}asse" if len(word) > 3 and word.endswith("str") else word for word in tokens)


def _number(text: str | None) -> str | None:
    """A number without leading zeros, and "4-B" as "4b"."""
    if text is None:
        return None
    numbers = [part.lstrip("0") or "0" for part in text.split("-")]
    return ("-" if all(part.isdecimal() for part in numbers) else "").join(numbers)
