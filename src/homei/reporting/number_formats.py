"""Numbers as text: percent signs, thousands separators, a minus sign, a dash for missing values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

MISSING = "–"
MINUS = "−"
_DIGITS = {"number": 0, "decimal": 2, "ratio": 3, "percent": 1, "change": 1}


def text(value: Any, how: str = "number") -> str:
    """`value` as text.

    `how` is one of number (12,345), decimal (1.25), ratio (0.998), percent (3.1 %), change (+3.1 %), text, or a
    currency such as EUR (EUR 345,000). A digit at the end sets the decimals: percent0, decimal4.
    Raises ValueError where `how` is none of these.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if how == "text":
        return str(value)
    kind, digits = _parse(how)
    if kind in ("percent", "change"):
        sign = "+" if kind == "change" else ""
        return _signed(f"{value * 100:{sign},.{digits}f}") + "\u202f%"
    number = _signed(f"{value:,.{digits}f}")
    return number if kind in _DIGITS else f"{kind}\u00a0{number}"


def label(name: object) -> str:
    """A column's or group's name as a label: price_decile becomes "price decile"."""
    return str(name).replace("_", " ")


def span(low: float | None, high: float | None, how: str) -> str:
    """A range as text, such as "0.98 to 1.03" or "at most 5 %"; a dash without any end."""
    if low is None or high is None:
        return MISSING if low is high else f"at most {text(high, how)}" if low is None else f"at least {text(low, how)}"
    return f"{text(low, how)}\u00a0to\u00a0{text(high, how)}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: A, B and C."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def points(difference: float, digits: int) -> str:
    """A difference of shares in percentage points: 0.018."""
    return text(100 * difference, f"decimal{digits}")


def p_value(p: float | None) -> str:
    return MISSING if p is None else "below 0.001" if p < 0.001 else text(p, "ratio")


def short(how: str, step: float | None = None) -> Callable[[float], str]:
    """A formatter for axis ticks: like `text`, with 350k or 1.2m for large numbers and no needless digits.

    `step`, the distance between ticks, determines the number of decimals.
    """
    kind, digits = _parse(how)

    def tick(value: float) -> str:
        if kind in ("percent", "change"):
            return text(value, f"{kind}{_decimals(step * 100 if step else None, digits)}")
        size = step or abs(value)
        scale, suffix = (1e6, "m") if size >= 2e5 else (1e3, "k") if size >= 1e4 else (1, "")
        if value == 0 or not suffix:
            return _signed(f"{value:,.{_decimals(step, digits)}f}")
        return _signed(f"{value / scale:,.{_decimals(step / scale if step else None, 1)}f}") + suffix

    return tick


def _parse(how: str) -> tuple[str, int]:
    match = re.fullmatch(r"([a-z]+|[A-Z]{3})(\d?)", how)
    if not match or (match[1].islower() and match[1] not in _DIGITS):
        raise ValueError(f"format {how!r}: give one of text, {', '.join(_DIGITS)} or a currency such as EUR")
    return match[1], int(match[2]) if match[2] else _DIGITS.get(match[1], 0)


def _decimals(step: float | None, default: int) -> int:
    """The number of decimals that show a step of this size, at most four."""
    if not step:
        return default
    return next((digits for digits in range(5) if abs(step * 10**digits - round(step * 10**digits)) < 1e-6), 4)


def _signed(number: str) -> str:
    """The number with a minus sign (U+2212), and without a sign if it is zero."""
    return number.lstrip("-+") if not re.search("[1-9]", number) else number.replace("-", MINUS)
