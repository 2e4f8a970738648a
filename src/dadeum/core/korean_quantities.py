"""Numbers in Korean text by their value, however they are written: 350,000, 35만, 삼십오만, 세 시, 사흘.

What cannot be said exactly (수십, 몇 천, 두세 명) is no quantity. Whether 일 is a day,
a work or a one is Kiwi's reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dadeum.core.morphemes import Morpheme, morphemes

_DIGITS = {character: value for value, character in enumerate("영일이삼사오육칠팔구")} | {"공": 0, "륙": 6}
_TENS = {"십": 10, "백": 100, "천": 1000}
_MYRIADS = {"만": 10**4, "억": 10**8, "조": 10**12}
_NATIVE = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "서": 3, "넷": 4, "네": 4, "넉": 4, "너": 4,
    "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9, "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40,
    "쉰": 50, "예순": 60, "일흔": 70, "여든": 80, "아흔": 90,
}  # fmt: skip
_BEFORE_A_NOUN = frozenset({"두", "세", "석", "네", "넉", "스무"}) | {
    word for word, value in _NATIVE.items() if value >= 5
}
"""Read as determiners; not 한, which is also "some" and "about"."""
_DAYS = {
    "이틀": 2, "사흘": 3, "나흘": 4, "닷새": 5, "엿새": 6, "이레": 7, "여드레": 8, "아흐레": 9, "열흘": 10, "보름": 15,
}  # fmt: skip
_ALSO = {
    "하루": (1,), "일주일": (1, 7), "정오": (12,), "자정": (0, 12, 24), "반": (30, 0.5), "절반": (50, 0.5),
    "두세": (2, 3), "서너": (3, 4), "한두": (1, 2), "첫": (1,),
}  # fmt: skip
"""What other words also say: enough to support a number, too loose to be asked about."""
_HOUR = "시"
_INEXACT = frozenset({"몇", "수", "여러", "한두", "두세", "서너"})
_PIECE = re.compile("|".join(sorted(_NATIVE, key=len, reverse=True)) + r"|\d[\d,]*(?:\.\d+)?|.")
_WHOLE = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True)
class Quantity:
    """A number in a text, text[start:end]."""

    value: float
    start: int
    end: int
    is_hour: bool = False
    """15시 and 오후 3시 are the same hour."""

    def is_among(self, values: frozenset[float]) -> bool:
        return self.value in values or (self.is_hour and bool({self.value - 12, self.value + 12} & values))


def quantities(text: str) -> list[Quantity]:
    """In order; one of anything in words (한 사람, 하나) is left out: it is an article as often as a number."""
    return list(_read(morphemes([text])[0]))


def values(text: str) -> frozenset[float]:
    """All numbers that a text says, with those that words such as 정오 and 반 also say."""
    found = {quantity.value for quantity in _read(morphemes([text])[0], with_one=True)}
    for word in morphemes([text])[0]:
        found.update(_ALSO.get(word.form, ()))
    return frozenset(found)


def _read(words: Sequence[Morpheme], with_one: bool = False) -> Iterator[Quantity]:
    at = 0
    while at < len(words):
        run = _run(words, at)
        after = words[at + len(run)] if at + len(run) < len(words) else None
        is_exact = at == 0 or words[at - 1].form not in _INEXACT
        if run and is_exact:
            yield from _of_run(run, after is not None and after.form == _HOUR and after.tag == "NNB", with_one)
        elif words[at].form in _DAYS:
            yield Quantity(_DAYS[words[at].form], words[at].start, words[at].end)
        at += max(len(run), 1)


def _run(words: Sequence[Morpheme], at: int) -> list[Morpheme]:
    """The words from `at` on that make one number: 3만 5천 is one, 3 5 are two."""
    run: list[Morpheme] = []
    for word in words[at:]:
        counts = word.tag in ("SN", "NR", "W_SERIAL") or (word.tag == "MM" and word.form in _BEFORE_A_NOUN)
        apart = bool(run) and word.start > run[-1].end
        goes_on = not apart or (word.start == run[-1].end + 1 and run[-1].form[-1] in _TENS | _MYRIADS)
        if not counts or (run and not goes_on) or (run and "W_SERIAL" in (word.tag, run[-1].tag)):
            break
        run.append(word)
    return run


def _of_run(run: Sequence[Morpheme], is_hour: bool, with_one: bool) -> Iterator[Quantity]:
    start, end = run[0].start, run[-1].end
    if run[0].tag == "W_SERIAL":  # 15:30, 2023-05-21, 010-1234-5678: every part is a number
        for part in re.finditer(r"\d+", run[0].form):
            yield Quantity(float(part[0]), start + part.start(), start + part.end())
        return
    written = "".join(word.form for word in run)
    value = parsed(written)
    if value is not None and (with_one or value != 1 or written == "1"):
        yield Quantity(value, start, end, is_hour)


def parsed(written: str) -> float | None:
    """The value of a number without spaces; None for what is none.

    By hand: 3만5천 = 3·10000 + 5·1000; 이백오십만 = (2·100 + 5·10)·10000; 스물다섯 = 20 + 5; 일이삼 = 123.
    """
    total = section = 0.0
    current: float | None = None
    for piece in _PIECE.findall(written):
        if _WHOLE.fullmatch(piece):
            current = float(piece.replace(",", ""))
        elif piece in _NATIVE:
            section += _NATIVE[piece]
        elif piece in _DIGITS:
            current = (current or 0) * 10 + _DIGITS[piece]
        elif piece in _TENS:
            section += (1 if current is None else current) * _TENS[piece]
            current = None
        elif piece in _MYRIADS:
            total += ((section + (current or 0)) or 1) * _MYRIADS[piece]
            section, current = 0.0, None
        else:
            return None
    return total + section + (current or 0)
