"""What the three methods that learn from rewards are given, and what is refused."""

from __future__ import annotations

import pytest

from dadeum.core.errors import DataError
from dadeum.core.messages import text
from dadeum.core.recipe import Recipe
from dadeum.models.load import load_tokenizer
from dadeum.models.render import Renderer
from dadeum.training.arguments import check_stages
from dadeum.training.online import Decoder, read_prompts
from tests.tiny import save_llama
from tests.training import tiny_online

METHODS = ("ppo", "rloo", "grpo")


@pytest.fixture
def base(tmp_path):
    return save_llama(tmp_path / "model")


@pytest.fixture(autouse=True)
def rewards(monkeypatch):
    tiny_online.use_rewards(monkeypatch, letters=tiny_online.letters)


def test_what_is_rated_is_what_evaluation_shows(base, tmp_path) -> None:
    work = tiny_online.work_for(base, tmp_path, "ppo")
    renderer = Renderer(load_tokenizer(work.recipe.model), work.recipe.render)
    ids = renderer.answer_ids("회의 일정")
    assert Decoder(renderer)(ids) == "회의 일정"
    assert Decoder(renderer)([*ids, 5, 6]) == "회의 일정"


def test_the_longest_taught_answer_is_the_limit(base, tmp_path) -> None:
    work = tiny_online.work_for(base, tmp_path, "ppo", max_new_tokens=None)
    renderer = Renderer(load_tokenizer(work.recipe.model), work.recipe.render)
    longest = max(len(renderer.answer_ids(answer)) for answer in tiny_online.ANSWERS)
    assert read_prompts(work, renderer).max_new_tokens == longest


def test_too_few_rows_for_one_step_are_told(base, tmp_path) -> None:
    work = tiny_online.work_for(base, tmp_path, "grpo", batch_size=48)
    renderer = Renderer(load_tokenizer(work.recipe.model), work.recipe.render)
    with pytest.raises(DataError) as error:
        read_prompts(work, renderer)
    assert error.value.key == "train.reinforcement.too_few_rows"
    assert error.value.values["needed"] == 12


def problems(base, method="grpo", task=None, **stage) -> dict[str, dict]:
    recipe = tiny_online.recipe(base, method, **({"rewards": {"length": 1.0}} | stage))
    raw = recipe.model_dump(mode="json") | ({"task": task} if task else {})
    return {one.key: one.values for one in check_stages(Recipe.model_validate(raw))}


def test_a_recipe_that_can_be_run_has_no_problems(base) -> None:
    for method in METHODS:
        assert problems(base, method) == {}


def test_problems_are_found_before_anything_is_loaded(base) -> None:
    found = problems(base, rewards={"lenght": 1.0})["train.reinforcement.unknown_reward"]
    assert found["near"] == "length"
    assert "rouge" in found["known"]
    assert "train.reinforcement.one_generation" in problems(base, generations=1)
    assert problems(base, "ppo", generations=1) == {}
    assert problems(base, eval_steps=2)["train.reinforcement.no_validation_loss"]["field"] == "eval_steps"
    assert "train.reinforcement.no_validation_loss" in problems(base, early_stopping={"patience": 1})
    decide = {"type": "decide", "instruction": "?", "labels": ["A", "B"], "input_fields": ["subject"]}
    assert "train.reinforcement.decide" in problems(base, task=decide)


def test_the_sizes_that_are_named_for_a_group_work(base) -> None:
    found = problems(base, batch_size=6, generations=4)["train.reinforcement.groups"]
    assert found["sizes"] == "4, 8"
    assert found["numbers"] == "2, 3, 6"
    for size in (4, 8):
        assert problems(base, batch_size=size, generations=4) == {}
    for number in (2, 3, 6):
        assert problems(base, batch_size=6, generations=number) == {}
    assert "4, 8" in text("train.reinforcement.groups", **found)


def test_a_reward_model_must_have_been_trained_before(base, monkeypatch) -> None:
    monkeypatch.setattr("dadeum.training.online.names", lambda package: ["length", "model"])
    assert "train.reinforcement.no_reward_stage" in problems(base, rewards={"model": 1.0})
