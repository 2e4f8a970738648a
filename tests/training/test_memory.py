"""What a stage is said to need: counted bytes against real ones, a measured run, and settings that fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dadeum.core.model import NoAdapter
from dadeum.models.load import add_adapter, load_base
from dadeum.models.precision import Precision
from dadeum.models.tree_attention import trees
from dadeum.training import fit as fitting
from dadeum.training.fit import Fit, fit
from dadeum.training.memory import Need, StageRows, moment_bytes
from dadeum.training.memory_trace import EmptyModel, LiveBytes
from dadeum.training.prefix import (
    gradients,
    plain_pass,
    relative_difference,
    rows_to_try,
    transformer_layers,
    tree_pass,
)
from tests.tiny import decide_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)


def recipe_of(base, adapter=None, **changes):
    stage = {"name": "sft", "method": "sft", "batch_size": 4, "accumulation_steps": 2} | changes
    model = {"base": str(base), "adapter": adapter or {"type": "lora", "r": 4}, "precision": "fp32"}
    return decide_recipe(base, model=model, stages=[stage])


def row(length: int, number: int = 0, answer: int = 4):
    ids = [5 + (number * 37 + k * 11) % 300 for k in range(length)]
    return {"input_ids": ids, "labels": [-100] * (length - answer) + ids[-answer:], "weights": [1.0] * length}


def rows_of(lengths):
    return StageRows(lengths, lambda index: row(lengths[index], index))


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointed"])
@pytest.mark.parametrize("adapter", [{"type": "lora", "r": 4}, {"type": "none"}], ids=["lora", "full"])
def test_counted_bytes_are_those_of_real_tensors(tiny_llama, adapter, checkpointing):
    """The same pass on real tensors, counted by the same mode: nothing is lost by having no contents."""
    recipe = recipe_of(tiny_llama, adapter, gradient_checkpointing=checkpointing)
    stage, inputs = recipe.stages[0], tree_pass([row(60, 1), row(90, 2)])
    empty = EmptyModel(recipe.model, stage, "fp32")
    counted = empty.pass_bytes(inputs, gradients_exist=False)

    model = load_base(recipe.model, FP32, trainable=True)
    if not isinstance(recipe.model.adapter, NoAdapter):
        model = add_adapter(model, recipe.model.adapter, checkpointing)
    model.train()
    assert empty.weight_bytes == sum(parameter.nbytes for parameter in model.parameters())
    assert empty.trained_bytes == sum(p.nbytes for p in model.parameters() if p.requires_grad)
    if checkpointing:
        model.enable_input_require_grads()
        model.activation_checkpointing_enable()
    empty.model, empty.base = model, model.get_base_model() if hasattr(model, "get_base_model") else model
    live = LiveBytes()
    for tensor in [*model.parameters(), *model.buffers()]:
        live.ignore(tensor)
    labels = inputs["answer_labels"].flatten()
    with trees(model), live:
        empty._loss(inputs | {"at": (labels != -100).nonzero().flatten()}).backward()
    assert counted == pytest.approx(live.peak, rel=0.01)


def test_a_few_layers_tell_what_all_will_take(tmp_path):
    """Twelve layers of which every third sees all: counted whole, and from the first periods alone."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    from tests.tiny import save_tokenizer

    save_tokenizer(tmp_path)
    kinds = ["sliding_attention", "sliding_attention", "full_attention"] * 5
    config = Gemma3TextConfig(
        vocab_size=500, hidden_size=32, intermediate_size=64, num_hidden_layers=15, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, sliding_window=16, layer_types=kinds, tie_word_embeddings=True,
    )  # fmt: skip
    Gemma3ForCausalLM(config).save_pretrained(tmp_path)
    recipe = recipe_of(tmp_path)
    empty = EmptyModel(recipe.model, recipe.stages[0], "fp32")
    inputs = tree_pass([row(200, 1), row(180, 2)])
    whole = inputs | {"at": (inputs["answer_labels"].flatten() != -100).nonzero().flatten()}
    assert empty.pass_bytes(inputs, False) == pytest.approx(empty._count(whole, False), rel=0.02)
    assert len(empty.base.model.layers) == 15


def test_quantised_weights_and_the_layer_that_is_made_whole(tiny_llama):
    sizes = {}
    for bits in (None, 8, 4):
        adapter = {"type": "lora", "r": 4} if bits is None else {"type": "qlora", "r": 4, "bits": bits}
        recipe = recipe_of(tiny_llama, adapter)
        sizes[bits] = EmptyModel(recipe.model, recipe.stages[0], "fp32")
    linear = 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128)
    assert sizes[None].weight_bytes - sizes[8].weight_bytes == pytest.approx(3 * linear, rel=0.01)
    assert sizes[None].weight_bytes - sizes[4].weight_bytes == pytest.approx((4 - 0.516) * linear, rel=0.01)
    assert sizes[4].largest_layer == 64 * 128 * 4 and sizes[None].largest_layer == 0


def test_the_largest_pass_is_looked_for_among_all_rows(tiny_llama):
    stage = recipe_of(tiny_llama).stages[0]
    lengths = [40] * 30 + [200]
    inputs, num_passes = rows_of(lengths).largest_pass(stage, seed=1)
    # 8 rows a step in the room of 4 longest ones.
    assert 200 <= inputs["input_ids"].numel() <= 4 * 200
    longer = stage.model_copy(update={"batch_size": 1, "accumulation_steps": 8})
    small, more = rows_of(lengths).largest_pass(longer, seed=1)
    assert small["input_ids"].numel() <= 200 and more >= num_passes


def test_optimizers_hold_what_they_hold():
    assert moment_bytes("adamw_torch", on_gpu=False) == 8
    assert moment_bytes("paged_adamw_32bit", on_gpu=False) == 8
    assert moment_bytes("paged_adamw_32bit", on_gpu=True) == 0
    assert 2 < moment_bytes("adamw_8bit", on_gpu=True) < 2.1


def test_the_comparison_before_training_makes_few_logits():
    """An answer of 500 tokens: whole logits of a vocabulary of 150,000 would outgrow every pass of training."""
    long, short = rows_to_try([row(600, 1, answer=500), row(40, 2)], room=1000)
    counted = [index for index, label in enumerate(long["labels"]) if label != -100]
    assert len(counted) == 64 and counted[0] == 100 and counted[-1] == 599
    assert short == row(40, 2)


def test_the_comparison_before_training_takes_no_more_than_a_pass():
    """One row a pass: two longest rows would not fit, so two beginnings are compared."""
    pair = rows_to_try([row(600, 1, answer=500), row(580, 1, answer=20)], room=600)
    assert [len(one["input_ids"]) for one in pair] == [300, 300]
    for one in pair:
        assert one["labels"] == [-100] * 292 + one["input_ids"][292:]
        assert one["weights"] == [0.0] * 292 + [1.0] * 8
    assert len(tree_pass(pair)["input_ids"][0]) < 600  # they still begin alike


def test_the_comparison_before_training_recomputes_where_training_does(tiny_llama):
    model = load_base(recipe_of(tiny_llama, {"type": "none"}).model, FP32, trainable=True)
    model.activation_checkpointing_enable()
    model.train()
    calls = []
    for layer in transformer_layers(model):
        layer.self_attn.register_forward_hook(lambda *_: calls.append(1))
    inputs = plain_pass([row(30, 1)], pad_id=0)
    found = gradients(model, inputs)
    assert len(calls) == 2 * len(transformer_layers(model))
    assert all(module.training for module in model.modules())
    model.activation_checkpointing_disable()
    assert relative_difference(gradients(model, inputs), found) < 1e-6


# -- what fits --------------------------------------------------------------------------------------
def with_room(monkeypatch, megabytes: float) -> None:
    monkeypatch.setattr(fitting, "used_mb", lambda: 0.0)
    monkeypatch.setattr(fitting, "left_mb", lambda: megabytes)


def needing(monkeypatch, needs) -> None:
    """`expected` answers by (batch_size, checkpointing, adapter type)."""

    def answer(recipe, stage, dtype, rows, on_gpu):
        return Need(0, 0, 0, needs(stage.batch_size, stage.gradient_checkpointing, recipe.model.adapter.type))

    monkeypatch.setattr(fitting, "expected", answer)


def test_what_fits_is_left_alone(tiny_llama, monkeypatch):
    with_room(monkeypatch, 1e6)
    recipe = recipe_of(tiny_llama)
    found = fit(recipe, recipe.stages[0], "fp32", rows_of([50] * 20))
    assert found.fits and found.changes is None and found.lines("sft") == []


@pytest.mark.parametrize(
    ("needs", "changes"),
    [
        (lambda size, *_: size * 100, {"stages": {"sft": {"batch_size": 2, "accumulation_steps": 4}}}),
        (lambda size, kept, _: size * 100 if kept else 1000,
         {"stages": {"sft": {"batch_size": 2, "accumulation_steps": 4, "gradient_checkpointing": True}}}),
        (lambda size, kept, kind: 100 if kind == "qlora" else 1000,
         {"model": {"adapter": {"type": "qlora"}}, "stages": {"sft": {"gradient_checkpointing": True}}}),
        (lambda *_: 1000, None),
    ],
    ids=["smaller batch", "checkpointing", "four bits", "nothing"],
)  # fmt: skip
def test_the_least_change_that_fits_is_proposed(tiny_llama, monkeypatch, needs, changes):
    with_room(monkeypatch, 250)
    needing(monkeypatch, needs)
    recipe = recipe_of(tiny_llama)
    found = fit(recipe, recipe.stages[0], "fp32", rows_of([50] * 20))
    assert found.fits is False and found.changes == changes
    lines = "\n".join(found.lines("sft"))
    if changes:
        size = changes["stages"]["sft"]
        assert size.get("batch_size", 4) * size.get("accumulation_steps", 2) == 8
        assert all(f"{name}: " in lines for name in size)
    else:
        assert "4비트" in lines


def test_an_architecture_that_cannot_be_traced_is_said(tiny_llama, monkeypatch):
    def cannot(*args):
        raise NotImplementedError("needs numbers")

    monkeypatch.setattr(fitting, "expected", cannot)
    recipe = recipe_of(tiny_llama)
    found = fit(recipe, recipe.stages[0], "fp32", rows_of([50] * 20))
    assert found == Fit(None, found.room_mb, unknown_because="NotImplementedError: needs numbers")
    assert "needs numbers" in found.lines("sft")[0]


# -- the measured run -------------------------------------------------------------------------------
def test_a_run_takes_what_was_planned(tmp_path):
    """One row of benchmarks/memory_plan.py, in a process of its own: 15 % is the promise of `plan`."""
    bench = Path(__file__).parents[2] / "benchmarks" / "memory_plan.py"
    row = {
        "shape": "llama-30m", "adapter": {"type": "none"}, "precision": "fp32", "checkpointing": False,
        "batch": [4, 1], "tokens": [60, 10],
    }  # fmt: skip
    command = [sys.executable, str(bench), "--child", json.dumps(row)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr[-2000:]
    found = json.loads(child.stdout.splitlines()[-1])
    assert found["planned"] == pytest.approx(found["measured"], rel=0.15)
    # The process itself is less than half of it, so that a wrong count of the rest would show.
    assert found["parts"]["process"] < 0.55 * found["measured"]
