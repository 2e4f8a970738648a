"""Words and numbers of the report: names of systems, intervals, differences; the rest is `core.words`."""

from __future__ import annotations

import math
from typing import Any

from dadeum.core.measured import Measured
from dadeum.core.words import MINUS, MISSING, Words, percent, plain, wording, wording_or

_FIXED_SPACE = "\N{NO-BREAK SPACE}"


def say(key: str, **values: Any) -> Words:
    """The message `report.<key>`; a Words value is filled in by language."""
    return wording(f"report.{key}", **values)


def say_or(key: str, fallback: str) -> Words:
    """The message `report.<key>`, or `fallback` as it is: names that come from data may be new to us."""
    return wording_or(f"report.{key}", fallback)


# -- names ----------------------------------------------------------------------------------------
def system_name(system: str) -> Words:
    """`tfidf` → TF-IDF + logistic regression; an unknown system keeps its own name."""
    return say_or(f"systems.{system}", system)


def short_name(system: str) -> Words:
    return say_or(f"short.{system}", system)


# -- numbers --------------------------------------------------------------------------------------
def rate(value: float | None) -> str:
    """0.9234 → 0.923."""
    return MISSING if _absent(value) else f"{value:.3f}".replace("-", MINUS)


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
    return MISSING if _absent(value) else f"{factor * value:+.{digits}f}".replace("-", MINUS)  # type: ignore[operator]


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


def _absent(value: float | None) -> bool:
    return value is None or math.isnan(value)
