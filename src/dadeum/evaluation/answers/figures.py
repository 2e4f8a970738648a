"""Figures of free answers: which there are, one value per row, means with intervals, and paired differences.

Rows of one group (one conversation, near duplicates) are drawn together: they say less than as many strangers. An
interval that leaves out 0 is what this module calls better or worse; few groups decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import ModuleType

import numpy as np

from dadeum.core.measured import Measured, Notice
from dadeum.core.plugins import find, names
from dadeum.core.stats import Interval, bootstrap_counts
from dadeum.evaluation.answers.scores import Better, Difference, Outcome
from dadeum.evaluation.asked import Asked, Combine
from dadeum.evaluation.metrics._grounded import SIGNATURE, Views

METRICS = "evaluation.metrics"
OF_MODELS: dict[str, Better] = {"loss": "lower", "perplexity": "lower"}
"""Teacher-forced figures, in nats per answer token and as its exponential: only models have them."""
CLOSENESS = ("content_rouge_l", "similarity", "chrf")
"""Figures that compare an answer with the one a person wrote: the verdict rests on them.

Of summaries that is one figure. ROUGE over all morphemes gives a sentence that fits every dialogue as much as a real
summary gets, and BLEU and chrF++ share that fault; the order of content words is what such a sentence cannot have.
"""
MIN_GROUPS = 6
"""Fewer pairs cannot differ significantly, even if all point one way: 2 / 2^5 is more than 0.05."""
WITH_REFERENCE = (
    *CLOSENESS, "rouge", "rouge_1", "rouge_2", "rouge_l", "content_rouge_1", "content_rouge_2", "rouge_1_max",
    "rouge_2_max", "rouge_l_max", "content_rouge_l_max", "bleu", "chrf_pp", "exact_match", "value_f1", "char_f1",
    "bertscore",
)  # fmt: skip
"""Figures that need a person's answer; the others look at the answer itself."""
_OF_SYSTEMS = ("system_score", "answered_right", "context_hit", "refusal_accuracy", "faithfulness")
"""Of grounded answers: what the whole system comes to, and its parts."""
_FIRST = (*CLOSENESS, *_OF_SYSTEMS, *WITH_REFERENCE, *OF_MODELS, "unsupported_numbers", "unsupported_names", "copied")

PerRow = dict[str, np.ndarray]
"""Figure → one value per row, or counts per row: shape (rows,) or (rows, counts); NaN where not judged."""


# -- which there are ------------------------------------------------------------------------------
def metrics_of(task: str) -> dict[str, Better]:
    """Every figure of a task and its better side, those that the verdict rests on first."""
    found: dict[str, Better] = dict(OF_MODELS)
    for module in _modules(task):
        found |= figures_of(module)
    found["cut_off"] = "lower"
    return dict(sorted(found.items(), key=lambda item: _FIRST.index(item[0]) if item[0] in _FIRST else len(_FIRST)))


def figures_of(module: ModuleType) -> dict[str, Better]:
    """Figures that a file in `metrics/` gives: several under names of their own, or one under that of the file."""
    several: dict[str, Better] | None = getattr(module, "FIGURES", None)
    return {module.__name__.rpartition(".")[2]: module.BETTER} if several is None else several


def _modules(task: str) -> list[ModuleType]:
    found = (find(METRICS, name) for name in names(METRICS))
    return [module for module in found if task in module.TASKS]


def signatures_of(task: str) -> dict[str, str]:
    """How each figure was made, where that is more than its definition: analyser, versions, settings."""
    found: dict[str, str] = {}
    for module in _modules(task):
        said = module.signature() if hasattr(module, "signature") else None
        if said and task == "answer" and getattr(module, "BY_VALUE", False):
            said += f"|{SIGNATURE}"
        found |= dict.fromkeys(figures_of(module), said) if said else {}
    return found


@cache
def _combining() -> dict[str, Combine]:
    """Figures that are no mean over rows, and how their statistics make one."""
    found: dict[str, Combine] = {}
    for name in names(METRICS):
        found |= getattr(find(METRICS, name), "COMBINE", {})
    return found


def is_of_corpus(metric: str) -> bool:
    """Such as BLEU: counts of all rows are summed before anything is divided, so that no row has a value alone."""
    return metric in _combining()


# -- one system -----------------------------------------------------------------------------------
def rate(asked: Asked, progress: Callable[[int, int], None]) -> PerRow:
    """Every figure of one system's answers that a file in `metrics/` gives."""
    modules = _modules(asked.recipe.task.type)
    views = Views(asked)
    found: PerRow = {}
    for number, module in enumerate(modules):
        progress(number, len(modules))
        found |= views.measured(module)
    progress(len(modules), len(modules))
    return found


def notices_of(asked: Asked) -> list[Notice]:
    """What the figures themselves have to say, of the tuned model's answers."""
    views = Views(asked)
    return [notice for module in _modules(asked.recipe.task.type) for notice in views.notices(module)]


def judged_rows(values: np.ndarray) -> np.ndarray:
    """Which rows could be judged."""
    unknown = np.isnan(values)
    known: np.ndarray = ~(unknown if values.ndim == 1 else unknown.any(axis=1))
    return known


def value_of(metric: str, values: np.ndarray) -> float | None:
    """The figure of all rows that could be judged; None without any."""
    known = values[judged_rows(values)]
    if not len(known):
        return None
    if known.ndim > 1:
        return float(_combining()[metric](known.sum(axis=0)[np.newaxis])[0])
    return float(_as(metric, known.mean()))


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn: which group every row belongs to, the seed, and how often."""

    groups: Sequence[str]
    seed: int
    samples: int

    @cached_property
    def numbers(self) -> np.ndarray:
        return np.unique(np.asarray(self.groups, dtype=object).astype(str), return_inverse=True)[1]

    @property
    def num_groups(self) -> int:
        return len(set(self.groups))

    def mean(self, metric: str, values: np.ndarray) -> Measured | None:
        """The figure of the rows that could be judged; None without any."""
        known = judged_rows(values)
        if not known.any():
            return None
        found = self._interval(metric, known, lambda of: of(values))
        return Measured(value=found.value, low=found.low, high=found.high)

    def difference(self, metric: str, better: Better, first: np.ndarray, second: np.ndarray) -> Difference | None:
        """first − second on the rows that both could be judged on, each resample the same for both."""
        known = judged_rows(first) & judged_rows(second)
        if not known.any():
            return None
        found = self._interval(metric, known, lambda of: of(first) - of(second))
        num_groups = len(np.unique(self.numbers[known]))
        return Difference(
            value=found.value, low=found.low, high=found.high, num_rows=int(known.sum()),
            outcome=outcome_of(found, better, num_groups),
        )  # fmt: skip

    def _interval(
        self, metric: str, known: np.ndarray, statistic: Callable[[Callable[[np.ndarray], np.ndarray]], np.ndarray]
    ) -> Interval:
        """`statistic` gets a function from values per row to their figure in every resample of groups."""
        members, cell = np.unique(self.numbers[known], return_inverse=True)
        sizes = np.bincount(cell)

        def of_draws(drawn: np.ndarray) -> np.ndarray:
            def figure(values: np.ndarray) -> np.ndarray:
                if values.ndim == 1:
                    return _as(metric, drawn @ np.bincount(cell, values[known]) / (drawn @ sizes))
                sums = np.zeros((len(members), values.shape[1]))
                np.add.at(sums, cell, values[known])
                return _combining()[metric](drawn @ sums)

            return statistic(figure)

        return bootstrap_counts(of_draws, np.ones(len(members), dtype=int), self.seed, self.samples)


def _as(metric: str, mean: np.ndarray) -> np.ndarray:
    """Perplexity is the exponential of the mean loss."""
    return np.exp(mean) if metric == "perplexity" else mean


def outcome_of(interval: Interval, better: Better, num_groups: int) -> Outcome:
    """What a paired difference says: its interval lies above 0, below 0, or holds it."""
    if num_groups < MIN_GROUPS:
        return "undecided"
    if interval.low <= 0 <= interval.high:
        return "as_good"
    if better == "neither":
        return "different"
    return "better" if (interval.low > 0) == (better == "higher") else "worse"
