"""Cells of text as numbers: separators, currency signs, units of area, multipliers and bands."""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal
from functools import cache

from homei.config.columns import Column

SQUARE_METERS = {
    "square_meters": 1.0, "square_feet": 0.09290304, "square_yards": 0.83612736, "acres": 4046.8564224,
    "hectares": 10_000.0, "tsubo": 400 / 121,
}  # fmt: skip
# Signs in lower case, without points and blanks; the ISO 4217 code is always one too.
CURRENCY_SIGNS = {
    "AED": "dh dhs", "ARS": "$ ar$", "AUD": "$ a$ au$", "BGN": "лв", "BRL": "r$", "CAD": "$ c$ ca$", "CHF": "fr sfr",
    "CLP": "$", "CNY": "¥ 元 rmb", "COP": "$", "CZK": "kč kc", "DKK": "kr", "EUR": "€ euro euros", "GBP": "£",
    "HKD": "$ hk$", "HUF": "ft", "IDR": "rp", "ILS": "₪", "INR": "₹ rs rupees", "ISK": "kr", "JPY": "¥ 円 yen",
    "KRW": "₩ 원", "LKR": "rs", "MXN": "$ mx$", "MYR": "rm", "NGN": "₦", "NOK": "kr", "NZD": "$ nz$", "PHP": "₱",
    "PKR": "rs ₨", "PLN": "zł zl", "RON": "lei", "RUB": "₽ руб", "SEK": "kr", "SGD": "$ s$", "THB": "฿", "TRY": "₺ tl",
    "TWD": "$ nt$ 元", "UAH": "₴ грн", "USD": "$ us$", "VND": "₫ đ", "ZAR": "r",
}  # fmt: skip
AREA_UNITS = {
    "square_meters": {"m²", "m2", "㎡", "sqm", "qm", "kvm", "mq", "平米", "平方米", "squaremeters", "squaremetres"},
    "square_feet": {"ft²", "ft2", "sqft", "sf", "sft", "squarefeet"},
    "square_yards": {"yd²", "yd2", "sqyd", "sqyds", "sqyard", "sqyards", "gaj", "squareyards"},
    "acres": {"ac", "acre", "acres"},
    "hectares": {"ha", "hectare", "hectares"},
    "tsubo": {"坪", "평", "tsubo", "ping", "pyeong"},
}
MULTIPLIERS = {
    "k": 10**3, "thousand": 10**3, "mn": 10**6, "mio": 10**6, "million": 10**6, "lakh": 10**5, "lakhs": 10**5,
    "lac": 10**5, "crore": 10**7, "crores": 10**7, "cr": 10**7, "万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8,
    "lacs": 10**5, "만": 10**4, "억": 10**8, "mln": 10**6, "milj": 10**6, "miljoner": 10**6, "miljoen": 10**6,
    "mkr": 10**6, "millions": 10**6, "mld": 10**9, "bn": 10**9, "billion": 10**9, "tkr": 10**3, "tis": 10**3,
    "tys": 10**3, "tsd": 10**3, "тыс": 10**3, "млн": 10**6, "млрд": 10**9, "千": 10**3, "百万": 10**6, "千万": 10**7,
    "백만": 10**6, "천만": 10**7,
}  # fmt: skip
# "mil" is a million in Czech and a thousand in Portuguese and Spanish.
MIL = {"CZK": 10**6, "ARS": 10**3, "BRL": 10**3, "CLP": 10**3, "COP": 10**3, "MXN": 10**3, "PEN": 10**3}
COUNTERS = {"年", "年築", "年建", "년", "階", "층"}  # behind years and floors
_SPACES = {code: " " for code in range(0x3001) if unicodedata.category(chr(code)) == "Zs"}
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_PLAIN = _SPACES | _FULL_WIDTH | str.maketrans({"’": "'", "ʼ": "'", "−": "-", "￥": "¥", "￡": "£", "￦": "₩"})
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NO_CENTS = re.compile(r"^([.,:] ?[-–—]+|/[-=])")  # as in "350.000,-" and "45,00,000/-"
_NOTATIONS = {  # by the declaration that a cell in this notation needs
    'thousands: ","': re.compile(r"[0-9]{1,3}(,[0-9]{2,3})*,[0-9]{3}(\.[0-9]*)?"),
    'thousands: "."': re.compile(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]*)?"),
    'thousands: " "': re.compile(r"[0-9]{1,3}( [0-9]{3})+([.,][0-9]*)?"),
    'thousands: "\'"': re.compile(r"[0-9]{1,3}('[0-9]{3})+([.,][0-9]*)?"),
    'decimal: ","': re.compile(r"[0-9]+,[0-9]+"),
}


def number(cell: str, column: Column, currency: str | None = None) -> float | None:
    """A cell as a number: the middle of a band, square metres for other units; None for anything else.

    Signs of `currency` may stand before or behind it, and a multiplier (`lakh`, `万`) or the column's unit of area
    behind it. In parentheses a number is negative, as in accounting.
    """
    ends = [_end(end, column, currency) for end in (cell.split(column.band.strip()) if column.band else [cell])]
    if None in ends or len(ends) > 2 or ends != sorted(ends):
        return None
    middle = sum(ends) / len(ends) * column.factor
    return middle if column.unit == "square_meters" else round(middle * SQUARE_METERS[column.unit], 6)


def number_fault(cell: str, column: Column, currency: str | None = None) -> str:
    """Why a cell is no number, with the declaration under which it might be one."""
    before, body, behind = _parts(cell.translate(_PLAIN).strip())
    known = {"", *AREA_UNITS[column.unit], *MULTIPLIERS, *COUNTERS, *_signs_of(currency)}
    for affix in (_squeezed(before), _squeezed(behind)):
        if affix not in known and affix in _ALL_SIGNS:
            return f"not in {currency}" if currency else "not a number"
        if any(affix in units for unit, units in AREA_UNITS.items() if unit != column.unit):
            return f"not in {column.unit.replace('_', ' ')}"
    if not column.thousands and column.decimal == ".":
        for declaration, notation in _NOTATIONS.items():
            if notation.fullmatch(body):
                return f"not a number ({declaration}?)"
    return "not a number"


def _end(cell: str, column: Column, currency: str | None) -> float | None:
    """One end of a band, or a whole cell."""
    text = (cell if cell.isascii() else cell.translate(_PLAIN)).strip()
    if (value := _decimal(text, column)) is not None:
        return float(value)
    before, body, behind = _parts(text)
    is_negative = "-" in before or ("(" in before and ")" in behind)
    before = _squeezed(before.replace("-", "", 1).replace("(", "", is_negative))
    behind = _squeezed(_NO_CENTS.sub("", behind.replace(")", "", is_negative)))
    signs = _signs_of(currency)
    if before not in signs or not body:
        return None
    # Behind a sum of money, "m" is a million.
    is_million = bool(before) and behind == "m"
    factor = 10**6 if is_million else _factor(behind, signs, AREA_UNITS[column.unit], currency)
    if factor is None:
        return None
    head, _, tail = re.sub("[亿억] ?", "億", body).rpartition("億")
    values = [_decimal(head, column) if head else Decimal(0), _decimal(tail, column) if tail else Decimal(0)]
    if None in values:
        return None
    value = float(values[0] * 10**8 + values[1] * factor)
    return -value if is_negative else value


def has_multiplier(cell: str) -> bool:
    """Whether a word behind the number multiplies it, such as `lakh`."""
    behind = _squeezed(_parts(cell.translate(_PLAIN).strip())[2])
    return any(behind.startswith(word) for word in (*MULTIPLIERS, "mil") if word != "k") or behind in ("k", "m")


def _factor(behind: str, signs: frozenset[str], units: set[str], currency: str | None) -> int | None:
    """What the words behind a number multiply it by; None for words that mean something else."""
    if behind in signs or behind in units or behind in COUNTERS:
        return 1
    multipliers = {**MULTIPLIERS, "mil": MIL[currency]} if currency in MIL else MULTIPLIERS
    factors = (
        factor for word, factor in multipliers.items() if behind.startswith(word) and behind[len(word) :] in signs
    )
    return next(factors, None)


def _parts(text: str) -> tuple[str, str, str]:
    """What stands before the first digit, from it to the last one, and behind that one."""
    match = re.search(r"[0-9](.*[0-9])?", text)
    return (text[: match.start()], match[0], text[match.end() :]) if match else (text, "", "")


def _squeezed(affix: str) -> str:
    """The text in lower case without blanks and points of abbreviations; a capital M alone is a million."""
    affix = re.sub(r"^ ?M(?![^\W\d_])", "million", affix)
    return re.sub(r"(?<=[^\W\d_])\.|\s", "", affix).casefold()


@cache
def _signs_of(currency: str | None) -> frozenset[str]:
    signs = [currency.casefold(), *CURRENCY_SIGNS.get(currency, "").split()] if currency else []
    return frozenset(["", *signs])


@cache
def _grouped(mark: str) -> re.Pattern[str]:
    """Numbers in groups of three (or of two before the last three, as in India), and the rest of the text."""
    mark = re.escape(mark)
    return re.compile(rf"[+-]?([0-9]+|[0-9]{{1,3}}({mark}[0-9]{{2,3}})*{mark}[0-9]{{3}})([^0-9{mark}][^{mark}]*)?")


def _decimal(text: str, column: Column) -> Decimal | None:
    if column.thousands:
        # Any other grouping is an error or another notation.
        if not _grouped(column.thousands).fullmatch(text):
            return None
        text = text.replace(column.thousands, "")
    if column.decimal == ",":
        text = text.replace(",", ".") if "." not in text else ""
    if not _NUMBER.fullmatch(text):
        return None
    return Decimal(text) if math.isfinite(float(text)) else None


_ALL_SIGNS = {sign for code, signs in CURRENCY_SIGNS.items() for sign in (code.casefold(), *signs.split())}
