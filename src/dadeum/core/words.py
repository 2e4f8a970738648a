"""Words and numbers on a page: every sentence carries both languages, every number one way to be written.

A Words value renders as two spans (`lang="ko"`, `lang="en"`); CSS shows one of them, so a page needs no script
to be read and no second file to be translated. Numbers never claim more than they know.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

from dadeum.core.findings import Finding
from dadeum.core.messages import Message, catalogue, text

MISSING = "–"
MINUS = "\N{MINUS SIGN}"
_SENTENCE_END = re.compile(r"(?<=\.) ")
_MOST_DIGITS = 4
_CODE = re.compile("`([^`]+)`")
_PERCENT = re.compile(r"\.(\d)%")
_KIND = re.compile("[a-z][a-z0-9_]*")
_COUNTED = {"kind", "kinds", "others", "problems", "reasons"}
"""Values of a finding that count kinds of what was found."""


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


def wording(key: str, **values: Any) -> Words:
    """The message `key`; a Words value is filled in by language."""
    return Words(*(text(key, language, **_in(language, values)) for language in ("ko", "en")))


def wording_or(key: str, fallback: str) -> Words:
    """The message `key`, or `fallback` as it is: names that come from data may be new to us."""
    return wording(key) if key in catalogue("ko") else plain(fallback)


def worded(message: Message) -> Words:
    """A message in both languages."""
    return wording(message.key, **message.values)


def told(key: str, values: dict[str, Any]) -> Words | None:
    """A message of another area, named by what a step wrote; None when no such sentence can be made.

    What is on disk may be older or newer than this program: a key that is gone, or a blank that the step did not
    fill, must not cost the reader the page. The caller shows the key and the values instead.
    """
    if key not in catalogue("ko") or key not in catalogue("en"):
        return None
    try:
        return wording(key, **values)
    except (LookupError, ValueError):
        return None


def finding_title(finding: Finding) -> Words:
    """What a check found, in a sentence; its name and values where the check has none."""
    values = ", ".join(f"{name}={value}" for name, value in finding.values.items())
    return finding_words(finding, "title") or plain(f"{finding.name} ({values})" if values else finding.name)


def finding_words(finding: Finding, part: str) -> Words | None:
    """`checks.<name>.<part>` filled from the finding; None when the check has no such sentence.

    Kinds that a check counts (`zero_width 3, bom 1`) are said in words where `page.kinds` has them, thousands are
    separated, and 5 of 22,113 rows are not 0.0 % of them.
    """
    values = {"count": finding.count, "total": finding.total} | finding.values
    said = {name: kinds(value) if name in _COUNTED else _readable(value) for name, value in values.items()}
    return told(f"checks.{finding.name}.{part}", said)


class _Whole(int):
    def __format__(self, how: str) -> str:
        return super().__format__(how or ",")


class _Share(float):
    def __format__(self, how: str) -> str:
        digits = _PERCENT.fullmatch(how)
        return percent(float(self), int(digits[1])) if digits else super().__format__(how)


def _readable(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return _Whole(value) if isinstance(value, int) else _Share(value)


def kinds(value: object) -> Words:
    """Every word of ours in a text by its name in `page.kinds` or `data.reason`, in both languages."""
    return Words(*(_KIND.sub(partial(_kind_name, catalogue(language)), str(value)) for language in ("ko", "en")))


def _kind_name(names: dict[str, str], match: re.Match[str]) -> str:
    return names.get(f"page.kinds.{match[0]}") or names.get(f"data.reason.{match[0]}", match[0])


def _in(language: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.get(language) if isinstance(value, Words) else value for name, value in values.items()}


# -- numbers --------------------------------------------------------------------------------------
def percent(value: float | None, digits: int = 1) -> str:
    """0.9234 → 92.3%. More digits where one would claim that all rows are right, or none: 0.9998 → 99.98%."""
    if value is None or math.isnan(value):
        return MISSING
    claims_all_or_none = f"{100 * abs(value):.{digits}f}" in (f"{0:.{digits}f}", f"{100:.{digits}f}")
    if claims_all_or_none and value not in (0, 1, -1) and digits < _MOST_DIGITS:
        return percent(value, digits + 1)
    return f"{100 * value:.{digits}f}%".replace("-", MINUS)


def number(value: Any, digits: int = 0) -> str:
    """Thousands separated; anything that is no number as it is, nothing as a dash."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return MISSING if value is None else str(value)
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.{digits}f}".replace("-", MINUS)


def rows(num: int) -> Words:
    """1건, 1,200건 (ko); 1 row, 1,200 rows (en)."""
    return wording("page.units.row" if num == 1 else "page.units.rows", num=num)


def duration(seconds: float | None) -> Words:
    """0.4 s, 12 s, 8 min 42 s, 3 h 5 min."""
    if seconds is None or math.isnan(seconds):
        return plain(MISSING)
    if seconds < 10:
        return wording("page.units.seconds", seconds=f"{seconds:.1f}")
    whole = round(seconds)
    if whole < 60:
        return wording("page.units.seconds", seconds=whole)
    if whole < 3600:
        return wording("page.units.minutes", minutes=whole // 60, seconds=whole % 60)
    return wording("page.units.hours", hours=whole // 3600, minutes=whole % 3600 // 60)
