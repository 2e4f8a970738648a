"""ROUGE-1, -2, -L over Korean morphemes and their mean, the figure that Korean summary contests rank by.

With several references of a row: the mean over them, as those contests take it; the best one has names of its own
(`rouge_1_max`), as rouge_score's `score_multi` takes it. Particles and endings count, so a sentence that fits every
dialogue gets some: read it beside the content words and the baselines.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.measured import Notice
from dadeum.core.rouge import Rouge
from dadeum.core.rouge import signature as signature_of
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._references import Better, rouges, several

TASKS = ("summarize", "answer")
BY_VALUE = True
FIGURES: dict[str, Better] = {
    "rouge": "higher", "rouge_1": "higher", "rouge_2": "higher", "rouge_l": "higher",
    "rouge_1_max": "higher", "rouge_2_max": "higher", "rouge_l_max": "higher",
}  # fmt: skip


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """0..1; 0 for an empty answer, NaN without a word in the reference; the best where some row has several."""
    found = rouges(asked, content_words=False)
    counted = {"rouge": _mean, "rouge_1": _first, "rouge_2": _second, "rouge_l": _longest}
    figures = {
        name: np.array([np.mean([of(each) for each in row]) if row else np.nan for row in found], dtype=float)
        for name, of in counted.items()
    }
    best = {name: counted[name] for name in ("rouge_1", "rouge_2", "rouge_l")}
    known = several(asked)
    for name, of in best.items():
        highest = [max(map(of, row)) if row and known else np.nan for row in found]
        figures[f"{name}_max"] = np.array(highest, dtype=float)
    return figures


def signature() -> str:
    return signature_of()


def notices(asked: Asked) -> list[Notice]:
    """How many rows have more than one reference, where some do."""
    num = several(asked)
    values: dict[str, str | int | float] = {"num": num, "total": len(asked.rows)}
    return [Notice(key="evaluate.metrics.rouge.several", values=values)] if num else []


def _mean(found: Rouge) -> float:
    return found.mean


def _first(found: Rouge) -> float:
    return found.r1


def _second(found: Rouge) -> float:
    return found.r2


def _longest(found: Rouge) -> float:
    return found.rl
