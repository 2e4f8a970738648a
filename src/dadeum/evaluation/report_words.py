"""Words and numbers of the report: every sentence carries both languages, every number one way to be written.

A Words value renders as two spans (`lang="ko"`, `lang="en"`); CSS shows one of them, so the page needs no
script to be read and no second file to be translated.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from html import escape
from typing import Any

from dadeum.core.messages import catalogue, text
from dadeum.evaluation.scores import Measured

MISSING = "–"
_MINUS = "\N{MINUS SIGN}"
_FIXED_SPACE = "\N{NO-BREAK SPACE}"
_SENTENCE_END = re.compile(r"(?<=\.) ")
_MOST_DIGITS = 4
_CODE = re.compile("`([^`]+)`")


class Html(str):
    """Markup that is safe already: Jinja does not escape what has `__html__`."""

    def __html__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Words:
    """One sentence in both languages."""

    ko: str
    en: str

    def __html__(self) -> str:
        if self.ko == self.en:
            return escape(self.ko)
        korean, english = (_CODE.sub(r"<code>\1</code>", escape(sentence)) for sentence in (self.ko, self.en))
        return f'<span lang="ko">{korean}</span><span lang="en">{english}</span>'

    def tspans(self) -> str:
        """The same inside an SVG `<text>`."""
        if self.ko == self.en:
            return escape(self.ko)
        return f'<tspan lang="ko">{escape(self.ko)}</tspan><tspan lang="en">{escape(self.en)}</tspan>'

    def sentences(self) -> list[Words]:
        """Split after full stops, so that a headline can break between its sentences."""
        korean, english = (_SENTENCE_END.split(sentence) for sentence in (self.ko, self.en))
        return [Words(*pair) for pair in zip(korean, english, strict=True)] if len(korean) == len(english) else [self]

    def get(self, language: str) -> str:
        """The sentence in `ko` or `en`."""
        return self.ko if language == "ko" else self.en


def plain(value: object) -> Words:
    """Text that is the same in both languages: names, data, numbers."""
    return Words(str(value), str(value))


def say(key: str, **values: Any) -> Words:
    """The message `report.<key>`; a Words value is filled in by language."""
    return Words(*(text(f"report.{key}", language, **_in(language, values)) for language in ("ko", "en")))


def say_or(key: str, fallback: str) -> Words:
    """The message `report.<key>`, or `fallback` as it is: names that come from data may be new to us."""
    return say(key) if f"report.{key}" in catalogue("ko") else plain(fallback)


def told(key: str, values: dict[str, Any]) -> Words | None:
    """A message of another area, named by what a step wrote; None when no such sentence can be made.

    A run folder may be older or newer than this program: a key that is gone, or a blank that the step did not
    fill, must not cost the reader the report. The caller shows the key and the values instead.
    """
    if key not in catalogue("ko") or key not in catalogue("en"):
        return None
    try:
        return Words(text(key, "ko", **values), text(key, "en", **values))
    except (LookupError, ValueError):
        return None


def _in(language: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.get(language) if isinstance(value, Words) else value for name, value in values.items()}


# -- names ----------------------------------------------------------------------------------------
def system_name(system: str) -> Words:
    """`tfidf` → TF-IDF + logistic regression; an unknown system keeps its own name."""
    return say_or(f"systems.{system}", system)


def short_name(system: str) -> Words:
    return say_or(f"short.{system}", system)


# -- numbers --------------------------------------------------------------------------------------
def percent(value: float | None, digits: int = 1) -> str:
    """0.9234 → 92.3%. More digits where one would claim that all rows are right, or none: 0.9998 → 99.98%."""
    if value is None or math.isnan(value):
        return MISSING
    claims_all_or_none = f"{100 * abs(value):.{digits}f}" in (f"{0:.{digits}f}", f"{100:.{digits}f}")
    if claims_all_or_none and value not in (0, 1, -1) and digits < _MOST_DIGITS:
        return percent(value, digits + 1)
    return f"{100 * value:.{digits}f}%".replace("-", _MINUS)


def rate(value: float | None) -> str:
    """0.9234 → 0.923."""
    return MISSING if _absent(value) else f"{value:.3f}".replace("-", _MINUS)


def percent_interval(measured: Measured) -> Words:
    """89.5~94.7% (ko), 89.5–94.7% (en)."""
    return interval(percent(measured.low).removesuffix("%"), percent(measured.high), measured)


def rate_interval(measured: Measured) -> Words:
    """0.895~0.947 (ko), 0.895–0.947 (en)."""
    return interval(rate(measured.low), rate(measured.high), measured)


def interval(low: str, high: str, measured: Measured, key: str = "units.interval") -> Words:
    """Two ends written out; a dash when the bootstrap gave none (a class missing from every resample)."""
    if _absent(measured.low) or _absent(measured.high):
        return plain(MISSING)
    return say(key, low=low, high=high)


def signed(value: float | None, factor: float = 1.0, digits: int = 3) -> str:
    """+0.021 or −0.021; with factor 100 in percentage points."""
    return MISSING if _absent(value) else f"{factor * value:+.{digits}f}".replace("-", _MINUS)  # type: ignore[operator]


def points(value: float) -> Words:
    """A difference of two percentages: 0.021 → +2.1 %p (ko), +2.1 points (en)."""
    return say("units.points", value=signed(value, 100, 1))


def points_interval(measured: Measured) -> Words:
    """-0.058, 0.002 → −5.8~+0.2 %p."""
    both = signed_interval(measured, 100, 1)
    return both if both.ko == MISSING else say("units.points", value=both)


def signed_interval(measured: Measured, factor: float = 1.0, digits: int = 3) -> Words:
    """The interval of a difference: −0.058 ~ +0.002."""
    low, high = (signed(end, factor, digits) for end in (measured.low, measured.high))
    return interval(low, high, measured, "units.signed_interval")


def resolution(measured: Measured) -> Words:
    """Half the width of the interval of a difference, in points without a sign: what this test can tell apart."""
    return say("units.points", value=f"{50 * (measured.high - measured.low):.1f}")


def p_value(value: float) -> str:
    """p = 0.012, or p < 0.001: more digits would be noise."""
    return ("p < 0.001" if value < 0.001 else f"p = {value:.3f}").replace(" ", _FIXED_SPACE)


def rows(num: int) -> Words:
    return say("units.row" if num == 1 else "units.rows", num=num)


def duration(seconds: float | None) -> Words:
    """0.4 s, 12 s, 8 min 42 s, 3 h 5 min."""
    if _absent(seconds):
        return plain(MISSING)
    assert seconds is not None
    if seconds < 10:
        return say("units.seconds", seconds=f"{seconds:.1f}")
    whole = round(seconds)
    if whole < 60:
        return say("units.seconds", seconds=whole)
    if whole < 3600:
        return say("units.minutes", minutes=whole // 60, seconds=whole % 60)
    return say("units.hours", hours=whole // 3600, minutes=whole % 3600 // 60)


def number(value: Any, digits: int = 0) -> str:
    """Thousands separated; anything that is no number as it is, nothing as a dash."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return MISSING if value is None else str(value)
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.{digits}f}".replace("-", _MINUS)


def _absent(value: float | None) -> bool:
    return value is None or math.isnan(value)
