"""Reward `length`: 1 within the usual length of the training answers, falling to 0 outside.

Usual is from the 10th percentile `a` to the 90th `b` of their characters. n < a: n / a. n > b: 1 - (n - b) / b, not
below 0, so twice the usual is worth nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dadeum.core.examples import Example
from dadeum.training.rewards._taught import Taught, length, taught

if TYPE_CHECKING:
    from dadeum.training.work import Work


def rate(work: Work, rows: list[Example], answers: list[str]) -> np.ndarray:
    """0..1."""
    usual = taught(work)
    return np.array([worth(length(answer), usual) for answer in answers])


def worth(characters: int, usual: Taught) -> float:
    """By hand, usual 40..80: 10 characters 0.25, 60 characters 1, 100 characters 0.75, 200 characters 0."""
    if characters < usual.shortest:
        return characters / usual.shortest
    return max(0.0, 1 - max(0.0, characters - usual.longest) / usual.longest) if usual.longest else 0.0
