"""Every formula against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from dadeum.training.ppo import objective

T = torch.tensor


def near(found: torch.Tensor, wanted: object, tolerance: float = 1e-6) -> None:
    torch.testing.assert_close(found, T(wanted, dtype=found.dtype), atol=tolerance, rtol=0)


def test_penalties_stand_at_every_token_and_the_score_at_the_last_written_one() -> None:
    log_probs, reference = T([[-1.0, -2.0, -3.0], [-1.0, -9.0, -9.0]]), T([[-1.5, -1.0, -3.0], [-3.0, -5.0, -5.0]])
    mask = T([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    found = objective.token_rewards(T([2.0, 4.0]), log_probs, reference, mask, beta=0.1)
    near(found, [[-0.05, 0.1, 2.0], [4.0 - 0.2, 0.0, 0.0]])


def test_advantages_of_three_tokens() -> None:
    # r = 0, 0, 1; V = 0.5, 0.6, 0.7; γ = 0.9, λ = 0.5
    # δ3 = 1 - 0.7 = 0.3; δ2 = 0.9·0.7 - 0.6 = 0.03; δ1 = 0.9·0.6 - 0.5 = 0.04
    # A3 = 0.3; A2 = 0.03 + 0.45·0.3 = 0.165; A1 = 0.04 + 0.45·0.165 = 0.11425
    found, returns = objective.advantages_and_returns(
        T([[0.0, 0.0, 1.0]]), T([[0.5, 0.6, 0.7]]), torch.ones(1, 3), gamma=0.9, gae_lambda=0.5
    )
    near(found, [[0.11425, 0.165, 0.3]])
    near(returns, [[0.61425, 0.765, 1.0]])


@pytest.mark.parametrize("gae_lambda, first", [(1.0, 1.0 - 0.5), (0.0, 0.6 - 0.5)])
def test_lambda_goes_from_one_step_to_the_whole_answer(gae_lambda: float, first: float) -> None:
    found, _ = objective.advantages_and_returns(
        T([[0.0, 0.0, 1.0]]), T([[0.5, 0.6, 0.7]]), torch.ones(1, 3), gamma=1.0, gae_lambda=gae_lambda
    )
    assert float(found[0, 0]) == pytest.approx(first)


def test_padding_behind_an_answer_changes_nothing() -> None:
    rewards, values = T([[0.0, 0.0, 1.0]]), T([[0.5, 0.6, 0.7]])
    short = objective.advantages_and_returns(rewards, values, torch.ones(1, 3), 0.9, 0.5)
    junk = T([[9.0, -7.0]])
    mask = T([[1.0, 1.0, 1.0, 0.0, 0.0]])
    long = objective.advantages_and_returns(torch.cat([rewards, junk], 1), torch.cat([values, junk], 1), mask, 0.9, 0.5)
    for one, other in zip(short, long, strict=True):
        torch.testing.assert_close(other[:, :3], one)
        assert other[:, 3:].abs().sum() == 0
    white, padded = objective.whitened(short[0], torch.ones(1, 3)), objective.whitened(long[0], mask)
    torch.testing.assert_close(padded[:, :3], white)
    assert padded[:, 3:].abs().sum() == 0


def test_whitening_by_hand() -> None:
    # 1, 3, 5 (7 is padding): mean 3, variance 8/3
    found = objective.whitened(T([[1.0, 3.0], [5.0, 7.0]]), T([[1.0, 1.0], [1.0, 0.0]]))
    near(found, [[-2 / math.sqrt(8 / 3), 0.0], [2 / math.sqrt(8 / 3), 0.0]])


@pytest.mark.parametrize(
    "ratio, advantage, loss, gradient",
    [
        (1.1, 2.0, -2.2, -2.2),  # inside
        (1.5, 2.0, -2.4, 0.0),  # good answer, already far enough up
        (0.5, 2.0, -1.0, -1.0),  # good answer that became rarer: it may come back
        (0.5, -2.0, 1.6, 0.0),  # bad answer, already far enough down
        (1.5, -2.0, 3.0, 3.0),  # bad answer that became more frequent: it may come back
    ],
)
def test_policy_loss_is_clipped_on_the_side_that_went_too_far(
    ratio: float, advantage: float, loss: float, gradient: float
) -> None:
    log_probs = T([[math.log(ratio)]], requires_grad=True)
    found = objective.policy_loss(log_probs, T([[0.0]]), T([[advantage]]), clip=0.2)
    near(found.detach(), [[loss]])
    found.sum().backward()
    near(log_probs.grad, [[gradient]])
    clipped = objective.is_clipped(log_probs.detach(), T([[0.0]]), T([[advantage]]), clip=0.2)
    assert bool(clipped) == (gradient == 0)


@pytest.mark.parametrize(
    "value, loss, gradient",
    [
        (1.1, 0.5 * 0.9**2, 1.1 - 2.0),  # moved 0.1 from the old 1.0, target 2
        (1.5, 0.5 * 0.8**2, 0.0),  # moved 0.5: the clipped 1.2 is farther from the target, no gradient
        (0.5, 0.5 * 1.5**2, 0.5 - 2.0),  # away from the target: the plain error is larger
    ],
)
def test_value_loss_takes_the_worse_of_plain_and_clipped(value: float, loss: float, gradient: float) -> None:
    values = T([[value]], requires_grad=True)
    found = objective.value_loss(values, T([[1.0]]), T([[2.0]]), clip=0.2)
    near(found.detach(), [[loss]])
    found.sum().backward()
    near(values.grad, [[gradient]])


def test_kl_estimators_by_hand_and_on_average() -> None:
    near(objective.kl_k1(T([-1.0]), T([-1.5])), [0.5])
    near(objective.kl_k3(T([-1.0]), T([-1.5])), [math.exp(-0.5) - 1 + 0.5])
    policy, reference = T([0.7, 0.2, 0.1]), T([0.2, 0.5, 0.3])
    exact = (policy * (policy / reference).log()).sum()
    for estimator in (objective.kl_k1, objective.kl_k3):  # expectation over what the policy writes
        near((policy * estimator(policy.log(), reference.log())).sum(), float(exact))
    assert (objective.kl_k3(policy.log(), reference.log()) >= 0).all()


def test_entropy_and_masked_mean() -> None:
    near(objective.entropy(torch.zeros(1, 4)), [math.log(4)])
    near(objective.entropy(T([[0.0, math.log(3.0)]])), [-(0.25 * math.log(0.25) + 0.75 * math.log(0.75))])
    near(objective.masked_mean(T([[2.0, 4.0, 9.0]]), T([[1.0, 1.0, 0.0]])), 3.0)
    assert objective.masked_mean(T([[2.0]]), T([[0.0]])) == 0
