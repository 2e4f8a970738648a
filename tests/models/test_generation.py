"""Greedy answers on shared keys and values are those of padded rows."""

from __future__ import annotations

import pytest
import torch

from dadeum.models import generation
from dadeum.models.generation import Writing, generate_batch, shared_beginning
from tests.models.test_scoring import prompts, tiny

GREEDY = Writing(max_new_tokens=9, stop_ids=(3, 7), pad_id=0)


def alone(model, rows):
    """Rows one by one, without padding or a cache: the likeliest token, again and again."""
    answers = []
    for row in rows:
        ids = list(row)
        while len(ids) < len(row) + GREEDY.max_new_tokens:
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        new = ids[len(row) :]
        answers.append(new[: next((at for at, token in enumerate(new) if token in GREEDY.stop_ids), len(new))])
    return answers


@pytest.fixture
def llama():
    return tiny("Llama")


def test_a_shared_beginning_changes_no_answer(llama):
    rows = prompts()
    with torch.inference_mode():
        beginning = shared_beginning(llama, rows, GREEDY)
        assert beginning is not None
        assert len(beginning.ids) == 20
        wanted = alone(llama, rows)
        assert generate_batch(llama, rows, GREEDY, beginning) == wanted
        assert generate_batch(llama, rows[:3], GREEDY, beginning) == wanted[:3]  # the cache is as it was
        assert generate_batch(llama, rows, GREEDY, None) == wanted


def test_the_beginning_is_not_computed_again(llama):
    rows = prompts()
    with torch.inference_mode():
        beginning = shared_beginning(llama, rows, GREEDY)
        widths: list[int] = []
        llama.register_forward_pre_hook(
            lambda module, args, kwargs: widths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
        )
        generate_batch(llama, rows, GREEDY, beginning)
    assert widths[0] == max(map(len, rows)) - 20
    assert set(widths[1:]) == {1}


@pytest.mark.parametrize("family", ["Gemma3", "Exaone4"])
def test_a_window_shorter_than_the_rows_forbids_sharing(family, caplog):
    """Padding between the beginning and the rest would push the beginning out of the window."""
    model, rows = tiny(family), prompts()
    with torch.inference_mode():
        assert shared_beginning(model, rows, GREEDY) is None
        assert not caplog.records
        assert generate_batch(model, rows, GREEDY, None) == alone(model, rows)


def test_a_window_over_everything_allows_sharing():
    model, rows = tiny("Gemma3"), prompts()
    for module in [model.config, *(layer.self_attn for layer in model.model.layers)]:
        if module.sliding_window is not None:
            module.sliding_window = max(map(len, rows)) + GREEDY.max_new_tokens
    with torch.inference_mode():
        beginning = shared_beginning(model, rows, GREEDY)
        assert beginning is not None
        assert generate_batch(model, rows, GREEDY, beginning) == alone(model, rows)


def test_a_cache_that_forgets_is_noticed_and_not_used(llama, monkeypatch, caplog):
    honest = generation._cache

    def forgets(model, ids):
        cache = honest(model, ids)
        for layer in cache.layers:
            layer.keys, layer.values = layer.keys * 0, layer.values * 0
        return cache

    monkeypatch.setattr(generation, "_cache", forgets)
    with torch.inference_mode():
        assert shared_beginning(llama, prompts(), GREEDY) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_model_without_a_cache_of_its_own_is_noticed(llama, monkeypatch, caplog):
    monkeypatch.setattr(generation, "_cache", lambda model, ids: None)
    with torch.inference_mode():
        assert shared_beginning(llama, prompts(), GREEDY) is None
    assert "LlamaForCausalLM" in caplog.text


def test_few_rows_and_short_beginnings_are_not_shared(llama, monkeypatch):
    monkeypatch.setattr(generation, "_cache", lambda model, ids: pytest.fail("computed in vain"))
    rows = prompts()
    assert shared_beginning(llama, rows[:3], GREEDY) is None
    assert shared_beginning(llama, [row[15:] for row in rows], GREEDY) is None


def test_any_stop_token_ends_an_answer_at_once(llama):
    rows = prompts()[:1]
    free = Writing(max_new_tokens=9, stop_ids=(119,), pad_id=0)
    with torch.inference_mode():
        [written] = generate_batch(llama, rows, free, None)
        passes: list[int] = []
        llama.register_forward_pre_hook(lambda module, args: passes.append(1))
        at = next(place for place in range(1, len(written)) if written[place] not in written[:place])
        stops = Writing(max_new_tokens=9, stop_ids=(119, written[at]), pad_id=0)
        assert generate_batch(llama, rows, stops, None) == [written[:at]]
    assert len(passes) == at + 1
