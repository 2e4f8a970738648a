"""No syllable is in pieces: conjoining jamo that nothing joins, half-width Hangul, "안녕ㅎㅏ세요".

Chat writes jamo on purpose: ㅋㅋ, ㅠㅠ, ㅇㅇ, ㅇㅋ, ㅇㅅㅇ, "ㄱ." are fine. So only a consonant and a vowel that would
make a syllable count, and not those that make a face; and a consonant beside its own syllable: "ㅂ방법", "지ㄱ접".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dadeum.core.findings import Severity, Span

CODE = "DA113"
NAME = "broken_jamo"
SEVERITY: Severity = "warn"
PARTS = "all"

_SUSPECT = re.compile("[\u1100-\u115e\u1161-\u11ff\ua960-\ua97c\ud7b0-\ud7fb\uffa1-\uffdcㄱ-ㅎ](?:[^ㄱ-ㅎ]|$)")
_LEAD, _VOWEL = "[\u1100-\u115f\ua960-\ua97c]", "[\u1160-\u11a7\ud7b0-\ud7c6]"
_FINAL = "[\u11a8-\u11ff\ud7cb-\ud7fb]"
# ㅇㅡㅇ, ㅠㅁㅠ, ㅋㅜ are faces and laughter (ㅋㅑ is a cheer): with these vowels more must speak for a syllable.
_FACE = "ㅗㅜㅠㅡ"
_NO_LAUGH = "[ㄱ-ㅊㅌㅍ]"
_PIECES = re.compile(
    # Syllables of old Hangul have no code point of their own: these jamo are meant.
    f"(?P<whole>{_LEAD}+{_VOWEL}+{_FINAL}*|[\uac00-\ud7a3]{_FINAL})"
    f"|(?P<conjoining>(?:{_LEAD}|{_VOWEL}|{_FINAL})+)"
    "|(?P<half_width>[\uffa1-\uffdc]+)"
    "|(?P<pieces>(?:(?!ㅋㅑ)[ㄱ-ㅎ][ㅏ-ㅖㅘ-ㅛㅝ-ㅟㅢㅣ])+[ㄱ-ㅎ]?"
    f"|(?<![ㅏ-ㅣ]){_NO_LAUGH}[{_FACE}](?=[가-힣])"
    f"|(?<![ㅏ-ㅣ])(?P<lead>{_NO_LAUGH})[{_FACE}](?!(?P=lead)){_NO_LAUGH}(?![ㅏ-ㅣ])"
    f"|(?<=[가-힣])[ㄱ-ㄴㄸㄹㅃㅆㅉㅊ][{_FACE}]{_NO_LAUGH}?(?![ㄱ-ㅎㅏ-ㅣ]))"
)
_LOOSE = re.compile("(?<![ㄱ-ㅎㅏ-ㅣ])[ㄱ-ㅊㅌㅍ](?![ㄱ-ㅎㅏ-ㅣ])")
_ABOUT_LETTERS = re.compile(
    "자음|모음|받침|초성|중성|종성|글자|낱자|발음|어미|어간|음운|활용|한글|자판|키보드|ㅋㅋ|ㅎㅎ|ㅠ|ㅜ"
)
"""Lessons on letters name them, and chat spells as it likes."""
_PARTICLES = (
    "과|가|까지|는|나|도|든|들|로|를|라|만|마다|보다|부터|밖에|랑|처럼|조차|은|을|에|와|의|이|으로"
    "|에서|에는|이나|이다|이란|이라는|인|입니다"
)
_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_BULLETS = "ㅇㅁㄴ"
"""ㅇ이용 안내, ㄴ네 맞아요: at the beginning of a line these are signs."""
_FINALS = "_ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_STRAY_LEAD = re.compile(
    rf"(?:^|(?<=[^가-힣ㄱ-ㅎㅏ-ㅣ]))([ㄱ-ㅊㅌㅍ])(?!(?:{_PARTICLES})(?![가-힣]))(?=([가-힣])[가-힣])", re.MULTILINE
)
_STRAY_FINAL = re.compile("(?<=[가-힣])[ㄱ-ㅊㅌㅍ](?![ㄱ-ㅎㅏ-ㅣ])")
_NUM_VOWELS, _NUM_FINALS = 21, 28


def find(text: str) -> list[Span]:
    """Kinds `conjoining`, `half_width` and `pieces`."""
    if _SUSPECT.search(text) is None:
        return []
    found = [Span(*match.span(), match.lastgroup or "") for match in _PIECES.finditer(text) if not match["whole"]]
    if not found and _LOOSE.search(text) and _ABOUT_LETTERS.search(text) is None:
        found = [Span(at, at + 1, "pieces") for at in sorted([*_stray_leads(text), *_stray_finals(text)])]
    return found


def _stray_leads(text: str) -> Iterator[int]:
    """The consonant that the syllable after it begins with, typed once too often: ㅂ방법."""
    for match in _STRAY_LEAD.finditer(text):
        lead, syllable = match.groups()
        in_line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip(" -*•·")
        if _LEADS[(ord(syllable) - 0xAC00) // (_NUM_VOWELS * _NUM_FINALS)] == lead and (
            in_line or lead not in _BULLETS
        ):
            yield match.start()


def _stray_finals(text: str) -> list[int]:
    """Finals beside their open syllable: 지ㄱ접. At the end of a word one alone is chat: "네ㅇ"."""
    places = [
        match.start()
        for match in _STRAY_FINAL.finditer(text)
        if (ord(text[match.start() - 1]) - 0xAC00) % _NUM_FINALS == 0 and match[0] in _FINALS
    ]
    inside = [at for at in places if "가" <= text[at + 1 : at + 2] <= "힣"]
    return places if inside and len(places) > 1 else inside
