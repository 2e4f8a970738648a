from __future__ import annotations

import pytest
import torch

from dadeum.training.ppo.policy import add_value_head, log_probs_of, padded_texts, see
from dadeum.training.ppo.rollout import Writing, write
from tests.tiny import save_llama

PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 12, 13]]
ANSWERS = [[20, 21, 22, 23], [30, 31]]


@pytest.fixture
def model(tmp_path):
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(save_llama(tmp_path)).eval()
    add_value_head(loaded)
    torch.nn.init.normal_(loaded.value_head.weight)
    return loaded


def test_padding_changes_neither_log_probabilities_nor_values(model) -> None:
    with torch.no_grad():
        together = see(model, padded_texts(PROMPTS, ANSWERS, 0, "cpu"), 0.7)
        for row, (prompt, answer) in enumerate(zip(PROMPTS, ANSWERS, strict=True)):
            alone = see(model, padded_texts([prompt], [answer], 0, "cpu"), 0.7)
            torch.testing.assert_close(together.log_probs[row, : len(answer)], alone.log_probs[0], atol=1e-5, rtol=0)
            torch.testing.assert_close(together.values[row, : len(answer)], alone.values[0], atol=1e-5, rtol=0)
            assert together.log_probs[row, len(answer) :].abs().sum() == 0
            assert together.values[row, len(answer) :].abs().sum() == 0


def test_each_token_is_seen_from_the_place_before_it_at_the_temperature_it_was_drawn_with(model) -> None:
    ids = [*PROMPTS[0], *ANSWERS[0]]
    with torch.no_grad():
        seen = see(model, padded_texts(PROMPTS[:1], ANSWERS[:1], 0, "cpu"), 0.5)
        out = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    log_probs = (out.logits[0] / 0.5).log_softmax(-1)
    for number, token in enumerate(ANSWERS[0]):
        place = len(PROMPTS[0]) + number - 1
        assert float(seen.log_probs[0, number]) == pytest.approx(float(log_probs[place, token]), abs=1e-5)
        value = model.value_head(out.hidden_states[-1][0, place])
        assert float(seen.values[0, number]) == pytest.approx(float(value), abs=1e-5)
    with torch.no_grad():
        same = log_probs_of(model, padded_texts(PROMPTS[:1], ANSWERS[:1], 0, "cpu"), 0.5)
    torch.testing.assert_close(same, seen.log_probs)


def test_an_end_token_counts_even_where_it_is_the_padding(model) -> None:
    texts = padded_texts([[5, 6]], [[20, 0]], 0, "cpu")
    assert texts.written.tolist() == [[1, 1]]
    assert texts.mask.tolist() == [[1, 1, 1, 1]]


def test_what_is_written_ends_with_its_first_stop_token(model) -> None:
    torch.manual_seed(0)
    stops = tuple(range(0, 420, 3))
    found = write(model, PROMPTS * 4, Writing(8, stops, 0), temperature=1.0, batch_size=3)
    assert len(found) == 8
    assert any(len(answer) < 8 for answer in found)
    for answer in found:
        assert all(one not in stops for one in answer[:-1])
        assert answer[-1] in stops or len(answer) == 8


def test_a_new_value_head_says_nothing(model) -> None:
    del model.value_head
    add_value_head(model)
    assert see(model, padded_texts(PROMPTS, ANSWERS, 0, "cpu"), 1.0).values.abs().sum() == 0
