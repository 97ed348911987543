"""Reproducible HTML: random ids, clock times and unstable digits are replaced by stable values."""

from __future__ import annotations

import re

# Written by Plotly (UUID), Evidently (UUID, or after metric_), Altair (after altair-viz-), Jupyter (after cell-id=).
_RANDOM = re.compile(
    r"""
    (?<![0-9A-Za-z])
    (?: [0-9a-f]{8}([-_])[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}
      | (?<=altair-viz-)[0-9a-f]{32}
      | (?<=metric_)[0-9a-f]{32}
      | (?<=cell-id=)[0-9a-f-]{8,36}
    )
    (?![0-9A-Za-z])
    """,
    re.VERBOSE,
)
# Clock times have non-zero fractions of a second; dates in data have none, or zeros.
_CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}\.(?=\d*[1-9])\d{3,9}(?:Z|[+-]\d{2}:?\d{2})?")
# Numbers in JSON data with all their digits: the last digits depend on the CPU.
_ALL_BITS = re.compile(r"(?<=[\[ ])-?\d+\.\d{13,}(?:e[+-]?\d+)?(?=[,\]}])")


def stable_html(text: str) -> str:
    """`text` with random ids numbered in order of appearance, without clock times.

    A replacement has the length and shape of the id, and equal ids get equal replacements, so that scripts still work.
    Numbers in data are rounded to ten significant digits.
    """
    seen: dict[str, str] = {}

    def ordinal(match: re.Match[str]) -> str:
        return seen.setdefault(match[0], _numbered(match[0], len(seen)))

    return _ALL_BITS.sub(lambda number: f"{float(number[0]):.10g}", _CLOCK.sub("", _RANDOM.sub(ordinal, text)))


def _numbered(like: str, number: int) -> str:
    """`number` as hexadecimal digits in the shape of the id `like`: 12 in the shape of "3f-a1" is "00-0c"."""
    digits = iter(f"{number:0{sum(letter not in '-_' for letter in like)}x}")
    return "".join(letter if letter in "-_" else next(digits) for letter in like)
