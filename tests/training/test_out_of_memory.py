"""Memory that runs out in the middle of training: the same step in smaller passes, the same weights at the end."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dadeum.core.errors import ModelError
from dadeum.core.run import Run, read_jsonl
from dadeum.training.out_of_memory import is_out_of_memory
from dadeum.training.sft import AnswerTrainer
from dadeum.training.train import train
from tests.tiny import decide_recipe, write_splits

NO_ROOM = {
    "torch on a CPU": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    "torch on CUDA": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "Python": MemoryError(),
}


def recipe_of(base, **changes):
    stage = {"name": "sft", "method": "sft", "epochs": 2, "batch_size": 8, "learning_rate": 5e-3, "eval_steps": 1}
    return decide_recipe(base, stages=[stage | changes])


def learn(recipe, folder):
    run = Run.create(recipe, folder)
    write_splits(run)
    return run, train(recipe, run)["sft"]


def fail_above(monkeypatch, limit: int, error: Exception, where: str = "training") -> list[int]:
    """The trainer's passes over more than `limit` tokens fail; the list gets the tokens of every pass that did not."""
    passed: list[int] = []
    compute = AnswerTrainer.compute_loss

    def with_little_memory(self, model, inputs, *args, **kwargs):
        tokens = inputs["input_ids"].numel()
        loss = compute(self, model, inputs, *args, **kwargs)
        if tokens > limit and model.training == (where == "training"):
            # Half of a pass's gradients are there when the other half finds no room.
            if model.training:
                (loss * 0.5).backward()
            raise error
        passed.append(tokens)
        return loss

    monkeypatch.setattr(AnswerTrainer, "compute_loss", with_little_memory)
    return passed


@pytest.mark.parametrize("error", NO_ROOM.values(), ids=NO_ROOM)
def test_every_way_of_saying_it_is_understood(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_the_step_is_computed_again_in_smaller_passes_with_the_same_result(tiny_llama, tmp_path, monkeypatch, caplog):
    recipe = recipe_of(tiny_llama)
    enough, expected = learn(recipe, tmp_path / "enough")
    passed = fail_above(monkeypatch, 120, NO_ROOM["torch on a CPU"])
    with caplog.at_level(logging.WARNING):
        little, result = learn(recipe, tmp_path / "little")

    weights = [load_file(run.adapter_folder(recipe) / "adapter_model.safetensors") for run in (enough, little)]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=0, atol=1e-5)
    losses = [[r["loss"] for r in read_jsonl(run.metrics_path) if "loss" in r] for run in (enough, little)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert result.steps == expected.steps and result.tokens == expected.tokens

    halved = result.choices["halved"]
    assert halved == sorted(halved, reverse=True) and halved[-1] <= 120 < halved[0] * 2
    assert result.choices["tokens_per_pass"] == halved[-1] < expected.choices["tokens_per_pass"]
    events = [e for e in read_jsonl(little.folder / "events.jsonl") if e["event"] == "out_of_memory"]
    assert [event["now"] for event in events] == halved
    assert all(event["step"] == 1 for event in events), "later steps are cut small from the start"
    assert sum("can't allocate memory" in record.message for record in caplog.records) == len(halved)
    assert max(passed) <= max(120, expected.choices["tokens_per_pass"])


def test_validation_is_cut_smaller_too(tiny_llama, tmp_path, monkeypatch):
    recipe = recipe_of(tiny_llama)
    enough, _ = learn(recipe, tmp_path / "enough")
    fail_above(monkeypatch, 120, NO_ROOM["Python"], where="validation")
    little, result = learn(recipe, tmp_path / "little")
    assert result.choices["halved"]
    losses = [[r["eval_loss"] for r in read_jsonl(run.metrics_path) if "eval_loss" in r] for run in (enough, little)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_a_single_row_that_does_not_fit_ends_with_advice(tiny_llama, tmp_path, monkeypatch):
    fail_above(monkeypatch, 10, NO_ROOM["torch on CUDA"])
    with pytest.raises(ModelError) as failed:
        learn(recipe_of(tiny_llama), tmp_path / "run")
    assert failed.value.key == "train.memory.one_row"
    assert "qlora" in str(failed.value) and "max_length_tokens" in str(failed.value)


def test_other_errors_are_not_taken_for_a_lack_of_memory(tiny_llama, tmp_path, monkeypatch):
    fail_above(monkeypatch, 10, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        learn(recipe_of(tiny_llama), tmp_path / "run")


def test_several_devices_are_refused_with_a_setting_that_helps(tiny_llama, tmp_path, monkeypatch):
    """Other ranks wait for this one's gradients: it cannot take another number of passes on its own."""
    fail_above(monkeypatch, 10, NO_ROOM["torch on CUDA"])
    with pytest.raises(ModelError) as failed:
        learn(recipe_of(tiny_llama, trainer_args={"gradient_accumulation_steps": 2}), tmp_path / "run")
    assert failed.value.key == "train.memory.several"


def test_a_lack_of_memory_before_the_first_step_is_told_with_the_stage(tiny_llama, tmp_path, monkeypatch):
    def no_room(*args, **kwargs):
        raise NO_ROOM["torch on a CPU"]

    monkeypatch.setattr("dadeum.training.methods.sft.trainable_model", no_room)
    with pytest.raises(ModelError) as failed:
        learn(recipe_of(tiny_llama), tmp_path / "run")
    assert failed.value.key == "train.memory.before_training"


REALLY_OUT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from dadeum.core.run import Run
from dadeum.models import memory
from dadeum.training.train import train
from tests.tiny import decide_recipe, write_splits

folder = Path(sys.argv[3])
stage = {"name": "sft", "method": "sft", "epochs": 1, "batch_size": 256, "learning_rate": 5e-3, "share_prefix": False}
recipe = decide_recipe(sys.argv[2], stages=[stage])
there_is = memory.left_mb
# The first run loads libraries and leaves little in the heap, so that the second has to ask for what it needs.
for name, left, rows in (("first", None, 8), ("little", 90.0, 256), ("enough", None, 256)):
    memory.left_mb = (lambda: left) if left else there_is
    run = Run.create(recipe, folder / name)
    write_splits(run, (rows, 8, 8))
    print(train(recipe, run)["sft"].choices["halved"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the fence is Linux's RLIMIT_DATA")
def test_memory_that_really_runs_out_on_a_cpu(tiny_llama, tmp_path):
    """No scripted errors: 256 rows a pass do not fit into the 90 MiB that are said to be left."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", REALLY_OUT, str(root), str(tiny_llama), str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr[-2000:]
    little, enough = child.stdout.splitlines()[-2:]
    assert enough == "[]" and little != "[]"
    weights = [
        load_file(tmp_path / name / "stages" / "1-sft" / "adapter" / "adapter_model.safetensors")
        for name in ("enough", "little")
    ]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=0, atol=1e-5)
