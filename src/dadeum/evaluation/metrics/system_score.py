"""The system score: the weighted mean of finding, answering, standing in the documents and refusing.

Weights are the recipe's (`task.score_weights`). A number to follow from run to run, not to compare with others':
questions, weights and parts are one's own. A part that no row can give is left out, and the others share its weight.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.task import Answer
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics import content_rouge, context_hit, faithfulness, refusals
from dadeum.evaluation.metrics._grounded import Views
from dadeum.evaluation.metrics._references import Better

TASKS = ("answer",)
FIGURES: dict[str, Better] = {"system_score": "higher"}
GROUNDED = True

PARTS = {
    "retrieval": "context_hit", "answer": "content_rouge_l", "faithfulness": "faithfulness",
    "refusal": "refusal_accuracy",
}  # fmt: skip
"""Part → the figure behind it. Of answers that is ROUGE-L of content words with numbers by value: what the verdict
rests on, and what a sentence that fits every question gets next to nothing from, which character F1 would give it."""
_MEANS = 3
"""The first three are means over rows, each a sum and a count; then the four counts of refusals, and the weights."""


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """Counts whose sums make the score."""
    task = asked.recipe.task
    if not isinstance(task, Answer):
        return {"system_score": np.zeros((len(asked.rows), 2 * _MEANS + 4 + len(PARTS)))}
    views = Views(asked)
    measured = [views.measured(module) for module in (context_hit, content_rouge, faithfulness)]
    means = [found[name] for found, name in zip(measured, list(PARTS.values())[:_MEANS], strict=True)]
    columns = [part for values in means for part in (np.nan_to_num(values), ~np.isnan(values))]
    weights = np.array([task.score_weights.get(part, 0.0) for part in PARTS])
    refused = views.measured(refusals)["refusal_accuracy"]
    on_every_row = np.broadcast_to(weights, (len(asked.rows), len(PARTS)))
    return {"system_score": np.hstack([np.stack(columns, axis=1).astype(float), refused, on_every_row])}


def combine(sums: np.ndarray) -> np.ndarray:
    """By hand: parts 0.8, 0.5, 1 and 0.9 with weights 0.25, 0.4, 0.25, 0.1: 0.2 + 0.2 + 0.25 + 0.09 = 0.74."""
    nums, counts = sums[:, 0 : 2 * _MEANS : 2], sums[:, 1 : 2 * _MEANS : 2]
    means = np.where(counts > 0, nums / np.where(counts > 0, counts, 1), np.nan)
    refusing = refusals.combine(sums[:, 2 * _MEANS : 2 * _MEANS + 4])
    parts = np.column_stack([means, refusing])
    weights = np.where(np.isnan(parts), 0, sums[:, -len(PARTS) :])
    total = weights.sum(axis=1)
    score = (weights * np.nan_to_num(parts)).sum(axis=1)
    found: np.ndarray = np.where(total > 0, score / np.where(total > 0, total, 1), np.nan)
    return found


COMBINE = {"system_score": combine}
