"""Every quotation mark and bracket that opens also closes; where one does not, an answer was cut or glued together.

Not looked at: code, list markers "1)", emoticons, apostrophes, intervals "[0, 1)", inches.
"""

from __future__ import annotations

import re

from dadeum.core.findings import Severity, Span
from dadeum.data.texts.prose import without_code

CODE = "KO109"
NAME = "quotes"
SEVERITY: Severity = "warn"
PARTS = "answers"

WARN_SHARE = 0.01
"""Share of rows from which this is a warning; 3 of 464 real documents and none of 8,500 real answers have one."""
_PAIRS = {
    "“": "”",
    "‘": "’",
    "「": "」",
    "『": "』",
    "《": "》",
    "〈": "〉",
    "(": ")",
    "（": "）",
    "[": "]",
    "【": "】",
}
_OPENERS = {closer: opener for opener, closer in _PAIRS.items()}
_COUNTS = [(opener, closer) for opener, closer in _PAIRS.items() if opener != "‘"]
_ANY = re.compile(
    '["‘' + "".join(mark for pair in _COUNTS for mark in pair).replace("[", r"\[").replace("]", r"\]") + "]"
)
_NO_PAIR = re.compile(
    r"(?<![^\s(\[,·/:|>*])(?:\d{1,3}|[가-힣ㄱ-ㅎA-Za-z]|[ivxIVX]{1,4})\)"  # 1) 가) a) iv)
    r"|[:;=8xX][-~^'o]?[()\[\]]+"  # :) ;-(
    r"|[(\[]+[-~^'o]?[:;=](?![가-힣A-Za-z0-9])"
    r"|[\^ㅠㅜㅎㅋTㅡ>_;ㅇ•°´`*]+\)+"  # ^^) ㅎㅎ)
    r"|[\[(]\s*-?[\d.]+\s*,\s*-?[\d.∞a-z]+\s*[\])]"  # [0, 1)
    r"|\d\s?[\"”](?=[\s,)가-힣]|$)"  # 15"
    r"|(?<=[A-Za-z가-힣\d])[’'](?=[A-Za-z])|[‘’](?=\d\d)"  # don’t, ’24
)
_LONE_BRACE = re.compile(r"(?<!\S)\{(?=[가-힣])|(?<=[가-힣.])\}(?=\s|$)")


def find(text: str) -> list[Span]:
    """The marks without a partner; kind `quote` or `bracket`."""
    if _ANY.search(text) is None or _is_balanced(text):
        return _lone_brace(text) if "{" in text or "}" in text else []
    text = without_code(text)
    markers = {at for match in _NO_PAIR.finditer(text) for at in _loose(text, match)}
    return sorted([*_unpaired(text, markers), *_odd_straight(text, markers)])


def _lone_brace(text: str) -> list[Span]:
    """The only brace of a text, at the edge of a Korean word: no template, no code."""
    if text.count("{") + text.count("}") != 1 or '"' in text or "\\" in text:
        return []
    return [Span(*match.span(), "bracket") for match in _LONE_BRACE.finditer(without_code(text))]


def _is_balanced(text: str) -> bool:
    pairs = all(text.count(opener) == text.count(closer) for opener, closer in _COUNTS)
    return pairs and text.count('"') % 2 == 0 and text.count("‘") <= text.count("’")


def _loose(text: str, match: re.Match[str]) -> range:
    """The places of a marker or emoticon; none where its bracket closes one that is open ("(주 1)")."""
    before = text[max(0, match.start() - 40) : match.start()]
    if match.group()[-1] == ")" and before.count("(") > before.count(")"):
        return range(0)
    return range(match.start(), match.end())


def _unpaired(text: str, skipped: set[int]) -> list[Span]:
    open_marks: list[tuple[str, int]] = []
    found = []
    for at, character in enumerate(text):
        if character in _PAIRS and at not in skipped:
            open_marks.append((character, at))
        elif character in _OPENERS and at not in skipped:
            place = next((n for n, (mark, _) in enumerate(reversed(open_marks)) if mark == _OPENERS[character]), None)
            if place is not None:
                del open_marks[len(open_marks) - 1 - place]
            elif character != "’":  # may be an apostrophe
                found.append(at)
    found += [at for _, at in open_marks]
    return [Span(at, at + 1, "quote" if text[at] in "“”‘「」『』《》〈〉" else "bracket") for at in found]


def _odd_straight(text: str, skipped: set[int]) -> list[Span]:
    """The last straight quotation mark of a line or paragraph that has an odd number of them."""
    marks = [at for at, character in enumerate(text) if character == '"' and at not in skipped]
    return [Span(marks[-1], marks[-1] + 1, "quote")] if len(marks) % 2 else []
