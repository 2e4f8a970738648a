"""Early stopping on either loss: when it stops, what it counts as better, what it keeps."""

from __future__ import annotations

import logging

import pytest
import torch
from safetensors.torch import load_file

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl
from dadeum.training.arguments import check_stages
from dadeum.training.sft import AnswerTrainer
from dadeum.training.stopping import stale
from dadeum.training.train import train
from tests.tiny import decide_recipe, write_splits


def recipe_of(base, **changes) -> Recipe:
    stage = {"name": "sft", "method": "sft", "epochs": 10, "batch_size": 4, "learning_rate": 5e-3}
    return decide_recipe(base, stages=[stage | changes])


def learn(recipe, folder, sizes=(16, 8, 8)):
    run = Run.create(recipe, folder)
    write_splits(run, sizes)
    return run, train(recipe, run)["sft"]


@pytest.mark.parametrize(
    ("values", "min_delta", "since"),
    [
        ([3.0, 2.0, 1.0], 0.0, 0),
        ([1.0, 1.0, 1.0], 0.0, 2),
        ([1.0, 0.9995, 0.9991], 0.001, 2),
        # Small steps add up: what is compared is the last best that counted.
        ([1.0, 0.9995, 0.9985], 0.001, 0),
        ([1.0, float("nan"), 2.0], 0.0, 2),
        ([], 0.0, 0),
    ],
)
def test_what_counts_as_a_new_best(values, min_delta, since):
    assert stale(values, min_delta) == since


def test_training_loss_stops_after_so_many_logged_steps_and_the_best_validated_weights_stay(tiny_llama, tmp_path):
    """At a learning rate of nearly nothing the training loss falls by less than min_delta from the first step on."""
    settings = {"metric": "loss", "patience": 5, "min_delta": 10.0}
    recipe = recipe_of(tiny_llama, early_stopping=settings, eval_steps=2, save_steps=2)
    run, result = learn(recipe, tmp_path / "run")
    losses = [row["loss"] for row in read_jsonl(run.metrics_path) if "loss" in row]
    assert result.steps == len(losses) == 6, "the first loss is the best, five more are waited for"
    assert result.stopped_early
    evaluations = {row["step"]: row["eval_loss"] for row in read_jsonl(run.metrics_path) if "eval_loss" in row}
    assert result.best_step == min(evaluations, key=evaluations.get)


def test_training_loss_that_falls_does_not_stop(tiny_llama, tmp_path, monkeypatch):
    compute = AnswerTrainer.compute_loss

    def falling(self, *args, **kwargs):
        return compute(self, *args, **kwargs) * 0 + 1.0 / (1 + self.state.global_step)

    monkeypatch.setattr(AnswerTrainer, "compute_loss", falling)
    settings = {"metric": "loss", "patience": 1, "min_delta": 0.001}
    _, result = learn(recipe_of(tiny_llama, epochs=3, early_stopping=settings), tmp_path / "run")
    assert result.steps == 12 and not result.stopped_early


def test_without_validation_the_last_weights_are_kept_and_that_is_said(tiny_llama, tmp_path, caplog):
    settings = {"metric": "loss", "patience": 3, "min_delta": 10.0}
    with caplog.at_level(logging.WARNING):
        recipe = recipe_of(tiny_llama, early_stopping=settings)
        run, result = learn(recipe, tmp_path / "run", sizes=(16, 0, 8))
    assert result.steps == 4 and result.stopped_early and result.best_step is None
    assert any("sft" in record.message for record in caplog.records if record.name.startswith("dadeum"))
    kept = load_file(run.adapter_folder(recipe) / "adapter_model.safetensors")
    assert any(float(tensor.abs().sum()) > 0 for name, tensor in kept.items() if "lora_B" in name)


def test_validation_loss_without_validation_rows_is_said_and_trains_to_the_end(tiny_llama, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        _, result = learn(
            recipe_of(tiny_llama, epochs=2, early_stopping={"patience": 1}), tmp_path / "run", sizes=(16, 0, 8)
        )
    assert result.steps == 8
    assert any("data.split.validation" in record.message for record in caplog.records)


def test_validation_loss_must_fall_by_min_delta(tiny_llama, tmp_path, monkeypatch):
    def slowly(self, *args, **kwargs):
        return torch.tensor(1.0 - 0.0001 * self.state.global_step), None, None

    monkeypatch.setattr(AnswerTrainer, "prediction_step", slowly)
    for min_delta, steps in ((0.0, 12), (0.001, 3)):
        settings = {"patience": 2, "min_delta": min_delta}
        recipe = recipe_of(tiny_llama, epochs=3, eval_steps=1, early_stopping=settings)
        _, result = learn(recipe, tmp_path / str(steps))
        assert result.steps == steps


def test_a_resumed_run_stops_where_an_uninterrupted_one_does(tiny_llama, tmp_path):
    settings = {"metric": "loss", "patience": 6, "min_delta": 10.0}
    recipe = recipe_of(tiny_llama, early_stopping=settings, eval_steps=2, save_steps=2)
    _, straight = learn(recipe, tmp_path / "straight")

    class Killed(BaseException):
        pass

    def kill(what, done, total):
        if done == 5:
            raise Killed

    run = Run.create(recipe, tmp_path / "killed")
    write_splits(run)
    with pytest.raises(Killed):
        train(recipe, run, kill)
    assert train(recipe, run)["sft"].steps == straight.steps == 7


def test_a_metric_that_nobody_logs_is_refused_before_anything_is_loaded(tiny_llama):
    recipe = recipe_of(tiny_llama, early_stopping={"metric": "eval_los"})
    assert [problem.key for problem in check_stages(recipe)] == ["train.stopping.metric"]


@pytest.mark.parametrize("optim", ["paged_adamw_32bit", "adamw_8bit", "adafactor"])
def test_other_optimizers_learn_on_this_machine(tiny_llama, tmp_path, optim):
    if optim != "adafactor":
        pytest.importorskip("bitsandbytes")
    recipe = recipe_of(tiny_llama, epochs=2, optim=optim)
    assert check_stages(recipe) == []
    run, _ = learn(recipe, tmp_path / "run")
    kept = load_file(run.adapter_folder(recipe) / "adapter_model.safetensors")
    assert any(float(tensor.abs().sum()) > 0 for name, tensor in kept.items() if "lora_B" in name)


def test_optimizers_that_cannot_work_are_refused_before_anything_is_loaded(tiny_llama, monkeypatch):
    (unknown,) = check_stages(recipe_of(tiny_llama, optim="paged_adamw_32bits"))
    assert unknown.key == "train.optim.unknown" and unknown.values["near"] == "paged_adamw_32bit"
    monkeypatch.setattr("dadeum.training.arguments.find_spec", lambda name: None)
    (missing,) = check_stages(recipe_of(tiny_llama, optim="paged_adamw_32bit"))
    assert missing.key == "train.optim.needs_package" and missing.values["package"] == "bitsandbytes"
