"""Which encoding a text file is in, told by decoding all of it; detectors that guess from statistics get Korean wrong.

Order: byte order mark, UTF-16 without one (every other byte of ASCII is zero), strict UTF-8, strict cp949
(holds all of euc-kr). cp949 also decodes Chinese and Japanese bytes, so its result must read like Korean.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from dadeum.core.errors import DataError
from dadeum.core.korean import COMMON_SYLLABLES
from dadeum.core.messages import Message
from dadeum.data.nearest import nearest

# UTF-32's mark begins with UTF-16's, so it comes first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WORTH_NAMING = ("auto", "utf-8", "utf-8-sig", "cp949", "euc-kr", "utf-16", "utf-16-le", "utf-16-be", "johab")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_PROBE_CHARACTERS = 200_000
_ASCII = range(9, 127)
_MIN_ZEROS = 0.01
"""Share of byte pairs that must be an ASCII character of UTF-16; a stray zero byte makes no UTF-16."""
_MIN_HANGUL = 4
"""Fewer syllables than this say nothing about how common they are."""
_MIN_COMMON = 0.25
"""Share of common syllables: Korean text has 0.67 and more, Chinese or Japanese bytes read as cp949 under 0.1."""
_MIN_FOREIGN = 4
"""Characters outside ASCII from which valid UTF-8 is no coincidence."""


@dataclass(frozen=True)
class Decoded:
    """A file's text without byte order mark, and the encoding it was in."""

    text: str
    encoding: str


def decode(content: bytes, path: Path, encoding: str = "auto") -> Decoded:
    """The text of `content`; `encoding` other than auto is taken at its word and checked.

    Raises DataError: with auto, naming what was tried and where each failed; otherwise where the given
    encoding failed and which one fits.
    """
    if encoding != "auto":
        return _decode_as(content, path, encoding)
    found = detect(content)
    if found is None:
        raise DataError("data.encoding_unknown", path=path, **_where_utf8_fails(content), cp949=_cp949_verdict(content))
    return Decoded(_strip_mark(content.decode(found)), found)


def detect(content: bytes) -> str | None:
    """Name of the encoding for Python's codecs; None when nothing fits."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name if _decodes(content, name) else None
    if b"\0" in content and (without_mark := _utf16_by_zeros(content)):
        return without_mark
    if _decodes(content, "utf-8"):
        return "utf-8"
    return "cp949" if _decodes(content, "cp949") and reads_like_korean(content.decode("cp949")) else None


def reads_like_korean(text: str) -> bool:
    """False for other scripts' bytes that cp949 happens to decode; short or symbol-only text gets the benefit."""
    foreign = _NOT_ASCII.findall(text[:_PROBE_CHARACTERS])
    hangul = [character for character in foreign if _HANGUL.match(character)]
    if len(hangul) < _MIN_HANGUL:
        letters = sum(unicodedata.category(character).startswith("L") for character in foreign)
        return letters <= 2 * len(hangul)
    common = sum(character in COMMON_SYLLABLES for character in hangul)
    return common >= _MIN_COMMON * len(hangul)


def _decode_as(content: bytes, path: Path, encoding: str) -> Decoded:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        near = nearest(encoding, _WORTH_NAMING)
        raise DataError("data.encoding_name", path=path, encoding=encoding, near=near) from None
    found = detect(content) or "-"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            "data.encoding_wrong", path=path, encoding=encoding, offset=error.start, line=line, found=found
        ) from None
    if _contradicts(name, found, content):
        raise DataError("data.encoding_misreads", path=path, encoding=encoding, found=found)
    return Decoded(_strip_mark(text), encoding)


def _contradicts(name: str, found: str, content: bytes) -> bool:
    """Decodes, but only because the codec takes any bytes: the content is plainly another Unicode encoding."""
    if name.startswith(("utf-8", "utf-16", "utf-32")) or not found.startswith("utf"):
        return False
    return len(_NOT_ASCII.findall(content.decode(found))) >= _MIN_FOREIGN


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _utf16_by_zeros(content: bytes) -> str | None:
    """Commas, letters and line ends pair an ASCII byte with a zero, the zero always on the same side."""
    pairs = list(zip(content[:_PROBE_CHARACTERS:2], content[1:_PROBE_CHARACTERS:2], strict=False))
    little = sum(second == 0 and first in _ASCII for first, second in pairs)
    big = sum(first == 0 and second in _ASCII for first, second in pairs)
    name = "utf-16-le" if little > big else "utf-16-be"
    is_plain = max(little, big) > max(3 * min(little, big), _MIN_ZEROS * len(pairs))
    return name if is_plain and _decodes(content, name) else None


def _strip_mark(text: str) -> str:
    return text.removeprefix("\ufeff")


def _where_utf8_fails(content: bytes) -> dict[str, object]:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        found = content[error.start : error.start + 4].hex(" ")
        return {"offset": error.start, "line": content.count(b"\n", 0, error.start) + 1, "found": found}
    # Valid UTF-8 with zero bytes in it is no text at all.
    zero = content.find(b"\0")
    return {"offset": zero, "line": content.count(b"\n", 0, zero) + 1, "found": "00"}


def _cp949_verdict(content: bytes) -> Message:
    try:
        content.decode("cp949")
    except UnicodeDecodeError as error:
        return Message("data.cp949_fails", {"offset": error.start})
    return Message("data.cp949_not_korean")
