from __future__ import annotations

import numpy as np
import pytest
import torch

from dadeum.core.recipe import Render
from dadeum.models.engines import Engine, load_engine
from dadeum.models.render import Renderer, label_spans
from dadeum.tasks import decide
from tests.tiny import decide_recipe, example


@pytest.fixture(scope="module")
def engine(tiny_llama):
    return load_engine(decide_recipe(tiny_llama), None)


def by_hand(engine: Engine, prompt, answer: str, span: list[int]) -> float:
    """One unpadded row, no cache, full logits: log probability of the span's tokens."""
    answer_ids = engine.renderer.answer_ids(answer)
    start = next(i for i in range(len(answer_ids)) if answer_ids[i : i + len(span)] == span)
    ids = engine.renderer.prompt_ids(prompt) + answer_ids[: start + len(span)]
    with torch.inference_mode():
        logits = engine.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return sum(float(logits[len(ids) - len(span) + k - 1, token]) for k, token in enumerate(span))


@pytest.mark.parametrize("labels", [["BLOCK", "ALLOW"], ["스팸", "정상", "정상 아님"]])
def test_scores_equal_an_unbatched_forward_pass(engine, labels):
    task = decide_recipe("x").task.model_copy(update={"labels": tuple(labels)})
    candidates = decide.candidates(task)
    prompts = [example(i, "BLOCK", subject="아주 긴 제목 " * i).prompt for i in range(1, 6)]
    scores = engine.score(prompts, candidates, batch_size=2)
    spans = label_spans(engine.renderer, candidates)
    wanted = [[by_hand(engine, prompt, c, s) for c, s in zip(candidates, spans, strict=True)] for prompt in prompts]
    np.testing.assert_allclose(scores, wanted, atol=1e-4)


def test_scores_do_not_depend_on_the_batch(engine):
    candidates = decide.candidates(decide_recipe("x").task)
    prompts = [example(i, "BLOCK", subject="제목 " * i).prompt for i in range(1, 8)]
    one, many = (engine.score(prompts, candidates, batch_size) for batch_size in (1, 7))
    np.testing.assert_allclose(one, many, atol=1e-4)


def test_generation_keeps_the_order_and_stops_at_the_end_token(engine):
    prompts = [example(i, "BLOCK", subject="제목 " * i).prompt for i in (5, 1, 3)]
    counted: list[int] = []
    together = engine.generate(prompts, 6, batch_size=2, progress=counted.append)
    alone = [engine.generate([prompt], 6, batch_size=1)[0] for prompt in prompts]
    assert together == alone
    assert sum(counted) == 3
    end = engine.renderer.end_id
    assert engine._until_end([5, 6, end, 7]) == engine.renderer.tokenizer.decode([5, 6])


def test_instruction_format_scores_too(tiny_llama):
    base = load_engine(decide_recipe(tiny_llama), None)
    engine = Engine(base.model, Renderer(base.renderer.tokenizer, Render(format="instruction")))
    scores = engine.score([example(1, "BLOCK").prompt], decide.candidates(decide_recipe("x").task), 4)
    assert scores.shape == (1, 2)
    assert (scores < 0).all()


def test_a_cache_that_forgets_is_noticed_and_not_used(engine, monkeypatch, caplog):
    candidates = decide.candidates(decide_recipe("x").task)
    prompts = [example(i, "BLOCK", subject="제목 " * i).prompt for i in range(1, 5)]
    right = engine.score(prompts, candidates, batch_size=4)
    honest = engine._prefix_cache

    def forgets(ids):
        cache = honest(ids)
        for layer in cache.layers:
            layer.keys, layer.values = layer.keys * 0, layer.values * 0
        return cache

    monkeypatch.setattr(engine, "_prefix_cache", forgets)
    monkeypatch.setattr("dadeum.models.engines._PREFIX_TOLERANCE", {"fp32": 1e-5, "half": 1e-5})
    np.testing.assert_allclose(engine.score(prompts, candidates, batch_size=4), right, atol=1e-4)
    assert any(record.levelname == "WARNING" for record in caplog.records)
