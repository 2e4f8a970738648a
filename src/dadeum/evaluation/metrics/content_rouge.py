"""ROUGE over content words alone: nouns, verbs, adjectives, adverbs, numbers; no particles, endings or speakers.

The verdict on summaries rests on `content_rouge_l`: a sentence that fits every dialogue ("the two talk") gets next to
nothing from it, while ROUGE over all morphemes gives that sentence as much as it gives a real summary.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.rouge import signature as signature_of
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._references import Better, rouges, several

TASKS = ("summarize", "answer")
BY_VALUE = True
FIGURES: dict[str, Better] = {
    "content_rouge_1": "higher", "content_rouge_2": "higher", "content_rouge_l": "higher",
    "content_rouge_l_max": "higher",
}  # fmt: skip


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """0..1, the mean over a row's references; 0 for an empty answer, NaN without a content word in the reference."""
    found = rouges(asked, content_words=True)
    means = np.array(
        [np.mean([(one.r1, one.r2, one.rl) for one in row], axis=0) if row else [np.nan] * 3 for row in found]
    )
    means = means.reshape(len(found), 3)
    known = several(asked)
    highest = [max(one.rl for one in row) if row and known else np.nan for row in found]
    return {
        "content_rouge_1": means[:, 0],
        "content_rouge_2": means[:, 1],
        "content_rouge_l": means[:, 2],
        "content_rouge_l_max": np.array(highest, dtype=float),
    }


def signature() -> str:
    return signature_of(content_words=True)
