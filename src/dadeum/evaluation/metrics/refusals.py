"""Refusals: where the shown chunks hold no answer one is right, where they do it is wrong.

`refused_right` looks at questions whose chunk was not found or kept back, `refused_wrong` at all others;
`refusal_accuracy` is the mean of refused_right and 1 - refused_wrong, so that nobody gains by always refusing.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.task import Answer
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._references import Better
from dadeum.evaluation.metrics._refusals import refuses
from dadeum.tasks import answer

TASKS = ("answer",)
FIGURES: dict[str, Better] = {"refused_right": "higher", "refused_wrong": "lower", "refusal_accuracy": "higher"}
GROUNDED = True


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """1 or 0, NaN for the other kind of rows; counts for the accuracy."""
    task = asked.recipe.task
    if not isinstance(task, Answer):
        nothing = np.full(len(asked.rows), np.nan)
        return {"refused_right": nothing, "refused_wrong": nothing, "refusal_accuracy": np.zeros((len(asked.rows), 4))}
    refused = np.array([float(refuses(task, said)) for said in asked.answers])
    wanted = np.array([answer.kind(row) != "answerable" for row in asked.rows], dtype=bool)
    return {
        "refused_right": np.where(wanted, refused, np.nan),
        "refused_wrong": np.where(wanted, np.nan, refused),
        "refusal_accuracy": counts(refused, wanted),
    }


def counts(refused: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Per row: right refusals, rows to refuse, answers where one was wanted, rows to answer."""
    return np.stack([refused * wanted, wanted, (1 - refused) * ~wanted, ~wanted], axis=1).astype(float)


def combine(sums: np.ndarray) -> np.ndarray:
    """Balanced accuracy; that of the one kind where there is no other, NaN without rows.

    By hand: 3 of 4 to be refused and 9 of 10 to be answered: (0.75 + 0.9) / 2 = 0.825.
    """
    shares = np.stack([_share(sums[:, 0], sums[:, 1]), _share(sums[:, 2], sums[:, 3])])
    known = ~np.isnan(shares)
    num = known.sum(axis=0)
    found: np.ndarray = np.where(num > 0, np.where(known, shares, 0).sum(axis=0) / np.maximum(num, 1), np.nan)
    return found


COMBINE = {"refusal_accuracy": combine}


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
    return found
