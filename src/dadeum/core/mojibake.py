"""Korean that was decoded with the wrong encoding: where it stands, and what it was before.

Undone only by an exact reverse round trip to something that reads like Korean; correct text is never touched.
ftfy is no help here: it folds ¼ and its like into other characters, and cp949 bytes read as latin-1 are lost for good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from dadeum.core.findings import Span
from dadeum.core.korean import COMMON_SYLLABLES

MAX_ROUNDS = 3
"""Text may have been misread more than once; nobody has seen four times."""
MIN_COMMON = 0.2
"""Share of common syllables in what a long misreading is undone to: Korean has 0.67, chance 0.05."""
MAX_SHORT = 3
"""Syllables up to which a share says nothing."""

# -- characters -----------------------------------------------------------------------------------
_LOST = "\ufffd"
_CP1252 = {bytes([byte]).decode("cp1252", "replace"): chr(byte) for byte in range(0x80, 0xA0)}
_CP1252.pop(_LOST)  # five bytes mean nothing there
_TO_LATIN1 = str.maketrans(_CP1252)
_QUOTED = "".join(map(re.escape, _CP1252))
_HANGUL = re.compile("[\uac00-\ud7a3]")
_HANJA = "\u4e00-\u9fff\uf900-\ufaff"
# One character class: searching for it is four times as fast as for alternatives.
_MAC_LEADS = re.escape(bytes(range(0xB0, 0xC9)).decode("mac_roman"))
_SUSPECT = re.compile(f"[\xa5-\xab\xb0-\xf4\u0192\u03a9\u03c0\u2202-\u2265{_LOST}{_HANJA}]")
_BYTES_AS_LATIN = re.compile(f"[\xb0-\xc8][\xa1-\xfe]|[\xc2-\xf4][\x80-\xbf{_QUOTED}]")
"""What cp949 or UTF-8 bytes of Korean look like in latin-1 or cp1252; rare in other text."""
_UTF8_AS_CP949 = re.compile(f"{_LOST}|[{_HANJA}][\u2010-\u33ff\uac00-\ud7a3\uff00-\uffef]")

_UTF8 = re.compile("(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+")
_CP949 = re.compile("(?:[\x81-\xfe][A-Za-z\x81-\xfe])+")
_NEVER_TYPED = re.compile("[\x80-\x9f]")
# What UTF-8 alone can have made of a single sign: quotes and dashes, CJK marks, emoji, é and °.
_SIGNS = re.compile(
    "[\u2010-\u203a\u20ac\u2100-\u27bf\u3001-\u303f\uff01-\uff5e\U0001f000-\U0001faff\ufe0f\xa0-\xbf\xc0-\xff]+"
)
_HANJA_FIRST = re.compile(f"[{_HANJA}][\u2010-\u9fff\uac00-\uffef]+")
_WORD = re.compile(r"[^\s\x00-\x7f]+")
_LONE_A = re.compile(r"(?<!\S)\xc2(?!\S)")
"""What is left of a no-break space (C2 A0) once spaces were tidied."""
_MAC_SIGNS = re.escape(bytes(range(0x80, 0x100)).decode("mac_roman"))
_MAC_WORD = re.compile(f"[{_MAC_SIGNS}]{{2,}}")
_MAC_SUSPECT = re.compile(f"[\xcc-\xcf][{_MAC_SIGNS}]|[{_MAC_LEADS}][{_MAC_SIGNS}]{{3}}")
"""The first byte of a syllable in UTF-8 (EA to ED) or cp949 (B0 to C8), and what can follow."""
_HANJA_WORD = re.compile(f"[{_HANJA}]+")
_KANA = re.compile("[\u3041-\u30ff]")
MIN_GB18030 = 3
"""Hanja that all become common syllables: one does by chance in twenty, three in eight thousand."""
_ASKED = re.compile(r"\?+(?:[\s,.!'\"()~:]{1,3}\?+){2,}")
MIN_ASKED = 6
"""Question marks in place of syllables: fewer are somebody who wonders."""


class _Place(NamedTuple):
    start: int
    end: int
    kind: str
    was: str | None
    """The text before it was misread; None when bytes were lost."""


def find_mojibake(text: str) -> list[Span]:
    """Places that were decoded wrongly, in order and apart.

    Kinds: `cp949_as_latin1` (¾È³ç), `utf8_as_latin1` (ì•ˆ), `utf8_as_cp949` (rare syllables, with or without U+FFFD)
    `cp949_as_mac`, `utf8_as_mac` (∞≈øπø‰), `cp949_as_gb18030` (娄荤尔), `replacement` (U+FFFD, the bytes are lost) and
    `question_marks` (?? ???? ???., lost too).
    """
    return [Span(place.start, place.end, place.kind) for place in _places(text)]


def repair(text: str) -> str:
    """`text` with every misreading undone that lost no byte; the rest, and correct text, as it was."""
    for _ in range(MAX_ROUNDS):
        places = [place for place in _places(text) if place.was is not None]
        if not places:
            break
        for place in reversed(places):
            text = text[: place.start] + (place.was or "") + text[place.end :]
    return text


def _places(text: str) -> list[_Place]:
    places: list[_Place] = _asked(text) if "??" in text else []
    if _SUSPECT.search(text) is None:
        return places
    if _MAC_SUSPECT.search(text) and (mac := _read_as_mac(text)):
        return mac
    if _BYTES_AS_LATIN.search(text):
        places += _read_as_latin(text)
    if _UTF8_AS_CP949.search(text):
        places += _read_as_cp949(text)
    if not places and _HANJA_WORD.search(text):
        places += _read_as_gb18030(text)
    if "\xc2" in text and _HANGUL.search(text):
        taken = {place.start for place in places}
        lone = _LONE_A.finditer(text)
        places += [_Place(*hit.span(), "utf8_as_latin1", None) for hit in lone if hit.start() not in taken]
    return sorted(places, key=lambda place: place[:2])


# -- bytes read as latin-1 or cp1252 --------------------------------------------------------------
def _read_as_latin(text: str) -> list[_Place]:
    """Both readings are tried on the whole text, because one short word can be either."""
    raw = text.translate(_TO_LATIN1)
    utf8 = [
        _Place(match.start(), match.end(), "utf8_as_latin1", was)
        for match in _UTF8.finditer(raw)
        if (was := _undone_utf8(match[0])) is not None
    ]
    if any(_is_korean_utf8(raw[place.start : place.end], place.was or "") for place in utf8):
        return [place for place in utf8 if _is_sign(place) or _HANGUL.search(place.was or "")]
    cp949 = [
        _Place(match.start(), match.end(), "cp949_as_latin1", was)
        for match in _CP949.finditer(raw)
        if (was := _decoded(match[0], "cp949")) is not None
    ]
    syllables = _HANGUL.findall("".join(place.was or "" for place in cp949))
    if _is_korean_cp949(syllables) or _is_word_alone(text, cp949):
        return cp949
    # Two syllables that do not convince: neither reading does.
    return [place for place in utf8 if _is_sign(place)] if len(syllables) < 2 else []


def _undone_utf8(raw: str) -> str | None:
    """`raw` read as UTF-8, as often as it was misread."""
    was = _decoded(raw, "utf-8")
    for _ in range(MAX_ROUNDS - 1):
        deeper = _decoded((was or "").translate(_TO_LATIN1), "utf-8")
        if not deeper:
            break
        was = deeper
    return was


def _decoded(raw: str, encoding: str) -> str | None:
    """None for an é or ½ that is meant, and for what is no byte at all."""
    try:
        return raw.encode("latin-1").decode(encoding)
    except UnicodeError:
        return None


def _is_korean_utf8(raw: str, was: str) -> bool:
    """Three bytes that fit are no chance when there are six of them, or one that nobody can type."""
    syllables = _HANGUL.findall(was)
    return len(syllables) > 1 or any(
        syllable in COMMON_SYLLABLES or _NEVER_TYPED.search(raw) is not None for syllable in syllables
    )


def _is_korean_cp949(syllables: list[str]) -> bool:
    if len(set(syllables)) < 2:
        return False  # ½½ and ¸¸ are one sign twice, and become one syllable twice
    if len(syllables) <= MAX_SHORT:
        return not any(map(_is_rare, syllables))
    return _share_common(syllables) >= MIN_COMMON


def _is_word_alone(text: str, places: list[_Place]) -> bool:
    """One common syllable between spaces: `¾È` in Korean text."""
    if len(places) != 1 or places[0].was not in COMMON_SYLLABLES or _HANGUL.search(text) is None:
        return False
    if text[places[0].start] == text[places[0].end - 1]:
        return False
    around = text[max(0, places[0].start - 1) : places[0].start] + text[places[0].end : places[0].end + 1]
    return not around.strip()


def _share_common(syllables: list[str]) -> float:
    return sum(syllable in COMMON_SYLLABLES for syllable in syllables) / max(len(syllables), 1)


def _is_sign(place: _Place) -> bool:
    return _SIGNS.fullmatch(place.was or "") is not None


# -- UTF-8 bytes read as cp949, and bytes that are gone -------------------------------------------
def _read_as_cp949(text: str) -> Iterator[_Place]:
    for match in _WORD.finditer(text):
        word = match[0]
        if _LOST in word:
            yield _Place(*_lost_part(match), "utf8_as_cp949" if _has_rare(word) else "replacement", None)
            continue
        for part in _HANJA_FIRST.finditer(word):
            was = _utf8_of(part[0])
            if was is not None:
                start, end = (match.start() + offset for offset in part.span())
                # 占쏙옙: what was lost once was then misread.
                yield _Place(start, end, "utf8_as_cp949", None if _LOST in was else was)


def _lost_part(match: re.Match[str]) -> tuple[int, int]:
    """A short word as a whole; of a long one, from the first lost character to the last."""
    word, start = match[0], match.start()
    return start + word.index(_LOST), start + max(word.rindex(_LOST) + 1, len(word.rstrip(".,!?")))


def _has_rare(word: str) -> bool:
    return any(map(_is_rare, _HANGUL.findall(word))) or re.search(f"[{_HANJA}]", word) is not None


def _is_rare(syllable: str) -> bool:
    """Not among the 2,350 syllables of KS X 1001, which hold practically all that is written."""
    lead, trail = syllable.encode("cp949")
    return lead < 0xB0 or trail < 0xA1


def _utf8_of(part: str) -> str | None:
    try:
        was = part.encode("cp949").decode("utf-8")
    except UnicodeError:
        return None
    syllables = _HANGUL.findall(was)
    return was if _LOST in was or (len(syllables) > 1 and not any(map(_is_rare, syllables))) else None


# -- other readings -------------------------------------------------------------------------------
def _read_as_mac(text: str) -> list[_Place]:
    """Bytes read as MacRoman, as old Macs did; UTF-8 first, because what fits there is no chance."""
    for encoding in ("utf-8", "cp949"):
        places = []
        for match in _MAC_WORD.finditer(text):
            try:
                was = match[0].encode("mac_roman").decode(encoding)
            except UnicodeError:
                continue
            if _HANGUL.search(was):
                places.append(_Place(*match.span(), "utf8_as_mac" if encoding == "utf-8" else "cp949_as_mac", was))
        syllables = _HANGUL.findall("".join(place.was or "" for place in places))
        if syllables and (encoding == "utf-8" or _is_surely_korean(syllables, 2)):
            return places
    return []


def _read_as_gb18030(text: str) -> list[_Place]:
    """Chinese becomes hanja or rare syllables; Korean stays Korean."""
    if _KANA.search(text):
        return []
    places = []
    words = list(_HANJA_WORD.finditer(text))
    for match in words:
        try:
            was = match[0].encode("gbk").decode("cp949")
        except UnicodeError:
            continue
        if all(map(_HANGUL.match, was)):
            places.append(_Place(*match.span(), "cp949_as_gb18030", was))
    syllables = _HANGUL.findall("".join(place.was or "" for place in places))
    if 2 * len(places) > len(words) and _is_surely_korean(syllables, MIN_GB18030):
        return [place._replace(was=None) for place in places]
    return []


def _is_surely_korean(syllables: list[str], least: int) -> bool:
    """Common syllables only; of a long text at least twice as many as `MIN_COMMON` asks for."""
    if len(set(syllables)) < least:
        return False
    return _share_common(syllables) >= (1 if len(syllables) <= MAX_SHORT else 2 * MIN_COMMON)


def _asked(text: str) -> list[_Place]:
    """Question marks in words of different lengths, in a text without a single syllable: nobody asks like that."""
    if _HANGUL.search(text):
        return []
    return [
        _Place(*match.span(), "question_marks", None)
        for match in _ASKED.finditer(text)
        if match[0].count("?") >= MIN_ASKED and len({len(run) for run in re.findall(r"\?+", match[0])}) > 1
    ]
