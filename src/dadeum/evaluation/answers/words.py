"""Names and numbers of figures of free answers, in both languages."""

from __future__ import annotations

import math

from dadeum.core.words import MISSING, Words, number, plain, told
from dadeum.evaluation.answers.scores import Difference
from dadeum.evaluation.report_words import interval, rate, signed
from dadeum.evaluation.scores import Measured

_MOST_DECIMALS = 1e5


def metric_name(metric: str) -> Words:
    """`speech_level` → its name; a figure that this program does not know keeps its own."""
    return told(f"evaluate.metrics.{metric}.name", {}) or plain(metric)


def metric_meaning(metric: str) -> Words:
    return told(f"evaluate.metrics.{metric}.what", {}) or plain("")


def figure(metric: str, value: float | None) -> str:
    """0.3124 → 0.312; a perplexity 34.12 → 34.1, since its third digit is noise."""
    if metric != "perplexity" or value is None or not math.isfinite(value):
        return rate(value)
    return number(value, 1) if value < _MOST_DECIMALS else f"{value:.1e}"


def figure_interval(metric: str, found: Measured) -> Words:
    """0.290~0.334 (ko), 0.290 to 0.334 (en)."""
    return interval(figure(metric, found.low), figure(metric, found.high), found)


def change(metric: str, value: float) -> str:
    """+0.021, or +3.4 of a perplexity."""
    return signed(value, digits=1) if metric == "perplexity" else signed(value)


def change_interval(metric: str, found: Difference) -> Words:
    low, high = change(metric, found.low), change(metric, found.high)
    measured = Measured(value=found.value, low=found.low, high=found.high)
    return plain(MISSING) if math.isnan(found.value) else interval(low, high, measured, "units.signed_interval")
