"""Korean text stays in Hangul: no kana, Hanja, Cyrillic or other script leaks into it, and no answer is English.

Allowed: code, links, quotations, glosses such as "경제(經濟)", single Hanja of headlines ("韓"), terms in Latin
letters, and any script in a row that speaks about that language.
"""

from __future__ import annotations

import re
from collections import Counter

from dadeum.core.examples import Example, parts
from dadeum.core.findings import Finding, Hit, Severity, Span
from dadeum.data.context import Context, listed
from dadeum.data.texts.prose import without_code, without_quotations

CODE = "KO103"
NAME = "foreign_script"
PARTS = "all"

WARN_SHARE = 0.001
"""Share of rows whose answers leak from which this is a warning; foreign mail or questions are only worth knowing."""
MIN_LATIN_SHARE = 0.7
"""Share of letters from which a text is English; the most in 8,500 real answers is 0.67 (names and masks)."""
MIN_ENGLISH_WORDS = 5
"""Different small words that a text must have to be English and not a list of terms or code."""

_KANA = "\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d"
_HANJA = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CYRILLIC = "\u0400-\u052f"
_OTHER = "\u0590-\u05ff\u0600-\u06ff\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1200-\u137f\u1780-\u17ff"
_OTHER += "\u0530-\u058f\u10a0-\u10ff"
_GREEK = "\u0370-\u03ff\u1f00-\u1fff"
_FOREIGN = re.compile(f"[{_KANA}{_HANJA}{_CYRILLIC}{_OTHER}{_GREEK}]")
_RUN = re.compile(
    f"(?P<homoglyph>[A-Za-z]+[{_CYRILLIC}]+[A-Za-z{_CYRILLIC}]*|[{_CYRILLIC}]+[A-Za-z][A-Za-z{_CYRILLIC}]*)"
    f"|(?P<kana>[{_HANJA}]*[{_KANA}][{_KANA}{_HANJA}\u30fc\uff9e\uff9f]*)"
    f"|(?P<hanja>[{_HANJA}]+)"
    f"|(?P<cyrillic>[{_CYRILLIC}]+)"
    f"|(?P<other>[{_OTHER}]+|[{_GREEK}]{{3,}})"  # one or two Greek letters are a formula
)
_CHINESE_PARTICLES = "的了们這这吗呢很她你"
_GLOSSED = re.compile(f"[{_HANJA}]+(?=\\s?[(（\\[][가-힣])")
_ABOUT = re.compile(
    "한자|한문|사자성어|고사성어|한시|논어|맹자|일본어|일어|일문|중국어|중문|간체|번체|히라가나|가타카나|러시아어|키릴|"
    "태국어|그리스어|조지아어|아르메니아어|아랍어|몽골어|우크라이나어|불가리아어|힌디어|히브리어|외국어|번역|발음|"
    "[Jj]apanese|[Cc]hinese|[Rr]ussian|[Tt]ranslat|漢字|中文|日本語"
)
_ABOUT_ENGLISH = re.compile("영어|영문|영작|번역|[Ee]nglish|[Tt]ranslat|이메일|토익|원문|가사")
_ENGLISH = re.compile(
    r"\b(?:the|is|are|was|were|of|to|that|you|this|with|have|be|your|will|can|not|it|and|for|on|as)\b", re.IGNORECASE
)


def find(text: str) -> list[Span]:
    """Leaked scripts; for a text that is English, one span `latin` over all of it."""
    if text.isascii():
        return [Span(0, len(text), "latin")] if _is_english(text) else []
    if _FOREIGN.search(text) is None:
        return [Span(0, len(text), "latin")] if _mostly_latin(text) and _is_english(text) else []
    if _ABOUT.search(text):
        return []
    prose = without_quotations(_GLOSSED.sub(_blank, without_code(text)))
    spans = []
    for match in _RUN.finditer(prose):
        kind = match.lastgroup or ""
        if kind == "homoglyph" or len(match.group()) > 1 or _is_stuck(prose, match, kind):
            spans.append(Span(match.start(), match.end(), kind))
    return spans


def judge(context: Context, hits: list[Hit], num_rows: int) -> list[Finding]:
    """Keep what the row itself does not explain: a lesson, a translation, a question in English."""
    hits = [hit for hit in hits if not _explained(context.placed[hit.row][1], hit)]
    share = len({hit.row for hit in hits}) / max(num_rows, 1)
    kinds = Counter(hit.found["found"] for hit in hits if hit.found)
    taught = {hit.row for hit in hits if context.task == "text" or hit.part.startswith("assistant")}
    severity: Severity = "warn" if len(taught) >= max(1, WARN_SHARE * num_rows) else "info"
    values = {"places": len(hits), "share": share, "kinds": listed(kinds)}
    return context.finding(CODE, NAME, severity, hits, values, num_rows)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _is_stuck(text: str, match: re.Match[str], kind: str) -> bool:
    """A single kana beside Hangul, or a single Hanja inside a Hangul word.

    Headlines put theirs at its beginning or end ("對중국", "친文"), but never a Chinese particle ("에的").
    """
    after_hangul = "가" <= text[max(0, match.start() - 1) : match.start()] <= "힣"
    before_hangul = "가" <= text[match.end() : match.end() + 1] <= "힣"
    if kind == "kana":
        return after_hangul or before_hangul or match.group() == "の"
    return kind == "hanja" and after_hangul and (before_hangul or match.group() in _CHINESE_PARTICLES)


def _mostly_latin(text: str) -> bool:
    """More ASCII letters than MIN_LATIN_SHARE of all letters; looks closely only where ASCII abounds."""
    if len(text.encode()) > len(text) * (3 - 2 * MIN_LATIN_SHARE):
        return False
    letters = [character for character in without_code(text) if character.isalpha()]
    return sum(map(str.isascii, letters)) > MIN_LATIN_SHARE * max(len(letters), 1)


def _is_english(text: str) -> bool:
    words = {word.lower() for word in _ENGLISH.findall(without_code(text))}
    return len(words) >= MIN_ENGLISH_WORDS


def _explained(example: Example, hit: Hit) -> bool:
    others = [part for part in parts(example) if part.name != hit.part]
    if hit.found and hit.found["found"] == "latin":
        if not hit.part.startswith("assistant"):
            return True
        asked = [part.text for part in others if part.role in ("user", "system")]
        return any(_ABOUT_ENGLISH.search(text) for text in asked) or (bool(asked) and _mostly_latin(asked[-1]))
    return any(_ABOUT.search(part.text) for part in others)
