"""Words of registers in several languages, from words.yaml.

Accents and case do not matter: `normalised` removes them from both sides.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from pathlib import Path
from typing import Any

import yaml

_WORDS: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))

NAMES: dict[str, str] = _WORDS["names"]
OTHER_MEANING: dict[str, str] = _WORDS["other_meaning"]
PARTS: dict[str, str] = _WORDS["parts"]
PERSONS, DERIVED_FROM_PRICE = _WORDS["persons"], _WORDS["derived_from_price"]
SQUARE_FEET, SQUARE_METRES = _WORDS["square_feet"], _WORDS["square_metres"]
METRIC_LANGUAGE = _WORDS["metric_language"]
MISSING, TOTALS = _WORDS["missing"], _WORDS["totals"]
NOT_A_SALE, NOT_A_DWELLING, NATURE = _WORDS["not_a_sale"], _WORDS["not_a_dwelling"], _WORDS["nature"]
CHANGED: str = _WORDS["changed"]
RECORD_STATUS, DELETED = _WORDS["record_status"], _WORDS["deleted"]

# Signs for an unknown value that have no letters.
MISSING_SIGNS = ("-", "--", "?", ".", "*")

_SPLIT = re.compile(r"[^\w€£$¥₹]+|_")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "ø": "o", "æ": "ae", "đ": "d", "ı": "i", "²": "2"})


def normalised(text: str) -> str:
    """The words of a text without accents, case and punctuation, separated by one space."""
    text = _CAMEL.sub(" ", unicodedata.normalize("NFC", text)).casefold().translate(_LETTERS)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return " ".join(_SPLIT.sub(" ", plain).split())


def last_part(name: str) -> str:
    """Of the path of a nested field, its own name: `price.amount` is amount; any other name as it is."""
    match = re.fullmatch(r"(?:[\w-]+\.)+([A-Za-z_][\w-]*(?:\.\d+)?)", name)
    return match[1] if match else name


@functools.cache
def phrases(phrase_list: str) -> tuple[str, ...]:
    """The phrases of a comma-separated list, normalised, in order."""
    return tuple(dict.fromkeys(filter(None, (normalised(phrase) for phrase in phrase_list.split(",")))))


def contains(text: str, phrase_list: str) -> str | None:
    """The first phrase of `phrase_list` whose words follow each other in `text`; None without one.

    Scripts without spaces, such as Japanese, have a phrase anywhere.
    """
    plain = normalised(text)
    padded = f" {plain} "
    return next(
        (each for each in phrases(phrase_list) if f" {each} " in padded or (not each.isascii() and each in plain)), None
    )
