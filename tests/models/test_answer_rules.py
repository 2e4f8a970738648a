"""Rules look at the answer alone; what is drawn belongs to a row and not to its batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dadeum.core.generation import Generation
from dadeum.models.answer_rules import draw, numbers_of, rules
from dadeum.models.generation import Writing, generate_batch, shared_beginning
from tests.models.test_scoring import prompts, tiny

THREE = torch.tensor([[0.5, 0.3, 0.2]]).log()


@pytest.fixture(scope="module")
def llama():
    return tiny("Llama")


def written(model, rows, generation, beginning=None, draws=None, length=9):
    with torch.inference_mode():
        return generate_batch(model, rows, Writing(length, (3, 7), 0, generation), beginning, draws)


@pytest.mark.parametrize(
    ("number", "top_p", "token"),
    [(0.6, 0.7, 0), (0.7, 0.7, 1), (0.0, 0.7, 0), (0.999, 0.7, 1), (0.999, 1.0, 2), (0.79, 1.0, 1), (0.9, 0.5, 0)],
)
def test_a_token_is_drawn_as_worked_out_by_hand(number, top_p, token):
    """Probabilities .5 .3 .2, likeliest first."""
    assert draw(THREE, 1.0, top_p, torch.tensor([number])).tolist() == [token]


def test_temperature_sharpens_as_worked_out_by_hand():
    """At 0.5 the probabilities are squared: .25 .09 .04 of .38 are .658 .237 .105."""
    numbers = torch.tensor([0.65, 0.66, 0.89, 0.9])
    assert draw(THREE.expand(4, -1), 0.5, 1.0, numbers).tolist() == [0, 1, 1, 2]


def test_tokens_are_drawn_as_often_as_they_are_probable():
    numbers = torch.from_numpy(numbers_of(5, [(row, 0) for row in range(4000)], 1)[:, 0])
    drawn = torch.bincount(draw(THREE.expand(4000, -1), 1.0, 1.0, numbers), minlength=3) / 4000
    np.testing.assert_allclose(drawn, [0.5, 0.3, 0.2], atol=0.03)


def test_the_order_of_the_vocabulary_does_not_matter():
    scores = torch.tensor([[0.2, 0.5, 0.3]]).log()
    assert draw(scores, 1.0, 1.0, torch.tensor([0.6])).tolist() == [2]


def test_every_answer_has_numbers_of_its_own():
    numbers = numbers_of(1, [(0, 0), (0, 1), (1, 0)], 8)
    assert numbers.shape == (3, 8)
    assert len(np.unique(numbers)) == 24
    np.testing.assert_array_equal(numbers_of(1, [(1, 0)], 8)[0], numbers[2])
    assert not np.array_equal(numbers_of(2, [(1, 0)], 8)[0], numbers[2])


def test_what_the_prompt_says_may_be_said_again():
    """With transformers' own rule a model could not copy a name; with ours only the answer may not repeat itself."""
    [no_repeat] = rules(Generation(no_repeat_ngram=2), 4, None)
    scores = torch.zeros(1, 12)
    assert torch.equal(no_repeat(torch.tensor([[5, 6, 9, 9, 5]]), scores), scores)
    banned = no_repeat(torch.tensor([[5, 6, 9, 9, 5, 8, 5]]), scores)
    assert banned[0].isinf().nonzero().flatten().tolist() == [8]
    [penalty] = rules(Generation(repetition_penalty=2.0), 4, None)
    ones = torch.ones(1, 12)
    assert torch.equal(penalty(torch.tensor([[5, 6, 9, 9]]), ones), ones)
    assert penalty(torch.tensor([[5, 6, 9, 9, 8]]), ones)[0].eq(0.5).nonzero().flatten().tolist() == [8]


def test_no_ngram_comes_twice_in_a_written_answer(llama):
    rows = prompts()
    free = written(llama, rows, Generation(), length=30)
    bound = written(llama, rows, Generation(no_repeat_ngram=2), length=30)
    pairs = [[tuple(ids[at : at + 2]) for at in range(len(ids) - 1)] for ids in bound]
    assert all(len(set(each)) == len(each) for each in pairs)
    assert free != bound


@pytest.mark.parametrize(
    "generation",
    [
        Generation(beams=3),
        Generation(beams=2, no_repeat_ngram=2, length_penalty=2.0),
        Generation(temperature=0.8, top_p=0.9),
        Generation(repetition_penalty=1.4),
    ],
)
def test_a_shared_beginning_and_the_batch_change_no_answer(llama, generation):
    rows = prompts()
    draws = numbers_of(3, [(row, 0) for row in range(len(rows))], 9) if generation.temperature else None
    with torch.inference_mode():
        beginning = shared_beginning(llama, rows, Writing(9, (3, 7), 0, generation))
        assert beginning is not None
    together = written(llama, rows, generation, beginning, draws)
    assert together == written(llama, rows, generation, None, draws)
    alone = [
        written(llama, [row], generation, None, None if draws is None else draws[place : place + 1])[0]
        for place, row in enumerate(rows)
    ]
    assert together == alone
    assert together != written(llama, rows, Generation(), beginning)


def test_beams_find_an_answer_at_least_as_probable(llama):
    """Over a fixed length, since beam search here weighs sums of log probabilities."""
    row = prompts()[3]
    generation = Generation(beams=6, length_penalty=0.0)
    with torch.inference_mode():
        greedy, beam = (
            generate_batch(llama, [row], Writing(5, (119,), 0, one), None)[0] for one in (Generation(), generation)
        )
        found = [
            sum(float(llama(torch.tensor([row + ids])).logits[0].log_softmax(-1)[len(row) - 1 + at, token])
                for at, token in enumerate(ids))
            for ids in (greedy, beam)
        ]  # fmt: skip
    assert len(greedy) == len(beam) == 5
    assert found[1] >= found[0] - 1e-6


def test_drawing_without_numbers_is_our_own_mistake():
    with pytest.raises(ValueError, match="numbers"):
        rules(Generation(temperature=1.0), 0, None)
