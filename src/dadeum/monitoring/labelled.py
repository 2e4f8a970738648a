"""What people said about answers: thumbs, and whether confidence means what it says where the right label came back.

People answer when something is wrong more often than when all is well: feedback is no random sample, and every figure
here stands beside how much of the traffic it speaks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from dadeum.core.measured import Measured, Part
from dadeum.core.stats import bootstrap
from dadeum.evaluation.decide.calibration import stated
from dadeum.evaluation.scores import Bin
from dadeum.gateway.preferences import latest
from dadeum.gateway.store.entries import Entry, Feedback
from dadeum.monitoring.tally import is_taught
from dadeum.monitoring.window import Rate, rate

LEAST_CALIBRATION = 50
"""Labelled decisions; with fewer, ten bins hold five rows each and ECE is mostly chance."""
_SEED = 0
_SAMPLES = 1000


class Calibrated(Part):
    num: int
    right: Rate
    confidence: float
    """Mean."""
    ece: Measured
    brier: Measured
    """Of the chosen label: mean of (confidence − right)², 0 to 1."""
    gap: Measured
    """Mean confidence − share right: above 0 the model is surer than it should be."""
    bins: list[Bin]


class Labelled(Part):
    """Feedback on the requests of the period; of several about one request the last word on each question counts."""

    num: int
    """Requests with any."""
    coverage: Rate
    """Of answers."""
    up: Rate
    """Of ratings."""
    corrections: int
    labels: Rate
    """Decisions whose right label came back, of all decisions."""
    labels_by_label: dict[str, Rate]
    """The same by what the model had said: unequal shares tell that people choose what they answer to."""
    confidence_labelled: float | None
    confidence_rest: float | None
    """Mean confidence of decisions without a label; far from the other, the labelled ones are no sample of them."""
    unknown: int
    """Feedback on requests outside the period."""
    calibration: Calibrated | None
    """None below LEAST_CALIBRATION labels."""


class Feedbacks:
    """Feedback by request, matched with entries as these are read."""

    def __init__(self, feedback: Iterable[Feedback]) -> None:
        self._said = latest(feedback)
        self._matched: set[str] = set()
        self._answers = 0
        self._decided: Counter[str] = Counter()
        self._labelled: Counter[str] = Counter()
        self._confidence: dict[bool, list[float]] = {True: [], False: []}
        self._right: list[bool] = []

    def see(self, entry: Entry) -> None:
        if entry.shadow_of or entry.status >= 400:
            return
        self._answers += 1
        said = self._said.get(entry.request_id)
        if said is not None:
            self._matched.add(entry.request_id)
        if not entry.label or entry.confidence is None or not is_taught(entry):
            return
        has_label = said is not None and said.label is not None
        self._decided[entry.label] += 1
        self._confidence[has_label].append(entry.confidence)
        if said is not None and has_label:
            self._labelled[entry.label] += 1
            self._right.append(said.label == entry.label)

    def labelled(self) -> Labelled:
        found = [self._said[request_id] for request_id in sorted(self._matched)]
        ratings = Counter(each.rating for each in found if each.rating)
        with_label, rest = (self._confidence[key] for key in (True, False))
        return Labelled(
            num=len(found),
            coverage=rate(len(found), self._answers),
            up=rate(ratings["up"], sum(ratings.values())),
            corrections=sum(each.correction is not None or each.correction_characters > 0 for each in found),
            labels=rate(len(self._right), sum(self._decided.values())),
            labels_by_label={name: rate(self._labelled[name], num) for name, num in sorted(self._decided.items())},
            confidence_labelled=float(np.mean(with_label)) if with_label else None,
            confidence_rest=float(np.mean(rest)) if rest else None,
            unknown=len(self._said) - len(found),
            calibration=calibrated(np.array(with_label), np.array(self._right)) if with_label else None,
        )


def calibrated(confidence: np.ndarray, right: np.ndarray) -> Calibrated | None:
    """None for too few; every interval by drawing decisions with replacement."""
    if len(right) < LEAST_CALIBRATION:
        return None
    error = (confidence - right) ** 2
    gap = confidence - right

    def measured(value: object) -> Measured:
        return Measured(**vars(value))

    return Calibrated(
        num=len(right),
        right=rate(int(right.sum()), len(right)),
        confidence=float(confidence.mean()),
        ece=measured(bootstrap(lambda rows: stated(confidence[rows], right[rows])[0], len(right), _SEED, _SAMPLES)),
        brier=measured(bootstrap(lambda rows: float(error[rows].mean()), len(right), _SEED, _SAMPLES)),
        gap=measured(bootstrap(lambda rows: float(gap[rows].mean()), len(right), _SEED, _SAMPLES)),
        bins=stated(confidence, right)[1],
    )
