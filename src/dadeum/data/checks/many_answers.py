"""One input does not have many different answers. Where the answer is not decided by the input, it cannot be learned.

A public correction file is 9 prompts × the same 20 answers: 3,500 rows, and no loss below ln 20 = 3.0 nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context
from dadeum.data.similar.shingles import Ints

CODE = "DA303"
NAME = "many_answers"

TASKS = ("chat", "summarize", "answer", "prefer")
"""Of a query for retrieval, several documents are right."""
MIN_ANSWERS = 5
"""Different answers from which an input has many; three references of a summary or four paraphrases are meant so."""
MIN_GRID_ANSWERS = 3
"""Different answers from which an input can be a row of a grid."""
BLOCK_SHARE = 0.5
"""Share of all rows in a grid from which there is more noise than data."""
WARN_SHARE = 0.1
INFO_SHARE = 0.01
"""Shares of all rows whose input has many answers. Real chat has some: "hello" and "I love you" are asked by many."""
MAX_DEPENDENCE = 0.2
"""Share of the answers' entropy that the input explains, beyond chance; 0 in a grid, 1 where inputs share no answer."""
_SHUFFLES = 3
_MAX_PAIRS = 200_000


@dataclass(frozen=True)
class _Spread:
    """Rows with free answers and how their answers are spread; arrays of one number per row."""

    rows: Ints
    inputs: Ints
    """Number of the input, 0 to the number of inputs."""
    answers: Ints
    choices: Ints
    """How many different answers the row's input has."""


def check(context: Context) -> list[Finding]:
    if context.task not in TASKS:
        return []
    spread = _spread(context)
    grid = _grid(spread)
    total = max(len(spread.rows), 1)
    is_grid = grid.sum() >= BLOCK_SHARE * total and _dependence(spread, grid, context.seed) <= MAX_DEPENDENCE
    chosen = grid if is_grid else spread.choices >= MIN_ANSWERS
    share = float(chosen.sum() / total)
    if share < INFO_SHARE:
        return []
    entropy = _entropy_given_input(spread.inputs[chosen], spread.answers[chosen])
    values = {
        "inputs": len(np.unique(spread.inputs[chosen])), "answers": len(np.unique(spread.answers[chosen])),
        "typical": int(np.median(spread.choices[chosen])), "most": int(spread.choices[chosen].max()), "share": share,
        "entropy": entropy, "effective": float(np.exp(entropy)),
        "shared": float(grid[chosen].mean()),
    }  # fmt: skip
    hits = [Hit(row, found={"answers": many}) for row, many in zip(*_columns(spread, chosen), strict=True)]
    severity: Severity = "block" if is_grid else "warn" if share >= WARN_SHARE else "info"
    return context.finding(CODE, NAME, severity, hits, values, total)


def _columns(spread: _Spread, chosen: np.ndarray) -> tuple[list[int], list[int]]:
    """(rows, number of answers), the rows of one input together so that their answers can be compared."""
    order = np.argsort(spread.inputs[chosen], kind="stable")
    return spread.rows[chosen][order].tolist(), spread.choices[chosen][order].tolist()


def _spread(context: Context) -> _Spread:
    rows = context.pairs.free
    _, inputs = np.unique(context.pairs.inputs[rows], return_inverse=True)
    _, answers = np.unique(context.pairs.answers[rows], return_inverse=True)
    distinct = np.unique(np.stack([inputs, answers]), axis=1)
    return _Spread(rows, inputs, answers, np.bincount(distinct[0])[inputs] if len(rows) else inputs)


def _grid(spread: _Spread) -> np.ndarray:
    """Rows of inputs with several answers where the answer also stands at another such input."""
    several = spread.choices >= MIN_GRID_ANSWERS
    distinct = np.unique(np.stack([spread.answers[several], spread.inputs[several]]), axis=1)
    inputs_per_answer = np.bincount(distinct[0], minlength=int(spread.answers.max(initial=0)) + 1)
    return np.asarray(several & (inputs_per_answer[spread.answers] > 1))


def _dependence(spread: _Spread, chosen: np.ndarray, seed: int) -> float:
    """(I − E[I]) / (H(answer) − E[I]): mutual information of input and answer, corrected for chance by shuffling."""
    inputs, answers = spread.inputs[chosen][:_MAX_PAIRS], spread.answers[chosen][:_MAX_PAIRS]
    alone = _entropy(answers)
    random = np.random.default_rng(seed)
    by_chance = [alone - _entropy_given_input(inputs, random.permutation(answers)) for _ in range(_SHUFFLES)]
    expected = float(np.mean(by_chance))
    if alone - expected <= 1e-9:
        return 1.0  # one answer only, or none
    return (alone - _entropy_given_input(inputs, answers) - expected) / (alone - expected)


def _entropy_given_input(inputs: Ints, answers: Ints) -> float:
    """H(answer | input) = H(answer, input) − H(input), in nats. By hand: each of 20 answers equally often is ln 20."""
    joint = inputs * (int(answers.max(initial=0)) + 1) + answers
    return _entropy(joint) - _entropy(inputs)


def _entropy(numbers: Ints) -> float:
    """Entropy in nats of how often each number occurs."""
    counts = np.unique(numbers, return_counts=True)[1]
    shares = counts / max(len(numbers), 1)
    return float(-(shares * np.log(shares)).sum())
