"""Fifty steps with everything that saves work, and fifty steps without: the same curve and the same weights."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file

from dadeum.core.run import Run, read_jsonl
from dadeum.training import sft
from dadeum.training.train import train
from tests.tiny import decide_recipe, write_splits

STEPS = 50


def trained(base, folder, **changes):
    stage = {
        "name": "sft", "method": "sft", "epochs": 100, "batch_size": 2, "accumulation_steps": 4, "learning_rate": 3e-3,
        "label_weight": 3.0, "trainer_args": {"max_steps": STEPS},
    }  # fmt: skip
    recipe = decide_recipe(base, stages=[stage | changes])
    run = Run.create(recipe, folder)
    write_splits(run, (30, 6, 6))
    result = train(recipe, run)["sft"]
    curve = [row["loss"] for row in read_jsonl(run.metrics_path) if "loss" in row]
    validation = [row["eval_loss"] for row in read_jsonl(run.metrics_path) if "eval_loss" in row]
    return result, curve, validation, load_file(run.adapter_folder(recipe) / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def plain(tiny_llama, tmp_path_factory):
    """Padded rows, the model's own attention and logits: what other trainers compute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sft, "has_plain_head", lambda model: False)
        return trained(tiny_llama, tmp_path_factory.mktemp("golden") / "plain", share_prefix=False)


@pytest.mark.parametrize(
    "changes",
    [{}, {"gradient_checkpointing": True}, {"share_prefix": False}, {"tokens_per_pass": 60}],
    ids=["as shipped", "checkpointed", "not shared", "many passes"],
)
def test_fifty_steps_both_ways_end_at_the_same_weights(tiny_llama, tmp_path, plain, changes):
    expected, curve, validation, weights = plain
    result, ours, our_validation, our_weights = trained(tiny_llama, tmp_path / "ours", **changes)
    assert result.choices["prefix_shared"] is changes.get("share_prefix", True)
    assert len(ours) == len(curve) == STEPS
    assert curve[-1] < 0.98 * curve[0]
    assert ours == pytest.approx(curve, rel=1e-4)
    assert our_validation == pytest.approx(validation, rel=1e-4)
    for name, tensor in weights.items():
        assert (our_weights[name] - tensor).norm() <= 2e-3 * tensor.norm(), name
    if not {"share_prefix", "tokens_per_pass"} & set(changes):
        assert result.tokens_computed < 0.75 * expected.tokens_computed


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a CPU needs a C++ compiler")
def test_compiled_layers_end_at_the_same_weights(tiny_llama, tmp_path, plain):
    _, curve, _, weights = plain
    result, ours, _, our_weights = trained(tiny_llama, tmp_path / "ours", compile="on")
    assert result.choices["compiled"]
    assert result.choices["compile_reason"] == "train.compile.asked"
    assert ours == pytest.approx(curve, rel=1e-3)
    for name, tensor in weights.items():
        assert torch.nn.functional.cosine_similarity(our_weights[name].flatten(), tensor.flatten(), dim=0) > 0.999, name
