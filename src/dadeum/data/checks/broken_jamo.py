"""No syllable is in pieces: conjoining jamo that nothing joins, half-width Hangul, "안녕ㅎㅏ세요".

Chat writes jamo on purpose: ㅋㅋ, ㅠㅠ, ㅇㅇ, ㅇㅋ, ㅇㅅㅇ, "ㄱ." are fine. So only a consonant and a vowel that would
make a syllable count, and not those that make a face.
"""

from __future__ import annotations

import re

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


def find(text: str) -> list[Span]:
    """Kinds `conjoining`, `half_width` and `pieces`."""
    if _SUSPECT.search(text) is None:
        return []
    return [Span(*match.span(), match.lastgroup or "") for match in _PIECES.finditer(text) if not match["whole"]]
