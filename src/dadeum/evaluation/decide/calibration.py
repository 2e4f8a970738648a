"""Calibration: log scores → probabilities that mean what they say, and how far they are from it.

Temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599) fitted on validation rows; ECE, Brier score and
reliability bins before and after. One number is fitted, so the predicted label never changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dadeum.core.measured import Notice
from dadeum.evaluation.decide.scores import Calibration, Reliability
from dadeum.evaluation.scores import Bin

NUM_BINS = 10
LOWEST_TEMPERATURE = 0.05
HIGHEST_TEMPERATURE = 100.0
_LEAST_LOG_SCORE = -1e3
_DOUBT_ROWS = 0.5


@dataclass(frozen=True)
class Calibrated:
    """Probabilities of the test rows, and how they were made."""

    probabilities: np.ndarray
    """Shape (rows, labels)."""
    calibration: Calibration | None
    """None when nothing could be fitted; the probabilities are then the plain softmax."""
    notices: list[Notice] = field(default_factory=list)


def softmax(log_scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities over the last axis; -inf is probability 0 as long as one score of the row is finite."""
    probabilities: np.ndarray = np.exp(_log_softmax(log_scores, temperature))
    return probabilities


def _log_softmax(log_scores: np.ndarray, temperature: float) -> np.ndarray:
    # Clipped, because 0 · -inf would make the loss of an impossible label NaN instead of huge.
    shifted = np.maximum(log_scores - log_scores.max(-1, keepdims=True), _LEAST_LOG_SCORE) / temperature
    normalised: np.ndarray = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return normalised


def calibrate(
    labels: tuple[str, ...],
    validation_scores: np.ndarray,
    validation_gold: np.ndarray,
    test_scores: np.ndarray,
    test_gold: np.ndarray,
) -> Calibrated:
    """Fit on validation, apply to test; scores are natural logs of shape (rows, labels), gold are label indices.

    Without validation rows, or with rows of one label only, nothing is fitted and a notice says so: a temperature
    learnt from one label would only repeat how sure the model is of that label.
    """
    before = softmax(test_scores)
    kinds = np.unique(validation_gold)
    if kinds.size == 0:
        return Calibrated(before, None, [Notice(key="evaluate.notices.no_validation")])
    num_rows = len(validation_gold)
    if kinds.size == 1:
        values: dict[str, str | int | float] = {"label": labels[kinds[0]], "num": num_rows}
        return Calibrated(before, None, [Notice(key="evaluate.notices.validation_one_label", values=values)])
    temperature = fit_temperature(validation_scores, validation_gold)
    after = softmax(test_scores, temperature)
    calibration = Calibration(
        temperature=temperature,
        num_validation_rows=num_rows,
        before=reliability(before, test_gold),
        after=reliability(after, test_gold),
    )
    return Calibrated(after, calibration, _notices(temperature, validation_scores, validation_gold))


def fit_temperature(log_scores: np.ndarray, gold: np.ndarray) -> float:
    """The temperature with the lowest negative log-likelihood; 1 when every row scores all labels alike.

    After Platt 1999, targets are not quite 0 and 1: half a row of doubt, shared by the labels, is added to the n rows,
    because n rows without an error show no more. Plain likelihood would drive the temperature of perfectly separated
    rows to 0 and every confidence to 1 (docs/lab-log.md has the comparison). By hand: two labels, n rows, all right by
    m nats: sigmoid(m / T) = (n + 1/4) / (n + 1/2), so T = m / ln(4n + 1).
    """
    from scipy.optimize import minimize_scalar

    num_rows, num_labels = log_scores.shape
    targets = np.full(log_scores.shape, _DOUBT_ROWS / num_labels)
    targets[np.arange(num_rows), gold] += num_rows
    targets /= num_rows + _DOUBT_ROWS

    def loss(log_temperature: float) -> float:
        return -float((targets * _log_softmax(log_scores, np.exp(log_temperature))).sum(1).mean())

    lowest, highest = np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)
    found = minimize_scalar(loss, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-7})
    if max(loss(lowest), loss(highest)) - found.fun < 1e-12:
        return 1.0
    # The search only comes near a bound; the bound itself says plainly that it was reached.
    ends = {loss(lowest): LOWEST_TEMPERATURE, loss(highest): HIGHEST_TEMPERATURE}
    return ends[min(ends)] if min(ends) <= found.fun else float(np.exp(found.x))


def _notices(temperature: float, scores: np.ndarray, gold: np.ndarray) -> list[Notice]:
    num_rows = len(gold)
    notices = []
    if temperature in (LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE):
        values: dict[str, str | int | float] = {"temperature": temperature, "num": num_rows}
        notices.append(Notice(key="evaluate.notices.temperature_at_bound", values=values))
    if (scores.argmax(1) == gold).all():
        notices.append(Notice(key="evaluate.notices.validation_without_errors", values={"num": num_rows}))
    return notices


# -- how far off ----------------------------------------------------------------------------------
def brier(probabilities: np.ndarray, gold: np.ndarray) -> float:
    """Squared distance to the right answer, summed over labels, mean over rows: 0 (best) to 2 (Brier 1950).

    For two labels it is twice what scikit-learn's `brier_score_loss` gives.
    """
    right = np.eye(probabilities.shape[1])[gold]
    return float(((probabilities - right) ** 2).sum(1).mean())


def reliability(probabilities: np.ndarray, gold: np.ndarray) -> Reliability:
    """ECE, Brier score and NUM_BINS equal-width bins (low, high] of the predicted label's probability.

    ECE = Σ rows of bin / all rows · |share right − mean confidence|. Empty bins stay in the list with count 0.
    """
    ece, bins = stated(probabilities.max(1), probabilities.argmax(1) == gold)
    return Reliability(ece=ece, brier=brier(probabilities, gold), bins=bins)


def stated(confidence: np.ndarray, right: np.ndarray) -> tuple[float, list[Bin]]:
    """ECE and bins of what was said with which confidence, where only the chosen label's probability is known."""
    edges = np.linspace(0, 1, NUM_BINS + 1)
    bin_of = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, NUM_BINS - 1)
    counts = np.bincount(bin_of, minlength=NUM_BINS)
    divisor = np.maximum(counts, 1)
    mean_confidence = np.bincount(bin_of, confidence, NUM_BINS) / divisor
    share_right = np.bincount(bin_of, right, NUM_BINS) / divisor
    ece = float((counts * np.abs(share_right - mean_confidence)).sum() / len(right))
    bins = [
        Bin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            count=int(counts[i]),
            confidence=float(mean_confidence[i]),
            accuracy=float(share_right[i]),
        )
        for i in range(NUM_BINS)
    ]
    return ece, bins
