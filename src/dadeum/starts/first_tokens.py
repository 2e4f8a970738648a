"""The distribution of the first token over all prompts, added up batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dadeum.core.examples import Turn
from dadeum.core.letters import is_korean
from dadeum.core.measured import Measured
from dadeum.core.stats import bootstrap_counts
from dadeum.models.engines import Engine
from dadeum.models.first_token import first_token_log_probs
from dadeum.starts.result import FirstTokens, Likely
from dadeum.starts.tokens import KINDS, kinds, shown

_SAMPLES = 2000
_NUM_LIKELIEST = 10


@dataclass(frozen=True)
class Distribution:
    """Figures, and the mean distribution that another model's is compared with."""

    figures: FirstTokens
    mean: np.ndarray
    """Probabilities, shape (vocabulary,)."""


def first_tokens(
    engine: Engine, prompts: list[list[Turn]], batch_size: int, seed: int, progress: Callable[[int], None]
) -> Distribution:
    """One pass over all prompts."""
    total: np.ndarray | None = None
    own = np.zeros(len(prompts))
    masses = np.zeros((len(prompts), len(KINDS)))
    choices = np.zeros(len(prompts), dtype=int)
    for indices, log_probs in first_token_log_probs(engine, prompts, batch_size):
        if total is None:
            total = np.zeros(log_probs.shape[1])
            kind_of = kinds(engine.renderer, log_probs.shape[1])
        probs = np.exp(log_probs.astype(float))
        total += probs.sum(axis=0)
        own[indices] = -(probs * log_probs).sum(axis=1) / np.log(2)
        choices[indices] = probs.argmax(axis=1)
        for place, index in enumerate(indices):
            masses[index] = np.bincount(kind_of, weights=probs[place], minlength=len(KINDS))
        progress(len(indices))
    assert total is not None  # there is at least one prompt
    mean = total / len(prompts)
    korean = np.array([is_korean(prompt[-1]["content"]) for prompt in prompts])
    return Distribution(_figures(engine, mean, own, masses, choices, korean, seed), mean)


def _figures(
    engine: Engine,
    mean: np.ndarray,
    own: np.ndarray,
    masses: np.ndarray,
    choices: np.ndarray,
    korean: np.ndarray,
    seed: int,
) -> FirstTokens:
    top = int(mean.argmax())
    commonest = Counter(choices.tolist()).most_common(1)[0][0]
    mass = {kind: masses[:, place] for place, kind in enumerate(KINDS)}
    entropy = bits(mean)
    return FirstTokens(
        entropy=entropy,
        own_entropy=float(own.mean()),
        evenness=float(own.mean() / np.log2(len(engine.renderer.tokenizer))),
        # Rounding may leave less than nothing where all prompts give one distribution.
        dependence=max(0.0, entropy - float(own.mean())),
        top=shown(engine.renderer.tokenizer, top),
        top_probability=float(mean[top]),
        likeliest=[
            Likely(token=shown(engine.renderer.tokenizer, int(one)), probability=float(mean[one]))
            for one in np.argsort(-mean, kind="stable")[:_NUM_LIKELIEST]
        ],
        same_choice=measured(choices == commonest, seed),
        marks=measured(mass["mark"], seed),
        ends=measured(mass["end"], seed),
        torn=measured(mass["torn"], seed),
        foreign=measured(mass["foreign"][korean], seed) if korean.any() else None,
        partial=measured(mass["partial"], seed),
        form=measured(mass["opening"] + mass["space"], seed),
    )


def bits(distribution: np.ndarray) -> float:
    """Entropy. By hand: four tokens of 1/4 each have 2 bits."""
    held = distribution[distribution > 0]
    return float(-(held * np.log2(held)).sum())


def divergence(one: np.ndarray, other: np.ndarray) -> float:
    """Jensen-Shannon, in bits: 0 for equal distributions, 1 for two that share no token."""
    width = max(len(one), len(other))
    first, second = (np.pad(each, (0, width - len(each))) for each in (one, other))
    return max(0.0, bits((first + second) / 2) - (bits(first) + bits(second)) / 2)


def measured(values: np.ndarray | Sequence[float], seed: int) -> Measured:
    """The mean of one value per prompt with its interval over prompts; 0 of nothing."""
    if not len(values):
        return Measured(value=0.0, low=0.0, high=0.0)
    each, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    found = bootstrap_counts(lambda drawn: drawn @ each / len(values), counts, seed, samples=_SAMPLES)
    return Measured(value=found.value, low=found.low, high=found.high)
