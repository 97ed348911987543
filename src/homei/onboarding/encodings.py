"""Guess of a text file's encoding from its bytes."""

from __future__ import annotations

import codecs
import itertools
import re
from typing import NamedTuple

from homei.onboarding.words import NAMES, contains

MARKS = {codecs.BOM_UTF8: "UTF-8", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
# Letters that texts of the languages of each encoding use; the encoding whose letters explain most bytes is proposed.
LETTERS = {
    "cp1252": "äöüÄÖÜßéèêëàâçîïôûùœñáíóúãõåæøÅÆØÉÑÇ²€°–’",
    "cp1250": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňóřšťúůýžÁČĎÉĚÍŇŘŠŤÚŮÝŽőűŐŰäöüß",
    "cp1251": "абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯ",
    "cp1253": "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ",
    "cp1254": "çğıöşüÇĞİÖŞÜ",
    "mac_roman": "äöüÄÖÜßéèêàçñáíóú",
    "cp850": "äöüÄÖÜßéèêàçñáíóú",
    "cp932": "",
    "gb18030": "",
    "cp949": "",
    "big5": "",
    "euc_jp": "",
}
SIGNS = "\u00a0’€£²°"
ASCII = "it has no letters beyond ASCII"
LINES = 2_000  # with bytes beyond ASCII, by which an encoding is judged
# First bytes of the common signs of each encoding, by which it is told from the others.
MULTI_BYTE = {
    "cp932": (0x81, 0x98), "gb18030": (0xB0, 0xD7), "cp949": (0xB0, 0xC8), "big5": (0xA4, 0xC6),
    "euc_jp": (0xA4, 0xCF),
}  # fmt: skip


class EncodingGuess(NamedTuple):
    """The encoding to declare (None if the reader finds it), the one to decode with, reason and doubt."""

    declared: str | None
    codec: str
    reason: str
    doubt: str = ""


def guess_encoding(content: bytes) -> EncodingGuess:
    """The encoding of a file by its first bytes."""
    for mark, name in MARKS.items():
        if content.startswith(mark):
            codec = "utf-16" if name == "UTF-16" else "utf-8-sig"
            return EncodingGuess(None, codec, f"its first bytes are the mark of {name}")
    zeros = [content[offset:2_000:2].count(0) for offset in (0, 1)]
    if max(zeros) > 200 or (len(content) < 2_000 and max(zeros) > len(content) / 8):
        codec = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        return EncodingGuess(codec, codec, "every second byte is zero")
    if content.isascii():
        return EncodingGuess(None, "utf-8", ASCII)
    if _is_utf8(content):
        return EncodingGuess(None, "utf-8", "all bytes are UTF-8")
    lines = (line for line in content.split(b"\n") if not line.isascii())
    content = b"\n".join(itertools.islice(lines, LINES))
    n_valid = sum(ord(letter) > 127 and letter != "�" for letter in content.decode("utf-8", "replace"))
    high = [byte for byte in content if byte > 127]
    if n_valid * 2 > 0.9 * len(high):
        doubt = "some bytes are not UTF-8: the rows that have them are set aside"
        return EncodingGuess(None, "utf-8", "most bytes are UTF-8", doubt)
    best = max(("cp1252", *LETTERS), key=lambda encoding: (_explained(content, encoding), _n_known(content, encoding)))
    examples = _examples(content.decode(best, "replace"))
    doubt = f"letters could be wrong: {', '.join(examples)}"
    return EncodingGuess(best, best, f"it is not UTF-8, and reads best as {best}", doubt)


def _is_utf8(content: bytes) -> bool:
    """Whether the bytes are UTF-8, but for a letter that is cut off at their end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(content, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _explained(content: bytes, encoding: str) -> float:
    """The share of the letters beyond ASCII that the encoding's languages have."""
    if encoding in MULTI_BYTE:
        letters = [letter for letter in content.decode(encoding, "ignore") if ord(letter) > 0xFF]
        firsts = [letter.encode(encoding)[0] for letter in letters if _is_of_script(letter)]
        low, high = MULTI_BYTE[encoding]
        is_common = sum(low <= first <= high for first in firsts)
        n_bytes = sum(byte > 127 for byte in content)
        # A text in a European language decodes to rare signs of these encodings here and there.
        return round(min(2 * is_common / n_bytes, 1.0), 1) if len(letters) > 20 else 0.0
    text = content.decode(encoding, "replace")
    is_explained = []
    for match in re.finditer(r"[^\x00-\x7f]", text):
        around = text[max(match.start() - 1, 0) : match.start()] + text[match.end() : match.end() + 1]
        # Beside a digit, a sign of money or a separator is likelier than a letter.
        is_sign = any(map(str.isdigit, around)) and not any(map(str.isalpha, around))
        is_explained.append(match[0] in SIGNS or (not is_sign and match[0].lower() in LETTERS[encoding]))
    return sum(is_explained) / len(is_explained) if is_explained else 0.0


def _is_of_script(letter: str) -> bool:
    """Whether a letter is kana, a Chinese sign or a Korean syllable."""
    return any(low <= ord(letter) <= high for low, high in ((0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)))


def _n_known(content: bytes, encoding: str) -> int:
    """How many words for columns the first line has, read with one of the encodings of several bytes."""
    if encoding not in MULTI_BYTE:
        return 0
    first = content.partition(b"\n")[0].decode(encoding, "replace")
    return sum(contains(first, names) is not None for names in NAMES.values())


def _examples(text: str) -> list[str]:
    """Three words with letters beyond ASCII, to check the encoding by."""
    return list(dict.fromkeys(re.findall(r"\w*[^\W\x00-\x7f]\w*", text)))[:3]
