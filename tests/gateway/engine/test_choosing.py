"""Tokens by hand: greedy, drawn, penalised, told with log probabilities, ended; and alike in every company."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.engine.choosing import Chooser, Chosen, choose_all
from dadeum.gateway.engine.sampling import drawn
from dadeum.gateway.engine.work import Ask, Sampling
from dadeum.models.answer_rules import draw
from tests.tiny import decide_recipe

STOP = 9


def chooser(most: int = 50, stop_ids: tuple[int, ...] = (STOP,), **sampling: Any) -> Chooser:
    model = ServedModel("tiny", "tiny", decide_recipe("tiny"), None, None, None)
    return Chooser(Ask("1", model, (1, 2), most, Sampling(**sampling)), None, stop_ids, 10)


def logits(rows: int, size: int = 10, seed: int = 0, scale: float = 3.0) -> torch.Tensor:
    return torch.randn(rows, size, generator=torch.Generator().manual_seed(seed)) * scale


def written(
    one: Chooser, steps: int, beside: list[Chooser] | None = None, place: int = 0, size: int = 400
) -> list[int]:
    """Tokens of one row in a batch with others, its logits the same in every company."""
    company = list(beside or [])
    company.insert(place, one)
    tokens = []
    for step in range(steps):
        given = logits(len(company), 400, seed=1000 + step)
        given[place] = logits(1, 400, seed=step)[0]
        tokens.append(choose_all(company, given)[place].token)
    return tokens


def test_greedy_takes_the_likeliest_of_each_row_and_changes_no_logits() -> None:
    given = logits(4)
    before = given.clone()
    found = choose_all([chooser() for _ in range(4)], given)
    assert [one.token for one in found] == given.argmax(-1).tolist()
    assert {one.logprob for one in found} == {None}
    mixed = choose_all([chooser(), chooser(frequency_penalty=1.0), chooser(temperature=1.0), chooser()], given)
    assert [mixed[place].token for place in (0, 1, 3)] == [found[place].token for place in (0, 1, 3)]
    assert torch.equal(given, before)


@pytest.mark.parametrize("scale", [0.0, 0.3, 3.0, 12.0])
@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.5, 0.0])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_what_is_drawn_is_what_evaluation_draws(scale: float, top_p: float, temperature: float) -> None:
    rows = (logits(40, 600, scale=scale) * 8).round() / 8  # with ties
    numbers = np.random.default_rng(5).random(40)
    numbers[:2] = 0.0, 1 - 1e-9
    expected = draw(rows, temperature, top_p, torch.from_numpy(numbers)).tolist()
    found = [drawn(row.numpy(), temperature, top_p, None, n) for row, n in zip(rows, numbers, strict=True)]
    assert found == expected


def test_only_the_likeliest_take_part() -> None:
    # exp: .5 .3 .2; of the two likeliest .625 and .375.
    row = np.log(np.array([0.2, 0.5, 0.3], dtype=np.float32))
    assert [drawn(row, 1.0, 1.0, 2, number) for number in (0.0, 0.62, 0.63, 0.99)] == [1, 1, 2, 2]
    assert [drawn(row, 1.0, 1.0, 1, number) for number in (0.0, 0.99)] == [1, 1]
    assert [drawn(row, 1.0, 0.6, 2, number) for number in (0.0, 0.99)] == [1, 1]  # top_p counts within the two
    assert [drawn(row, 1.0, 0.7, 9, number) for number in (0.6, 0.7)] == [1, 2]
    flat = np.zeros(5000, dtype=np.float32)
    assert {drawn(flat, 1.0, 1.0, 3, number) for number in (0.0, 0.4, 0.9)} == {0, 1, 2}


def test_shares_are_those_of_the_model() -> None:
    row = np.log(np.array([0.1, 0.6, 0.3], dtype=np.float32))
    numbers = np.random.default_rng(0).random(6000)
    found = np.bincount([drawn(row, 1.0, 1.0, None, number) for number in numbers], minlength=3) / 6000
    # Three standard deviations of a share of .6 over 6000.
    assert found == pytest.approx([0.1, 0.6, 0.3], abs=0.02)


@pytest.mark.parametrize("settings", [{"temperature": 1.0}, {"temperature": 0.7, "top_p": 0.9, "top_k": 40}])
def test_the_same_seed_gives_the_same_tokens_in_every_company(settings: dict[str, Any]) -> None:
    alone = written(chooser(seed=7, **settings), 30)
    assert len(set(alone)) > 5
    others = [chooser(seed=number, temperature=1.3) for number in range(5)] + [chooser(), chooser(presence_penalty=1.0)]
    assert written(chooser(seed=7, **settings), 30, others, place=4) == alone
    assert written(chooser(seed=8, **settings), 30) != alone
    assert written(chooser(**settings), 30) != written(chooser(**settings), 30)  # no seed: drawn anew
    assert written(chooser(seed=-7, **settings), 5) == written(chooser(seed=-7, **settings), 5)


def test_penalties_count_what_was_written() -> None:
    row = torch.tensor([[3.0, 2.0, 1.6, 0.0]])
    one = chooser(frequency_penalty=0.6, presence_penalty=0.5)
    # Each takes the likeliest and lowers it: 3 → 1.9, 2 → .9, 1.9 → 1.3, 1.6 → .5, 1.3 → .7, .9 → .3
    assert [choose_all([one], row)[0].token for _ in range(6)] == [0, 1, 0, 2, 0, 1]
    liked = chooser(presence_penalty=-2.0)
    rows = (torch.tensor([[1.0, 0.5]]), torch.tensor([[1.0, 2.5]]))
    assert [choose_all([liked], row)[0].token for row in rows] == [0, 0]


def test_log_probabilities_are_the_model_s_own() -> None:
    row = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    drawn_one = chooser(temperature=5.0, top_k=1, frequency_penalty=2.0, logprobs=2)
    found = choose_all([drawn_one], row)[0]
    assert found.token == 0 and found.logprob == pytest.approx(math.log(0.5), abs=1e-6)
    assert [token for token, _ in found.top] == [0, 1]
    assert [value for _, value in found.top] == pytest.approx([math.log(0.5), math.log(0.3)], abs=1e-6)
    # After the penalty the second is chosen, and told as the model thought of it.
    found = choose_all([drawn_one], row)[0]
    assert found.token == 1 and found.logprob == pytest.approx(math.log(0.3), abs=1e-6)
    silent, short = choose_all([chooser(), chooser(logprobs=0)], row.repeat(2, 1))
    assert silent.logprob is None and short.logprob == pytest.approx(math.log(0.5), abs=1e-6) and short.top == ()
    ruled_out = choose_all([chooser(logprobs=2)], torch.tensor([[0.0, -torch.inf]]))[0]
    assert ruled_out.top[1] == (1, -9999.0)


def test_an_answer_ends_with_a_stop_token_or_its_length() -> None:
    one = chooser(most=3)
    plain, stop = torch.zeros(1, 10), torch.zeros(1, 10)
    plain[0, 4], stop[0, STOP] = 1, 1
    assert [choose_all([one], plain)[0].ended for _ in range(3)] == [None, None, "length"]
    assert choose_all([chooser()], stop)[0] == Chosen(STOP, ended="stop", closes=True)
    assert choose_all([chooser(most=1)], stop)[0].ended == "stop"
    assert choose_all([chooser(most=1, temperature=1.0, top_k=1)], plain)[0] == Chosen(4, ended="length")
    assert choose_all([chooser(stop_ids=(4, 9))], plain)[0].ended == "stop"


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0}, {"presence_penalty": 1.0}])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_logits_that_are_no_numbers_end_their_row_alone(settings: dict[str, Any], wrong: float) -> None:
    given = logits(3)
    given[1, 5] = wrong
    rows = [chooser(**settings, logprobs=1, stop_ids=(99,)) for _ in range(3)]
    found = choose_all(rows, given)
    assert [one.ended for one in found] == [None, "error", None]
    assert found[1].closes and rows[1].fault and not rows[0].fault


def test_half_precision_and_slices_are_taken_as_they_come() -> None:
    given = logits(3)
    tokens = []
    for one in (given.bfloat16(), given.bfloat16().float()):
        tokens.append([found.token for found in choose_all([chooser(temperature=1.0, seed=1) for _ in range(3)], one)])
    assert tokens[0] == tokens[1]
    last = torch.stack([logits(3, seed=9), given], dim=1)[:, -1].requires_grad_()
    found = choose_all([chooser(), chooser(), chooser(top_k=1, temperature=1.0)], last)
    assert [one.token for one in found] == given.argmax(-1).tolist()
