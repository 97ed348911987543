"""Notation of a column of numbers: separators, bands, units, signs and codes of unknown values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from homei.config.columns import Column
from homei.onboarding.profiles import ColumnProfile, best_readings
from homei.onboarding.words import MISSING, MISSING_SIGNS, SQUARE_FEET, contains, normalised, phrases
from homei.validation.numbers import CURRENCY_SIGNS, number

# Pairs of decimal and thousands separators, the simplest first: of pairs that read the same, the first is declared.
NOTATIONS = (
    (".", ""), (",", ""), (".", ","), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"),
)  # fmt: skip
BANDS = (" TO ", " to ", " - ", "-", "–", " bis ", " à ", " a ", " do ", "~")
ENOUGH = 0.8  # the share of cells that must parse
COMMON = ("USD", "JPY", "SEK", "INR")  # the likeliest of the currencies that share a sign
_SIGN = re.compile(r"[^\W\d_]*\$|[€£¥₹₩₺₪₽₱₫฿₴₦₨]|[^\W\d_]+")


@dataclass(frozen=True)
class NumberNotation:
    """Options of a column under which most of its cells are numbers, and the numbers with their counts.

    `rival` holds the options of a notation that reads as many cells, but as other numbers.
    """

    options: dict[str, Any]
    share: float
    values: np.ndarray
    counts: np.ndarray
    missing: list[str] = field(default_factory=list)
    rival: dict[str, Any] | None = None
    rival_values: np.ndarray | None = None
    currencies: tuple[str, ...] = ()  # those whose sign the cells have

    def quantile(self, share: float) -> float:
        return weighted_quantile(self.values, self.counts, share)

    @property
    def median(self) -> float:
        return self.quantile(0.5)

    @property
    def is_whole(self) -> bool:
        return bool(np.all(self.values == np.floor(self.values)))

    @property
    def n_distinct(self) -> int:
        return len(np.unique(self.values))


def number_notation(column: ColumnProfile) -> NumberNotation | None:
    """The notation under which most cells of a column parse; None if fewer than ENOUGH do.

    Repeated texts that are no number, such as "n/a", are codes of unknown values: they count as unfilled.
    """
    missing = missing_codes(column)
    tested = column.without(missing).tested
    if not tested.n_filled or tested.share(lambda value: any(letter.isdigit() for letter in value)) < ENOUGH:
        return None
    currencies = currencies_of(" ".join(tested.values[:50]))
    currency = currencies[0] if currencies else None
    readings = [(options, _read(tested, options, currency)) for options in _candidates(tested)]
    best, equal = best_readings(tested, readings, np.isnan)
    if best < ENOUGH:
        return None
    options, values = equal[0]
    others = (reading for reading in equal[1:] if not np.array_equal(reading[1], values, equal_nan=True))
    rival, rival_values = next(others, (None, None))
    is_read = ~np.isnan(values)
    return NumberNotation(
        options,
        best,
        values[is_read],
        tested.counts[is_read],
        missing,
        rival,
        None if rival_values is None else rival_values[is_read],
        currencies,
    )


def currencies_of(text: str) -> tuple[str, ...]:
    """The codes of the currencies for which the first sign or code in a text stands; empty without one."""
    for sign in _SIGN.findall(text.casefold()):
        codes = [code for code, signs in CURRENCY_SIGNS.items() if sign in (code.casefold(), *signs.split())]
        if codes:
            return tuple(sorted(codes, key=lambda code: COMMON.index(code) if code in COMMON else len(COMMON)))
    return ()


def missing_codes(column: ColumnProfile) -> list[str]:
    """Values of a column that stand for an unknown value by their text, as they are written."""
    missing_phrases = {*phrases(MISSING)}
    codes = []
    for value in column.values:
        has_digit = any(letter.isdigit() for letter in value)
        if (
            len(value) <= 20
            and not has_digit
            and (value in MISSING_SIGNS or normalised(value) in missing_phrases or value == "?")
        ):
            codes.append(value)
    return codes


def weighted_quantile(values: np.ndarray, counts: np.ndarray, share: float) -> float:
    """The smallest value at or below which `share` of the cells lie."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(counts[order])
    return float(values[order][np.searchsorted(cumulated, share * cumulated[-1])]) if len(values) else float("nan")


def _candidates(column: ColumnProfile) -> list[dict[str, Any]]:
    plain = [
        ({} if decimal == "." else {"decimal": decimal}) | ({"thousands": thousands} if thousands else {})
        for decimal, thousands in NOTATIONS
    ]
    units = [{**options, "unit": "square_feet"} for options in plain] if _has_square_feet(column) else []
    bands = [band for band in BANDS if column.share(lambda value, band=band: band in value[1:]) > 0.5]
    return [*plain, *units, *({"band": band} for band in bands[:1])]


def _has_square_feet(column: ColumnProfile) -> bool:
    return any(contains(re.sub(r"(?<=[0-9])(?=[a-zA-Z])", " ", value), SQUARE_FEET) for value in column.values[:20])


def _read(column: ColumnProfile, options: dict[str, Any], currency: str | None) -> np.ndarray:
    declared = Column(column="x", **options)
    return np.array([number(value, declared, currency) for value in column.values], dtype=float)
