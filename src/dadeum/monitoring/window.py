"""A stretch of time in figures: volumes, uptime, response times, statuses, label rates, confidence, lengths.

Uptime is the share of minutes with a successful answer among the minutes in which the service was asked for one:
requests that were wrong themselves (4xx but 429) or whose sender left ask for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from dadeum.core.measured import Part
from dadeum.evaluation.crisis import wilson
from dadeum.monitoring.tally import CONFIDENCE, LENGTHS, SECONDS, Tally

LEAST_P95, LEAST_P99 = 20, 100
"""Fewer answers than these have nothing beyond the quantile: it would only be the slowest one."""
CONFIDENCE_BINS = 10


class Rate(Part):
    """A share with its 95 % interval (Wilson)."""

    num: int
    total: int
    value: float | None
    low: float
    high: float


class Times(Part):
    """Seconds; None where too few answers say it."""

    num: int
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Lengths(Part):
    num: int
    median: float
    p5: float
    p95: float


class Window(Part):
    """Requests from `start` up to but without `end`."""

    start: datetime
    end: datetime
    num: int
    answered: int
    """With a status below 400."""
    shadows: int
    """Answers of versions that nobody sees; in no other figure."""
    own_questions: int
    """Decisions between options that the request brought; in no label rate."""
    uptime: Rate
    """Of minutes."""
    errors: Rate
    """Requests that ended with 500 or more, of all."""
    refusals: Rate
    """Answers that say that they cannot answer, of all answers."""
    times: dict[str, Times]
    """total_s, first_token_s, waited_s."""
    statuses: dict[int, int]
    reasons: dict[str, int]
    routes: dict[str, int]
    variants: dict[str, int]
    """`experiment/variant`."""
    labels: dict[str, Rate]
    confidence: list[int]
    """Answers per tenth of confidence, from 0 to 1."""
    confidence_mean: float | None
    lengths: dict[str, Lengths]


def window_of(tally: Tally, start: datetime, end: datetime) -> Window:
    decided = sum(tally.labels.values())
    confidence = np.asarray(tally.values.get(CONFIDENCE, ()), dtype=float)
    broken = sum(num for status, num in tally.statuses.items() if status >= 500)
    return Window(
        start=start,
        end=end,
        num=tally.num,
        answered=tally.answered,
        shadows=tally.shadows,
        own_questions=tally.own_questions,
        uptime=rate(len(tally.minutes_answered & tally.minutes_asked), len(tally.minutes_asked)),
        errors=rate(broken, tally.num),
        refusals=rate(tally.refusals, tally.answered),
        times={name: times(tally.values.get(name, ())) for name in SECONDS},
        statuses=dict(sorted(tally.statuses.items())),
        reasons=_commonest(tally.reasons),
        routes=_commonest(tally.routes),
        variants=_commonest(tally.variants),
        labels={name: rate(num, decided) for name, num in _commonest(tally.labels).items()},
        confidence=np.histogram(confidence, CONFIDENCE_BINS, (0, 1))[0].tolist(),
        confidence_mean=float(confidence.mean()) if confidence.size else None,
        lengths={name: _lengths(tally.values[name]) for name in LENGTHS if tally.values.get(name)},
    )


def rate(num: int, total: int) -> Rate:
    low, high = wilson(num, total)
    return Rate(num=num, total=total, value=num / total if total else None, low=low, high=high)


def times(seconds: Sequence[float]) -> Times:
    found = np.asarray(seconds, dtype=float)
    if not found.size:
        return Times(num=0)
    p50, p95, p99 = (float(value) for value in np.quantile(found, [0.5, 0.95, 0.99]))
    return Times(
        num=found.size,
        mean=float(found.mean()),
        p50=p50,
        p95=p95 if found.size >= LEAST_P95 else None,
        p99=p99 if found.size >= LEAST_P99 else None,
    )


def _lengths(values: Sequence[float]) -> Lengths:
    p5, median, p95 = (float(value) for value in np.quantile(np.asarray(values), [0.05, 0.5, 0.95]))
    return Lengths(num=len(values), median=median, p5=p5, p95=p95)


def _commonest(counted: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
