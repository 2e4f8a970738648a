"""Reward `rouge`: content words shared with what people wrote; mean of ROUGE-1, -2 and -L, 0..1.

Of several references the best counts. Content words only: particles and endings alone would be rewarded otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dadeum.core.examples import Example
from dadeum.core.rouge import rouge_many
from dadeum.tasks.summarize import references

if TYPE_CHECKING:
    from dadeum.training.work import Work


def rate(work: Work, rows: list[Example], answers: list[str]) -> np.ndarray:
    """0 no word in common, 1 the same content words in the same order as one of the references."""
    found = rouge_many(answers, [references(row) for row in rows], content_words=True)
    return np.array([max((one.mean for one in several), default=0.0) for several in found])
