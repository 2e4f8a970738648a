"""Punctuation and symbols in measure: no "!!!!!!", no walls of emoji, no text of dots and bullets."""

from __future__ import annotations

import re

from dadeum.core.findings import Severity, Span
from dadeum.data.texts.prose import without_code

CODE = "KO108"
NAME = "punctuation"
SEVERITY: Severity = "warn"
PARTS = "answers"

WARN_SHARE = 0.005
"""Share of rows from which this is a warning; none of 8,500 different real answers is so written."""
MAX_DENSITY = 0.35
"""Share of punctuation among characters that are no space; the most in 8,500 real answers is 0.33 (bullets)."""
MIN_CHARACTERS = 12
"""Shorter answers ("네!!") have no density."""
MIN_STREWN = 6
MIN_STREWN_SHARE = 0.6
"""Marks inside lines per word; our choice: no real answer here has MIN_STREWN of them."""
_STREWN = re.compile(r"(?<=[^\s])[ ]?(?:[!?~…•★☆♥※→]+|\.{2,})")
_KOREAN_WORD = re.compile("[가-힣]+")
_EMOJI = "\u2600-\u26ff\u2700-\u27bf\u2b50\u2b55\U0001f300-\U0001faff★☆♥♡◆◇■□●○▲△▶▷"
_RUN = re.compile(
    r"(?P<marks>[!?~！？][!?~！？ ]{3,}[!?~！？]|\.{7,}|…{4,}|,{3,}|;{4,}|\^{4,}|(?:[!?.,] ){5,})"
    rf"|(?P<emoji>(?:[{_EMOJI}][\ufe0f\u200d\U0001f3fb-\U0001f3ff]*[ ]?){{5,}})"
)
_RATING = re.compile("[★☆]{5}")
_ANY_EMOJI = re.compile(f"[{_EMOJI}]")
_PAIRS = (
    "!!",
    "??",
    "~~",
    "!?",
    "?!",
    "~!",
    "!~",
    "？？",
    "！！",
    "..",
    "……",
    ",,",
    ";;",
    "^^",
    "! !",
    "? ?",
    ". .",
    ", ,",
)
"""A run has one of these; looking for them first is quicker."""
_SUSPECT = re.compile(f"[!?~！？…•·★☆♥※→:;*#=^@&─━═{_EMOJI}]")
_SUSPECT_RUNS = ("..", ",,", ". .", ", ,", "--", "__")
"""Without any of these a text has commas, full stops and brackets only."""
_DEBRIS = re.compile(r"(?<=[가-힣.])[@#^&$%*`|]+(?=[가-힣])|[*_`|^@&]#[*#_`|^@&]*|#[*_`|^@&]+")
MIN_DEBRIS = 4
MIN_DEBRIS_SHARE = 0.15
"""Signs between letters per Hangul letter; our choice: emphasis has two per phrase, `**말**은` far fewer."""
_RULE = re.compile("(?<=[가-힣.!?])[─━═]{8,}")
_SLOPPY_DOTS = re.compile(r"(?<!\.)(?:\.{4,5})(?!\.)")
_MIN_SLOPPY_DOTS = 3
_REPEATED = re.compile(r"([.…~!?ㅋㅎㅠㅜ])\1+")
_TABLE_OR_RULE = re.compile(r"^[ \t]*(?:\|.*|[-=*_ ]{3,})$", re.MULTILINE)
_COUNTED = ".,!?~…·•:;*#-=_/\\|<>()[]{}\"'“”‘’「」『』※→★☆♥♡■□●○▶"


def find(text: str) -> list[Span]:
    """Runs (`marks`, `emoji`, `rule`) or signs between letters (`debris`).

    Also dots that trail off again and again (`dots`), or the whole text (`density`).
    """
    if _SUSPECT.search(text) is None and not any(run in text for run in _SUSPECT_RUNS):
        return []
    spans = _runs(text) if any(pair in text for pair in _PAIRS) or _ANY_EMOJI.search(text) else []
    if not spans and "...." in text:
        dots = [Span(match.start(), match.end(), "dots") for match in _SLOPPY_DOTS.finditer(text)]
        spans = dots if len(dots) >= _MIN_SLOPPY_DOTS else []
    if not spans:
        spans = [Span(*match.span(), "rule") for match in _RULE.finditer(text)]
    if not spans and (debris := _debris(text)):
        return debris
    if spans:
        code_free = without_code(text)
        return [span for span in spans if code_free[span.start : span.end].strip()]
    return [Span(0, len(text), "density")] if _is_dense(text) or _is_strewn(text) else []


def _runs(text: str) -> list[Span]:
    found = (match for match in _RUN.finditer(text) if not _RATING.fullmatch(match.group().strip()))
    return [Span(match.start(), match.end(), match.lastgroup or "") for match in found]


def _debris(text: str) -> list[Span]:
    """Censoring signs or pieces of Markdown between the letters, throughout ("하#나#", "예@쁜")."""
    if sum(map(text.count, "@#^&*_`|")) < MIN_DEBRIS:
        return []
    spans = [Span(*match.span(), "debris") for match in _DEBRIS.finditer(text)]
    letters = sum("가" <= character <= "힣" for character in text)
    return spans if len(spans) >= max(MIN_DEBRIS, MIN_DEBRIS_SHARE * letters) else []


def _is_strewn(text: str) -> bool:
    """A mark beside nearly every word."""
    if sum(map(text.count, "!?~…•★☆♥※→")) + text.count("..") < MIN_STREWN:
        return False
    prose = without_code(text)
    return len(_STREWN.findall(prose)) >= max(MIN_STREWN, MIN_STREWN_SHARE * len(_KOREAN_WORD.findall(prose)))


def _is_dense(text: str) -> bool:
    if len(text) < MIN_CHARACTERS or sum(map(text.count, ".!?~…·•*-=#:")) * 4 < len(text):
        return False
    prose = _REPEATED.sub(r"\1", _TABLE_OR_RULE.sub("", without_code(text)))
    written = [character for character in prose if not character.isspace()]
    counted = sum(character in _COUNTED for character in written)
    has_words = any("가" <= character <= "힣" for character in written)
    return has_words and len(written) >= MIN_CHARACTERS and counted > MAX_DENSITY * len(written)
