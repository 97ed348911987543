"""Environment variables in addresses and passwords: what is declared is `$NAME`, what is used is its value."""

from __future__ import annotations

import os
import re

from homei.sources.rows import SourceError

_NAME = re.compile(r"\$([A-Z_][A-Z0-9_]*)")


def expanded(text: str, key: str) -> str:
    """`text` with the value of each `$NAME` in it; raises SourceError naming `key` and the variable that isn't set."""

    def value(match: re.Match[str]) -> str:
        if (found := os.environ.get(match[1])) is None:
            raise SourceError(f"{key}: the environment variable {match[1]} is not set")
        return found

    return _NAME.sub(value, text)
