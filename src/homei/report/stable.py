"""Reports without chance in them: random ids, clock readings and the last bits of numbers replaced by stable ones."""

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
# A clock gives fractions of a second; a date in the data doesn't, or gives zeros.
_CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}\.(?=\d*[1-9])\d{3,9}(?:Z|[+-]\d{2}:?\d{2})?")
# A number among JSON data (not among a script's constants) that shows all its bits: the last ones depend on the CPU.
_ALL_BITS = re.compile(r"(?<=[\[ ])-?\d+\.\d{13,}(?:e[+-]?\d+)?(?=[,\]}])")


def stable_html(text: str) -> str:
    """`text` with each random id replaced by one that tells its order of appearance, and clock readings taken out.

    An id keeps its length and shape, so scripts that look it up still find it; the same id gets the same replacement.
    Numbers in data keep ten significant digits.
    """
    seen: dict[str, str] = {}

    def ordinal(match: re.Match[str]) -> str:
        return seen.setdefault(match[0], _numbered(match[0], len(seen)))

    return _ALL_BITS.sub(lambda number: f"{float(number[0]):.10g}", _CLOCK.sub("", _RANDOM.sub(ordinal, text)))


def _numbered(like: str, number: int) -> str:
    """`number` in the shape of the id `like`: 0 in that of "3f-a1" is "00-00", 12 is "00-0c"."""
    digits = iter(f"{number:0{sum(letter not in '-_' for letter in like)}x}")
    return "".join(letter if letter in "-_" else next(digits) for letter in like)
