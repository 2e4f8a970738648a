"""chrF++ of the whole corpus (Popović 2017) by sacrebleu: character 1- to 6-grams and word 1- and 2-grams.

Texts are composed (NFC) first: the same sentence in decomposed Hangul would share almost nothing with itself.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.letters import tidy
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._references import Better, references_of

TASKS = ("summarize", "answer")
FIGURES: dict[str, Better] = {"chrf_pp": "higher"}
BY_VALUE = True

_ORDERS = 6 + 2
_BETA = 2


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """Per row and order: n-grams of the answer, of its nearest reference, and those of both."""
    from sacrebleu.metrics.chrf import CHRF

    counts = np.full((len(asked.rows), 3 * _ORDERS), np.nan)
    wanted = references_of(asked)
    judged = [place for place, texts in enumerate(wanted) if texts]
    if judged:
        widest = max(len(wanted[place]) for place in judged)
        columns = [[_at(wanted[place], number) for place in judged] for number in range(widest)]
        scorer = CHRF(word_order=2, beta=_BETA)
        answers = [tidy(asked.answers[place]) for place in judged]
        # sacrebleu's own bootstrap reads these counts too; nothing public gives them.
        counts[judged] = scorer._extract_corpus_statistics(answers, columns)  # type: ignore[arg-type]
    return {"chrf_pp": counts}


def combine(sums: np.ndarray) -> np.ndarray:
    """0..1: precision and recall averaged over the orders that both sides have, recall counted twice."""
    written, wanted, shared = (sums[:, place::3] for place in range(3))
    both = (written > 0) & (wanted > 0)
    num = np.maximum(both.sum(axis=1), 1)
    precision = np.where(both, shared / np.maximum(written, 1), 0).sum(axis=1) / num
    recall = np.where(both, shared / np.maximum(wanted, 1), 0).sum(axis=1) / num
    total = _BETA**2 * precision + recall
    found: np.ndarray = np.where(total > 0, (1 + _BETA**2) * precision * recall / np.where(total > 0, total, 1), 0.0)
    return found


COMBINE = {"chrf_pp": combine}


def signature() -> str:
    from importlib.metadata import version

    return f"case:mixed|eff:yes|nc:6|nw:2|space:no|norm:nfc|version:{version('sacrebleu')}"


def _at(texts: list[str], number: int) -> str | None:
    """None where a row has fewer references than another."""
    return texts[number] if number < len(texts) else None
