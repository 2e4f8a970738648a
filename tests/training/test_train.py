from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from dadeum.core.errors import ModelError, RunError
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl
from dadeum.training.sft import AnswerTrainer
from dadeum.training.train import train
from tests.tiny import decide_recipe, write_splits


def new_run(tmp_path, recipe: Recipe, name: str = "run") -> Run:
    run = Run.create(recipe, tmp_path / name)
    write_splits(run)
    return run


def stage(**changes):
    base = {"name": "sft", "method": "sft", "epochs": 2, "batch_size": 4, "learning_rate": 5e-3}
    return [base | changes]


def weights(run: Run, recipe: Recipe) -> dict[str, torch.Tensor]:
    return load_file(run.adapter_folder(recipe) / "adapter_model.safetensors")


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        torch.testing.assert_close(tensor, b[name], rtol=0, atol=0)


def test_training_learns_and_tells_what_it_did(tiny_llama, tmp_path):
    recipe = decide_recipe(tiny_llama, stages=stage(epochs=15, learning_rate=2e-2))
    run = new_run(tmp_path, recipe)
    seen = []
    result = train(recipe, run, lambda what, done, total: seen.append((done, total)))["sft"]
    losses = [row["loss"] for row in read_jsonl(run.metrics_path) if "loss" in row]
    assert result.steps == len(losses) == 60
    # Random tied embeddings under a frozen base can only be learnt so far; the direction is what counts.
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert seen[-1] == (60, 60)
    assert result.num_trainable < 0.2 * result.num_parameters
    assert result.tokens_per_second > 0
    assert result.peak_memory_mb > 50
    assert {file.name for file in run.adapter_folder(recipe).iterdir()} >= {
        "adapter_config.json", "adapter_model.safetensors", "tokenizer.json",
    }  # fmt: skip


def test_same_seed_same_weights(tiny_llama, tmp_path):
    recipe = decide_recipe(tiny_llama)
    runs = [new_run(tmp_path, recipe, name) for name in ("a", "b")]
    for run in runs:
        train(recipe, run)
    assert_equal(weights(runs[0], recipe), weights(runs[1], recipe))


def test_resume_after_a_kill_gives_the_result_of_an_uninterrupted_run(tiny_llama, tmp_path, monkeypatch):
    recipe = decide_recipe(
        tiny_llama,
        model={
            "base": str(tiny_llama),
            "adapter": {"type": "lora", "r": 4, "alpha": 8, "dropout": 0.1},
            "precision": "fp32",
        },
        stages=stage(epochs=3, eval_steps=2, save_steps=2),
    )
    straight, killed = (new_run(tmp_path, recipe, name) for name in ("straight", "killed"))
    train(recipe, straight)

    class Killed(BaseException):
        pass

    def kill(what, done, total):
        if done == 7:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, killed, kill)
    assert killed.manifest()["steps"]["train.sft"]["status"] == "failed"
    train(recipe, killed)
    assert any(event["event"] == "stage_resumed" for event in read_jsonl(killed.folder / "events.jsonl"))
    assert_equal(weights(straight, recipe), weights(killed, recipe))
    curves = [
        [(r["step"], r["loss"]) for r in read_jsonl(run.metrics_path) if "loss" in r] for run in (straight, killed)
    ]
    assert curves[0] == curves[1]


def test_a_half_written_checkpoint_is_passed_over(tiny_llama, tmp_path):
    recipe = decide_recipe(tiny_llama, stages=stage(eval_steps=2, save_steps=2))
    run = new_run(tmp_path, recipe)
    train(recipe, run)
    before = weights(run, recipe)
    checkpoints = run.stage_folder(0, "sft") / "checkpoints"
    newest = max(checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    (newest / "trainer_state.json").unlink()
    manifest = run.manifest()
    manifest["steps"]["train.sft"]["status"] = "running"
    run.write_manifest(manifest)
    train(recipe, run)
    assert_equal(before, weights(run, recipe))


def test_other_settings_start_afresh(tiny_llama, tmp_path):
    recipe = decide_recipe(tiny_llama)
    run = new_run(tmp_path, recipe)
    train(recipe, run)
    other = decide_recipe(tiny_llama, stages=stage(learning_rate=1e-3))
    train(other, run)
    assert not any(event["event"] == "stage_resumed" for event in read_jsonl(run.folder / "events.jsonl"))
    assert len([row for row in read_jsonl(run.metrics_path) if "loss" in row]) == 8


def test_a_finished_stage_is_skipped(tiny_llama, tmp_path):
    recipe = decide_recipe(tiny_llama)
    run = new_run(tmp_path, recipe)
    train(recipe, run)
    train(recipe, run)
    assert [e["event"] for e in read_jsonl(run.folder / "events.jsonl")].count("step_skipped") == 1


def test_rotation_keeps_the_best_checkpoint_and_the_adapter_is_the_best(tiny_llama, tmp_path, monkeypatch):
    """Validation is best at step 5 and worse after it; only one checkpoint may stay."""

    def scripted(self, *args, **kwargs):
        return torch.tensor(1.0 + abs(self.state.global_step - 5)), None, None

    monkeypatch.setattr(AnswerTrainer, "prediction_step", scripted)
    recipe = decide_recipe(tiny_llama, stages=stage(epochs=3, eval_steps=1, save_steps=1, save_total_limit=1))
    run = new_run(tmp_path, recipe)
    result = train(recipe, run)["sft"]
    evaluations = {row["step"]: row["eval_loss"] for row in read_jsonl(run.metrics_path) if "eval_loss" in row}
    assert result.best_step == min(evaluations, key=evaluations.get) == 5 < max(evaluations)
    kept = run.stage_folder(0, "sft") / "checkpoints" / f"checkpoint-{result.best_step}"
    assert_equal(load_file(kept / "adapter_model.safetensors"), weights(run, recipe))


def test_early_stopping_stops_and_says_so(tiny_llama, tmp_path):
    changes = {"eval_steps": 1, "early_stopping": {"patience": 2}}
    recipe = decide_recipe(tiny_llama, stages=stage(epochs=10, learning_rate=0.3, **changes))
    result = train(recipe, new_run(tmp_path, recipe))["sft"]
    assert result.stopped_early
    assert result.steps < 40


def test_batch_of_eight_equals_two_batches_of_four_accumulated(tiny_llama, tmp_path):
    results = []
    for name, batch, accumulation in (("whole", 8, 1), ("parts", 4, 2)):
        recipe = decide_recipe(
            tiny_llama,
            stages=stage(batch_size=batch, accumulation_steps=accumulation, epochs=1, trainer_args={"max_steps": 1}),
        )
        run = Run.create(recipe, tmp_path / name)
        write_splits(run, (8, 4, 4))
        train(recipe, run)
        results.append(weights(run, recipe))
    for tensor_name, tensor in results[0].items():
        torch.testing.assert_close(tensor, results[1][tensor_name], atol=2e-4, rtol=1e-3)


def test_full_tuning_trains_and_saves_every_weight(tiny_llama, tmp_path):
    recipe = decide_recipe(
        tiny_llama,
        model={"base": str(tiny_llama), "adapter": {"type": "none"}, "precision": "fp32"},
        stages=stage(learning_rate=1e-3),
    )
    run = new_run(tmp_path, recipe)
    result = train(recipe, run)["sft"]
    assert result.num_trainable == result.num_parameters
    assert (run.adapter_folder(recipe) / "model.safetensors").exists()
    # Attention over trees is ours while training; a saved model must load without us.
    saved = [path.read_text() for path in run.stage_folder(0, "sft").rglob("config.json")]
    assert len(saved) > 1
    assert not any("dadeum" in config for config in saved)


def test_qlora_trains_on_four_bit_weights(tiny_llama, tmp_path):
    recipe = decide_recipe(
        tiny_llama,
        model={
            "base": str(tiny_llama),
            "adapter": {"type": "qlora", "r": 4, "targets": "attention"},
            "precision": "fp32",
        },
        stages=stage(optim="paged_adamw_32bit", epochs=1),
    )
    run = new_run(tmp_path, recipe)
    train(recipe, run)
    trained = weights(run, recipe)
    assert any(tensor.abs().sum() > 0 for name, tensor in trained.items() if "lora_B" in name)
    config = json.loads((run.adapter_folder(recipe) / "adapter_config.json").read_text())
    assert sorted(config["target_modules"]) == ["k_proj", "o_proj", "q_proj", "v_proj"]


def test_gradient_checkpointing_changes_memory_not_weights(tiny_llama, tmp_path):
    results = []
    for name, checkpointing in (("plain", False), ("checkpointed", True)):
        recipe = decide_recipe(tiny_llama, stages=stage(gradient_checkpointing=checkpointing))
        run = new_run(tmp_path, recipe, name)
        train(recipe, run)
        results.append(weights(run, recipe))
    for tensor_name, tensor in results[0].items():
        torch.testing.assert_close(tensor, results[1][tensor_name], atol=1e-5, rtol=1e-4)


def test_a_second_stage_starts_from_the_first(tiny_llama, tmp_path):
    recipe = decide_recipe(tiny_llama, stages=[*stage(), *stage(name="more", epochs=1, learning_rate=1e-6)])
    run = new_run(tmp_path, recipe)
    results = train(recipe, run)
    assert set(results) == {"sft", "more"}
    first = load_file(run.stage_folder(0, "sft") / "adapter" / "adapter_model.safetensors")
    for name, tensor in weights(run, recipe).items():
        torch.testing.assert_close(tensor, first[name], atol=1e-4, rtol=0)


def test_a_target_that_matches_nothing_stops_before_training(tiny_llama, tmp_path):
    model = {"base": str(tiny_llama), "adapter": {"type": "lora", "targets": ["out_proj"]}, "precision": "fp32"}
    recipe = decide_recipe(tiny_llama, model=model)
    with pytest.raises(ModelError) as caught:
        train(recipe, new_run(tmp_path, recipe))
    assert caught.value.values["near"] == "o_proj"


def test_training_without_data_names_the_missing_step(tiny_llama, tmp_path):
    recipe = decide_recipe(tiny_llama)
    run = new_run(tmp_path, recipe)
    shutil.rmtree(run.folder / "data")
    with pytest.raises(RunError) as caught:
        train(recipe, run)
    assert caught.value.values["step"] == "data build"
