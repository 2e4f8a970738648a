"""Writing Korean from values: particles that fit the word before them, and numbers in words.

The other way round, numbers out of texts, is `korean_quantities`.
"""

from __future__ import annotations

import re

_PARTICLES = {
    "은": "는", "이": "가", "을": "를", "과": "와", "으로": "로", "이나": "나", "이랑": "랑",
    "이라": "라", "이래": "래", "이고": "고", "이며": "며", "이면": "면", "이야": "야", "이므로": "므로", "이었": "였",
}  # fmt: skip
"""After a consonant → after a vowel."""
_NUM_FINALS, _RIEUL = 28, 8
_DIGITS = dict(zip("0123456789", "영일이삼사오육칠팔구", strict=True))
_UNITS, _MYRIADS = ("", "십", "백", "천"), ("", "만", "억", "조")
_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_TWENTY = "스무"
_MARKS = re.compile("[^가-힣]+")
_NO_LETTER = re.compile(r"[^가-힣0-9]+$")


class Word(str):
    """A text that takes its particle in `format`: f"{Word('책'):은}" is 책은, f"{Word('나무'):’은}" 나무’는."""

    def __format__(self, asked: str) -> str:
        particle = _MARKS.sub("", asked)
        return str(self) + asked.removesuffix(particle) + (fitting(self, particle) if particle else "")


def fitting(word: str, particle: str) -> str:
    """The form of a particle (은, 이, 을, 과, 으로, …) after `word`; raises KeyError for an unknown one."""
    after_vowel, final = _PARTICLES[particle], _final(word)
    is_open = final == 0 or (particle == "으로" and final == _RIEUL)
    return after_vowel if is_open else particle


def _final(word: str) -> int:
    """Number of the last syllable's final consonant, 0 without one; digits as they are read."""
    bare = _NO_LETTER.sub("", word)
    last = bare[-1:]
    if last == "0" and bare[-2:-1] in set("0123456789,"):
        last = "십" if not re.search(r"0[0,]*0$", bare) else "백"
    last = _DIGITS.get(last, last)
    return (ord(last) - ord("가")) % _NUM_FINALS if last else 0


def sino(number: int) -> str:
    """35700 → 삼만 오천칠백, spaced by myriads as the spelling rules ask."""
    if number == 0:
        return _DIGITS["0"]
    groups = []
    for myriad in _MYRIADS:
        number, group = divmod(number, 10_000)
        if group:
            read = "".join(
                ("" if digit == "1" and unit else _DIGITS[digit]) + unit
                for digit, unit in zip(f"{group:04d}", reversed(_UNITS), strict=True)
                if digit != "0"
            )
            groups.append(("" if group == 1 and myriad == _MYRIADS[1] and not number else read) + myriad)
    return " ".join(reversed(groups))


def native(number: int) -> str:
    """Before a counter: 3 → 세, 20 → 스무, 21 → 스물한. From 1 to 99; raises ValueError beyond."""
    if not 1 <= number <= 99:
        raise ValueError(number)
    tens, ones = divmod(number, 10)
    return _TWENTY if number == 20 else _TENS[tens] + _ONES[ones]
