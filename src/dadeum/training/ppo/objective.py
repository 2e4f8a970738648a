"""The formulas of PPO, each on plain tensors of shape (answers, tokens); `mask` is 1 at tokens that were written.

Nothing here knows of a model: every function is checked against numbers worked out by hand.
"""

from __future__ import annotations

import torch
from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Over the written tokens of all answers."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def token_rewards(scores: Tensor, log_probs: Tensor, reference: Tensor, mask: Tensor, beta: float) -> Tensor:
    """-β (log π - log π_ref) at every token, and the answer's score at its last (https://arxiv.org/abs/2203.02155).

    In expectation over answers that π wrote, the sum of the penalties is -β KL(π || π_ref).
    """
    rewards = -beta * (log_probs - reference) * mask
    last = mask.sum(1).long().clamp(min=1) - 1
    ends = torch.zeros_like(rewards).scatter_(1, last[:, None], scores[:, None].to(rewards.dtype))
    return rewards + ends * mask


def advantages_and_returns(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, gae_lambda: float
) -> tuple[Tensor, Tensor]:
    """Generalized advantage estimation (https://arxiv.org/abs/1506.02438), and the values' targets.

    δ_t = r_t + γ V_{t+1} - V_t;  A_t = δ_t + γλ A_{t+1};  target_t = A_t + V_t. Past the last written token all are 0.
    """
    rewards, values = rewards * mask, values * mask
    found = torch.zeros_like(rewards)
    later = next_value = torch.zeros_like(rewards[:, 0])
    for place in reversed(range(rewards.shape[1])):
        delta = rewards[:, place] + gamma * next_value - values[:, place]
        later = (delta + gamma * gae_lambda * later) * mask[:, place]
        next_value = values[:, place]
        found[:, place] = later
    return found, (found + values) * mask


def whitened(values: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the written tokens, so that the step does not depend on the rewards' scale."""
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean) ** 2, mask)
    return (values - mean) * torch.rsqrt(variance + 1e-8) * mask


def policy_loss(log_probs: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Per token -min(ρA, clip(ρ, 1-ε, 1+ε)A) with ρ = π / π_old (https://arxiv.org/abs/1707.06347, eq. 7)."""
    ratio = torch.exp(log_probs - old)
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def is_clipped(log_probs: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """1 at tokens that give no gradient any more, because they went as far as a round of updates may."""
    ratio = torch.exp(log_probs - old)
    return (((ratio > 1 + clip) & (advantages > 0)) | ((ratio < 1 - clip) & (advantages < 0))).float()


def value_loss(values: Tensor, old: Tensor, returns: Tensor, clip: float) -> Tensor:
    """Per token ½ max((V - R)², (V_clipped - R)²): values may not run from what they were when answers were written.

    V_clipped = V_old + clip(V - V_old, -ε, ε), as in the paper's own code (https://arxiv.org/abs/2006.05990, C13).
    """
    kept = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns) ** 2, (kept - returns) ** 2)


def kl_k1(log_probs: Tensor, reference: Tensor) -> Tensor:
    """log π - log π_ref per token: unbiased for answers that π wrote, may be negative."""
    return log_probs - reference


def kl_k3(log_probs: Tensor, reference: Tensor) -> Tensor:
    """r - 1 - log r with r = π_ref / π, per token: unbiased as k1, never negative (http://joschu.net/blog/kl-approx)."""
    log_ratio = reference - log_probs
    return torch.exp(log_ratio) - 1 - log_ratio


def entropy(logits: Tensor) -> Tensor:
    """-Σ p log p of every place's distribution."""
    log_probs = logits.log_softmax(-1)
    return -(log_probs.exp() * log_probs).sum(-1)
