"""Texts of feeds: one form for those that look alike, and identifiers that have lost digits."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

_SCIENTIFIC = re.compile(r"(^|:)[0-9]([.,][0-9]+)?[eE]\+[0-9]{2,}$")
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b"))  # byte order mark, zero-width space


def normal_text(text: str) -> str:
    """The text in composed Unicode (NFC), stripped, with one space for each run of blanks or line breaks."""
    composed = text if text.isascii() else unicodedata.normalize("NFC", text).translate(_INVISIBLE)
    return " ".join(composed.split())


def is_rounded(identifier: str) -> bool:
    """Whether an identifier was rounded by a spreadsheet or a float, such as 1.4082E+13.

    A feed's name may precede it. Spreadsheets and Python always write the sign and two digits of the exponent.
    """
    return _SCIENTIFIC.search(identifier) is not None


# The name of a column in a feed.
ColumnName = Annotated[str, AfterValidator(normal_text)]
