from __future__ import annotations

import numpy as np
import pytest
import torch

from dadeum.core.generation import Generation
from dadeum.core.recipe import Render
from dadeum.models.engines import Engine, load_engine
from dadeum.models.load import add_adapter, load_base
from dadeum.models.precision import choose_precision
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
    prompts = [example(i, "BLOCK", subject="아주 긴 제목 " * i).prompt for i in (3, 1, 5, 2, 4, 3)]
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


def test_progress_counts_every_row_once(engine):
    prompts = [example(i, "BLOCK", subject="제목 " * i).prompt for i in range(1, 8)]
    scored: list[int] = []
    engine.score(prompts, decide.candidates(decide_recipe("x").task), 1, progress=scored.append)
    assert sum(scored) == 7
    assert len(scored) > 1


def test_instruction_format_scores_too(tiny_llama):
    base = load_engine(decide_recipe(tiny_llama), None)
    engine = Engine(base.model, Renderer(base.renderer.tokenizer, Render(format="instruction")))
    scores = engine.score([example(1, "BLOCK").prompt], decide.candidates(decide_recipe("x").task), 4)
    assert scores.shape == (1, 2)
    assert (scores < 0).all()


def test_nothing_to_do_is_done(engine):
    assert engine.score([], decide.candidates(decide_recipe("x").task), 4).shape == (0, 2)
    assert engine.generate([], 4, batch_size=2) == []


def test_outside_of_scoring_the_model_has_its_own_attention(engine):
    before = engine.model.config._attn_implementation
    prompts = [example(i, "BLOCK").prompt for i in range(1, 8)]
    engine.score(prompts, decide.candidates(decide_recipe("x").task), 4)
    assert engine.model.config._attn_implementation == before


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_adapter_is_merged_where_nothing_is_rounded(tiny_llama, tmp_path, precision):
    recipe = decide_recipe(tiny_llama)
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"precision": precision})})
    trained = add_adapter(load_base(recipe.model, choose_precision(precision)), recipe.model.adapter, False)
    for name, parameter in trained.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    trained.save_pretrained(str(tmp_path))
    engine = load_engine(recipe, tmp_path)
    assert any("lora" in name for name, _ in engine.model.named_parameters()) == (precision == "bf16")
    prompts, candidates = [example(i, "BLOCK").prompt for i in range(1, 8)], decide.candidates(recipe.task)
    found = engine.score(prompts, candidates, 4)
    np.testing.assert_allclose(found, Engine(trained, engine.renderer).score(prompts, candidates, 4), atol=1e-4)
    assert np.abs(found - load_engine(recipe, None).score(prompts, candidates, 4)).max() > 0.01


SAMPLED = Generation(temperature=1.2, top_p=0.95)


def test_sampled_answers_depend_on_the_seed_and_not_on_the_batch(engine):
    prompts = [example(i, "BLOCK", subject="제목 " * i).prompt for i in (5, 1, 3, 2, 4)]
    first = engine.write_candidates(prompts, 3, 6, 2, generation=SAMPLED, seed=7)
    assert engine.write_candidates(prompts, 3, 6, 15, generation=SAMPLED, seed=7) == first
    assert engine.write_candidates(prompts, 3, 6, 2, generation=SAMPLED, seed=8) != first
    assert [one[0] for one in first] == engine.write(prompts, 6, 3, generation=SAMPLED, seed=7)
    assert [len(one) for one in first] == [3] * 5
    assert any(len({each.text for each in one}) > 1 for one in first)


def test_progress_counts_prompts_once_whatever_is_drawn(engine):
    prompts = [example(i, "BLOCK").prompt for i in range(5)]
    for generation, batch_size in ((SAMPLED, 2), (SAMPLED, 4), (Generation(beams=3), 4)):
        counted: list[int] = []
        engine.write_candidates(prompts, 3, 3, batch_size, counted.append, generation)
        assert sum(counted) == 5


def test_without_a_temperature_candidates_are_the_best_beams(engine):
    prompts = [example(i, "BLOCK", subject="제목 " * i).prompt for i in (5, 1, 3)]
    generation = Generation(beams=4)
    several = engine.write_candidates(prompts, 3, 6, 8, generation=generation)
    assert [one[0] for one in several] == engine.write(prompts, 6, 8, generation=generation)
    assert all(len({each.text for each in one}) == 3 for one in several)


def test_plain_settings_are_the_greedy_path(engine):
    prompts = [example(i, "BLOCK", subject="제목 " * i).prompt for i in (5, 1, 3)]
    assert engine.generate(prompts, 6, 2) == [one.text for one in engine.write(prompts, 6, 2, generation=Generation())]
