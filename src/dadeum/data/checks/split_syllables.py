"""No text with a space between its syllables ("뉴 진 스, 월 드 투 어"), as PDF readers make of justified lines."""

from __future__ import annotations

import re

from dadeum.core.findings import Severity, Span

CODE = "KO111"
NAME = "split_syllables"
SEVERITY: Severity = "warn"
PARTS = "all"

WARN_SHARE = 0.001
"""Share of rows from which this is a warning; in 45,000 real texts only one has one, a spam subject."""
MIN_RUN = 6
"""Syllables in a row; the longest run in 23,000 real chat texts, dialogues and notice titles is five."""
MAX_WORDS_SHARE = 0.7
"""Share of syllables in a run that may be words of one syllable, so that the run is broken words and not those."""

_SYLLABLE = r"[가-힣][,.·:!?]?"
MIN_CRUMBS = 4
MIN_CRUMBS_SHARE = 0.2
"""Share of words that are a stray syllable; the most in 1,200 real dialogues and summaries is 0.13."""
MAX_MEAN_LENGTH = 3.2
"""Characters per word, space included; 4.4 is the median of real texts, 2.8 their lowest hundredth."""
_WORDS = frozenset(
    "수및만더원것안좀잘세거그이년등게중월내네후나시일건할한왜다때해걸또제단아못될몇뭐줄큰억전돼날너인응두번난주참말볼꼭갈명새올된듯"
    "돈오총차꽤봐달뭘덜데첫딱집둘반물저대외넌온적책본간눈밖형맘줘꿈밤쓸옷곳길뒤막열끝양늘쭉쫌니놀곧개살"
)
"""Words of one syllable that are common in 16,500 real rows; particles that masks leave behind taken out by hand."""
_OTHER_BLANKS = re.compile("[\u00a0\u2000-\u200a\u202f\u3000]")
_LETTER_LINES = re.compile(r"^[가-힣](?:\n[가-힣][,.!?]?){5,}$", re.MULTILINE)
_QUICK = re.compile(rf" (?:{_SYLLABLE} ){{3}}[가-힣]")
_RUN = re.compile(rf"(?<!\S){_SYLLABLE}(?:[ \t]{{1,2}}{_SYLLABLE}){{{MIN_RUN - 1},}}(?!\S)")
_SERIES = tuple(
    map(
        frozenset,
        (
            "월화수목금토일", "도레미파솔라시", "가나다라마바사아자차카타파하", "갑을병정무기경신임계",
            "자축인묘진사오미신유술해", "동서남북중", "일이삼사오육칠팔구십백천만", "하나둘셋넷",
        ),
    )
)  # fmt: skip


def find(text: str) -> list[Span]:
    """Runs of single syllables that are neither words nor an enumeration, or a text crumbled throughout."""
    if not text.isprintable():
        text = _OTHER_BLANKS.sub(" ", text)
        if lines := [Span(*match.span()) for match in _LETTER_LINES.finditer(text) if _is_broken(match.group())]:
            return lines
    runs = list(_RUN.finditer(text)) if _QUICK.search(text) else []
    if runs:
        return [Span(run.start(), run.end()) for run in runs if _is_broken(run.group())]
    return [Span(0, len(text))] if _is_crumbled(text) else []


def _is_crumbled(text: str) -> bool:
    """Spaces strewn into words without a long run: too many words of one syllable that are none."""
    num_spaces = text.count(" ")
    if num_spaces < MIN_CRUMBS or len(text) > MAX_MEAN_LENGTH * (num_spaces + 1):
        return False
    words = text.split()
    crumbs = sum("가" <= word <= "힣" and len(word) == 1 and word not in _WORDS for word in words)
    return crumbs >= max(MIN_CRUMBS, MIN_CRUMBS_SHARE * len(words))


def _is_broken(run: str) -> bool:
    syllables = [character for character in run if "가" <= character <= "힣"]
    distinct = set(syllables)
    # One syllable over and over is laughter or a cry.
    if len(distinct) < MIN_RUN - 2 or any(distinct <= series for series in _SERIES):
        return False
    return sum(syllable in _WORDS for syllable in syllables) <= MAX_WORDS_SHARE * len(syllables)
