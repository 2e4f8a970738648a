"""The watch sees a collapse, stays quiet where there is none, and changes nothing of the training."""

from __future__ import annotations

import json
import logging
import random

import numpy as np
import pytest
import torch

from dadeum.starts.openings import openings
from dadeum.starts.result import Side
from dadeum.training.arguments import check_stages
from dadeum.training.paused import paused
from dadeum.training.train import train
from dadeum.training.watch import STATE, collapses, judged
from tests.starts.conftest import PROMPTS, THINGS, VARIED, WARNED
from tests.tiny import decide_recipe
from tests.training.watched import WATCH, assert_equal, chat_recipe, events, learn, looks, new_run, weights

SMALL = {"every": 2, "answers": 3, "max_new_tokens": 4}


def test_a_collapse_is_seen_told_and_stopped(varied, tmp_path, caplog):
    recipe = chat_recipe(varied, WATCH | {"stop": True}, epochs=40, save_steps=4, eval_steps=4, save_total_limit=9)
    with caplog.at_level(logging.WARNING):
        run, result = learn(recipe, tmp_path / "run", WARNED)
    states = [(row["step"], row[STATE]) for row in looks(run)]
    assert states[0] == (0, 0), "varied answers to begin with"
    assert [state for _, state in states[-2:]] == [2, 2] and states[-1][0] == result.steps < 120
    assert result.stopped_early
    assert result.figures["watch_stopped_step"] == result.steps
    assert result.figures["watch_looks"] == len(states) and result.figures["watch_state"] == 2
    last = looks(run)[-1]
    assert last["watch/boilerplate"] == 1 and last["watch/entropy"] < looks(run)[0]["watch/entropy"]
    assert all(isinstance(value, int | float) for name, value in last.items() if name != "stage")
    told = events(run, "starts_watched")[-1]
    assert told["state"] == "collapsed" and "boilerplate" in told["signals"]
    assert len(told["answers"]) == 3 and all(one.startswith("참고용") for one in told["answers"])
    assert events(run, "stage_stopped")[0]["step"] == result.steps
    said = [record.getMessage() for record in caplog.records if record.name.startswith("dadeum")]
    assert any("나빠졌습니다" in line and "무너짐" in line for line in said)
    assert any("watch.stop" in line and f"{result.best_step}스텝의 가중치" in line for line in said)
    assert any("무너지기 전의 체크포인트" in line and f"checkpoint-{result.steps - 8}" in line for line in said)
    json.dumps(run.manifest(), allow_nan=False)


def test_varied_answers_are_left_in_peace(varied, tmp_path, caplog):
    recipe = chat_recipe(varied, WATCH | {"stop": True}, learning_rate=1e-4)
    with caplog.at_level(logging.WARNING):
        run, result = learn(recipe, tmp_path / "run", VARIED)
    assert [(row["step"], row[STATE]) for row in looks(run)] == [(0, 0), (4, 0), (8, 0), (12, 0)]
    assert not result.stopped_early and "watch_stopped_step" not in result.figures
    assert not [record for record in caplog.records if "train.watch" in record.name or "답의 시작" in record.message]


def test_a_resumed_run_looks_where_an_uninterrupted_one_does(varied, tmp_path):
    recipe = chat_recipe(varied, WATCH | SMALL, "lora", epochs=2, save_steps=3, eval_steps=3)
    straight, _ = learn(recipe, tmp_path / "straight", VARIED)

    class Killed(BaseException):
        pass

    def kill(what, done, total):
        if done == 5:
            raise Killed

    run = new_run(recipe, tmp_path / "killed", VARIED)
    with pytest.raises(Killed):
        train(recipe, run, kill)
    result = train(recipe, run)["sft"]
    assert [row["step"] for row in looks(run)] == [row["step"] for row in looks(straight)] == [0, 2, 4, 6]
    seen = [[{k: v for k, v in row.items() if k != "watch/seconds"} for row in looks(one)] for one in (run, straight)]
    assert seen[0] == seen[1]
    assert result.figures["watch_looks"] == 4
    assert_equal(weights(run, recipe), weights(straight, recipe))


def test_a_run_that_died_before_its_first_checkpoint_has_one_look_before_the_first_step(varied, tmp_path):
    recipe = chat_recipe(varied, WATCH | SMALL, "lora", epochs=1)

    class Killed(BaseException):
        pass

    def kill(what, done, total):
        if done == 1:
            raise Killed

    run = new_run(recipe, tmp_path / "killed", VARIED)
    with pytest.raises(Killed):
        train(recipe, run, kill)
    train(recipe, run)
    assert [row["step"] for row in looks(run)] == [0, 2, 3]


def test_what_is_kept_is_looked_at_in_the_end(varied, tmp_path, monkeypatch):
    """Validation is best at step 3, which no look fell on."""
    from dadeum.training.sft import AnswerTrainer

    def scripted(self, *args, **kwargs):
        return torch.tensor(1.0 + abs(self.state.global_step - 3)), None, None

    monkeypatch.setattr(AnswerTrainer, "prediction_step", scripted)
    recipe = chat_recipe(varied, WATCH | SMALL | {"every": 5}, epochs=2, eval_steps=3, save_steps=3)
    run, result = learn(recipe, tmp_path / "run", VARIED)
    assert result.best_step == 3
    assert [row["step"] for row in looks(run)] == [0, 5, 3]


def test_a_base_that_is_collapsed_to_begin_with_is_not_stopped(tiny_llama, tmp_path, caplog):
    """Random weights: a uniform first token."""
    recipe = chat_recipe(tiny_llama, WATCH | {"every": 1, "stop": True}, learning_rate=1e-6, epochs=1)
    with caplog.at_level(logging.WARNING):
        run, result = learn(recipe, tmp_path / "run", VARIED)
    assert [row[STATE] for row in looks(run)] == [2, 2, 2, 2] and not result.stopped_early
    assert sum("학습하기 전부터" in record.message for record in caplog.records) == 1


def test_without_validation_training_questions_are_asked_and_that_is_said(varied, tmp_path, caplog):
    recipe = chat_recipe(varied, WATCH | {"prompts": 5, "answers": 0}, learning_rate=1e-4, epochs=1)
    with caplog.at_level(logging.WARNING):
        run, _ = learn(recipe, tmp_path / "run", VARIED, validation=False)
    said = [record.message for record in caplog.records]
    assert any("data.split.validation" in line for line in said) and any("5개뿐" in line for line in said)
    assert "watch/marks" not in looks(run)[0] and looks(run)[0]["watch/entropy"] > 0


def test_a_look_without_memory_is_told_and_training_goes_on(varied, tmp_path, caplog, monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("dadeum.training.watch.look", full)
    recipe = chat_recipe(varied, WATCH | {"stop": True}, learning_rate=1e-4, epochs=2)
    with caplog.at_level(logging.WARNING):
        run, result = learn(recipe, tmp_path / "run", VARIED)
    assert result.steps == 6 and looks(run) == [] and "watch_looks" not in result.figures
    assert any("보지 못했습니다" in record.message for record in caplog.records)


@pytest.mark.parametrize(
    ("states", "stops"),
    [
        ([0, 2], False),
        ([0, 2, 2], True),
        ([0, 2, 1, 2], False),
        ([2, 2, 2], False),
        ([2, 1, 2, 2], True),
        ([2], False),
    ],
)
def test_two_looks_in_a_row_after_one_that_was_not_collapsed(states, stops):
    assert collapses(states) is stops


def side_of(varied, answers) -> Side:
    from contextlib import closing

    from dadeum.models.engines import load_engine
    from dadeum.models.writing import Written
    from dadeum.starts.first_tokens import first_tokens
    from tests.starts.conftest import recipe_of, turns

    with closing(load_engine(recipe_of(varied), None)) as engine:
        first = first_tokens(engine, turns(PROMPTS), 8, 42, lambda newly: None)
    return Side(first=first.figures, answers=openings([Written(one, True) for one in answers], 42))


def test_of_eight_answers_only_what_is_sure_counts(varied):
    good = [f"{thing}는 이렇게 씁니다." for thing in THINGS[:8]]
    for bad, state in ((0, 0), (2, 0), (4, 1), (8, 2)):
        found, reasons = judged(side_of(varied, [f"… {one}" for one in good[:bad]] + good[bad:]), None, len(PROMPTS))
        assert found == state, (bad, reasons)
    assert judged(side_of(varied, ["… 네."] * 2), None, len(PROMPTS))[0] == 0, "two answers say nothing"


def test_the_form_that_is_taught_is_no_collapse(varied):
    answers = [f"요약: {thing}" for thing in THINGS[:8]]
    lessons = openings(side_answers := [type("W", (), {"text": a, "finished": True})() for a in answers * 3], 42)
    assert judged(side_of(varied, answers), None, len(PROMPTS))[0] == 2
    assert judged(side_of(varied, answers), lessons, len(PROMPTS))[0] == 0, side_answers


def test_a_pause_leaves_everything_as_it_was(varied):
    from transformers import AutoModelForCausalLM

    from dadeum.models.tree_attention import NAME, trees

    model = AutoModelForCausalLM.from_pretrained(varied).train()
    model.model.layers[0].eval()
    model.config.use_cache = False
    model.model.layers[1]._compiled_call_impl = compiled = object()
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    expected = (torch.rand(1), random.random(), np.random.rand())
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    with trees(model):
        with paused(model):
            assert model.config._attn_implementation == "sdpa" and model.config.use_cache
            assert not any(one.training for one in model.modules())
            assert model.model.layers[1]._compiled_call_impl is None
            torch.rand(3), random.random(), np.random.rand()
        assert model.config._attn_implementation == NAME
    assert model.config._attn_implementation == "sdpa" and not model.config.use_cache
    assert (torch.rand(1), random.random(), np.random.rand()) == expected
    assert model.training and not model.model.layers[0].training and model.model.layers[1].training
    assert model.model.layers[1]._compiled_call_impl is compiled


SFT = {"name": "s", "method": "sft", "watch": {}}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"task": decide_recipe("x").task.model_dump()}, "train.watch.task"),
        (
            {"stages": [SFT, {"name": "r", "method": "reward", "watch": {}, "pairs": {"sampled": 2}}]},
            "train.watch.method",
        ),
        ({"stages": [{"name": "s", "method": "seq2seq", "watch": {}}]}, "train.watch.method"),
    ],
)
def test_what_has_no_free_beginning_is_refused_before_anything_is_loaded(tiny_llama, changes, key):
    base = {"task": {"type": "chat"}, "stages": [SFT]}
    assert key in [problem.key for problem in check_stages(decide_recipe(tiny_llama, **(base | changes)))]
    assert not [one for one in check_stages(decide_recipe(tiny_llama, **base)) if one.key.startswith("train.watch")]
