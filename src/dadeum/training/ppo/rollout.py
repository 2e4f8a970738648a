"""One batch of answers: drawn from the policy, rated, and weighed token by token, before any update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dadeum.core.generation import Generation
from dadeum.core.stages import Ppo
from dadeum.models.scoring import padded
from dadeum.models.writing import options
from dadeum.training.ppo import objective
from dadeum.training.ppo.policy import Seen, Texts, log_probs_of, padded_texts, see
from dadeum.training.reference import Reference

Ids = list[int]
Rater = Callable[[list[int], list[Ids]], tuple[np.ndarray, dict[str, np.ndarray]]]
"""(places of the rows in the training split, answers) → weighted reward, and each reward by name."""


@dataclass(frozen=True)
class Writing:
    """How answers are drawn, the same for all batches."""

    max_new_tokens: int
    stop_ids: tuple[int, ...]
    pad_id: int


@dataclass(frozen=True)
class Rollout:
    """What the updates learn from; nothing in it changes while they do."""

    texts: Texts
    old: Seen
    advantages: Tensor
    returns: Tensor
    figures: dict[str, float]
    """To be logged."""


def write(model: Any, prompts: list[Ids], writing: Writing, temperature: float, batch_size: int) -> list[Ids]:
    """One answer per prompt, each up to and with its end token."""
    found: list[Ids] = []
    settings = options(Generation(temperature=temperature), writing.max_new_tokens, writing.stop_ids, writing.pad_id)
    for start in range(0, len(prompts), batch_size):
        ids, mask = padded(prompts[start : start + batch_size], writing.pad_id, model.device)
        out = model.generate(input_ids=ids, attention_mask=mask, use_cache=True, **settings)
        found += [_ended(line, writing.stop_ids) for line in out[:, ids.shape[1] :].tolist()]
    return found


def _ended(ids: Ids, stops: tuple[int, ...]) -> Ids:
    return ids[: next((place + 1 for place, one in enumerate(ids) if one in stops), len(ids))]


@torch.no_grad()
def collect(
    model: Any, reference: Reference, rows: list[int], prompts: list[Ids], stage: Ppo, writing: Writing, rate: Rater
) -> Rollout:
    """Answers to `prompts` (each `generations` times already), their rewards, and the advantages of their tokens."""
    model.eval()
    answers = write(model, prompts, writing, stage.temperature, stage.batch_size)
    scores, parts = rate(rows, answers)
    texts = padded_texts(prompts, answers, writing.pad_id, model.device)
    portions = [slice(start, start + stage.batch_size) for start in range(0, len(rows), stage.batch_size)]
    seen = [see(model, texts[portion], stage.temperature) for portion in portions]
    old = Seen(*(torch.cat([getattr(one, name) for one in seen]) for name in ("log_probs", "values", "entropies")))
    with reference.model() as before:
        began = torch.cat([log_probs_of(before, texts[portion], stage.temperature) for portion in portions])
    mask = texts.written.float()
    given = torch.tensor(scores, dtype=torch.float32, device=mask.device)
    rewards = objective.token_rewards(given, old.log_probs, began, mask, stage.beta)
    found, returns = objective.advantages_and_returns(rewards, old.values, mask, stage.gamma, stage.gae_lambda)
    figures = _figures(scores, parts, answers, writing) | {
        "kl": float(objective.masked_mean(objective.kl_k3(old.log_probs, began), mask)),
        "kl_per_answer": float((objective.kl_k1(old.log_probs, began) * mask).sum(1).mean()),
        "entropy": float(objective.masked_mean(old.entropies, mask)),
    }
    return Rollout(texts, old, objective.whitened(found, mask), returns, figures)


def _figures(
    scores: np.ndarray, parts: dict[str, np.ndarray], answers: list[Ids], writing: Writing
) -> dict[str, float]:
    """Under the names that trl gives them."""
    lengths = [len(answer) for answer in answers]
    cut = [not answer or answer[-1] not in writing.stop_ids for answer in answers]
    return {
        "reward": float(scores.mean()),
        "reward_std": float(scores.std()),
        **{f"rewards/{name}/mean": float(values.mean()) for name, values in parts.items()},
        "completions/mean_length": float(np.mean(lengths)),
        "completions/clipped_ratio": float(np.mean(cut)),
    }
