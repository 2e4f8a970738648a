"""Weights in 4 and 8 bits, on one device or on whatever memory and disk there is: same results, and they train."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dadeum.core.errors import ModelError
from dadeum.models import load
from dadeum.models.precision import Precision
from dadeum.models.save import save_model
from tests.models.exaone_reference import save_exaone
from tests.tiny import decide_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)


def tune(model, steps=6):
    """Losses of a few steps on one row: they fall when gradients reach the adapter."""
    ids = torch.tensor([[5, 9, 17, 33, 41, 8]])
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=2e-2)
    losses = []
    for _ in range(steps):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("bits", "layer"), [(4, "Linear4bit"), (8, "Linear8bitLt")])
@pytest.mark.parametrize("family", ["llama", "exaone"])
def test_quantised_bases_train(tiny_llama, tmp_path, bits, layer, family, checkpointing):
    folder = tiny_llama
    if family == "exaone":
        save_exaone(tmp_path)
        folder = tmp_path
    settings = {"base": str(folder), "adapter": {"type": "qlora", "bits": bits, "r": 4}, "precision": "fp32"}
    model = decide_recipe(folder, model=settings).model
    base = load.load_base(model, FP32, trainable=True)
    whole = load.load_base(decide_recipe(folder).model, FP32)
    assert base.get_memory_footprint() < 0.6 * whole.get_memory_footprint()
    query = base.model.layers[0].self_attn.q_proj
    assert type(query).__name__ == layer
    if bits == 4:
        state = query.weight.quant_state
        assert (state.quant_type, state.nested) == ("nf4", True)
    torch.manual_seed(0)
    adapted = load.add_adapter(base, model.adapter, checkpointing)
    if checkpointing:
        adapted.gradient_checkpointing_enable({"use_reentrant": False})
    losses = tune(adapted.train())
    assert losses[-1] < losses[0] - 0.05


def test_eight_bits_are_nearer_to_the_base_than_four(tiny_llama):
    ids = torch.tensor([[5, 9, 17, 33, 41, 8]])
    expected = load.load_base(decide_recipe(tiny_llama).model, FP32)(input_ids=ids).logits
    distances = []
    for bits in (8, 4):
        settings = {"base": str(tiny_llama), "adapter": {"type": "qlora", "bits": bits}, "precision": "fp32"}
        base = load.load_base(decide_recipe(tiny_llama, model=settings).model, FP32)
        distances.append((base(input_ids=ids).logits - expected).abs().max().item())
    assert distances[0] < 0.5 * distances[1]


def test_eight_bits_say_once_that_they_compute_in_fp16(tiny_llama, caplog):
    settings = {"base": str(tiny_llama), "adapter": {"type": "qlora", "bits": 8}, "precision": "fp32"}
    base = load.load_base(decide_recipe(tiny_llama, model=settings).model, FP32)
    for _ in range(2):
        base(input_ids=torch.tensor([[5, 9]]))
    assert len([record for record in caplog.records if "MatMul8bitLt" in record.getMessage()]) <= 1


@pytest.fixture
def deep(tmp_path):
    """Six layers in EXAONE's layout, of which memory will be said to hold only some."""
    save_exaone(tmp_path, num_layers=6)
    settings = {"base": str(tmp_path), "adapter": {"type": "lora", "r": 4, "alpha": 8}, "precision": "fp32"}
    return decide_recipe(tmp_path, model=settings | {"device_map": "auto"}).model


def only(monkeypatch, share, model):
    """Let accelerate see memory for `share` of the weights."""
    import transformers.integrations.accelerate as places

    num_bytes = (Path(model.base) / "model.safetensors").stat().st_size
    monkeypatch.setattr(places, "get_max_memory", lambda max_memory=None: {"cpu": int(share * num_bytes)})


def single(model):
    return model.model_copy(update={"device_map": "single"})


def test_auto_is_nothing_special_where_all_fits(deep, caplog):
    ids = torch.tensor([[5, 9, 17]])
    here, there = load.load_base(deep, FP32), load.load_base(single(deep), FP32)
    torch.testing.assert_close(here(input_ids=ids).logits, there(input_ids=ids).logits, atol=0, rtol=0)
    assert caplog.records == []


def test_layers_on_disk_compute_the_same_and_are_mentioned(deep, monkeypatch, caplog):
    ids = torch.tensor([[5, 9, 17]])
    expected = load.load_base(single(deep), FP32)(input_ids=ids).logits
    only(monkeypatch, 0.75, deep)
    loaded = load.load_base(deep, FP32)
    assert "disk" in loaded.hf_device_map.values()
    torch.testing.assert_close(loaded(input_ids=ids).logits, expected, atol=0, rtol=0)
    assert any("gradient_checkpointing" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_an_adapter_over_layers_on_disk_trains_is_saved_and_loaded(deep, monkeypatch, tmp_path, checkpointing):
    only(monkeypatch, 0.75, deep)
    adapted = load.add_adapter(load.load_base(deep, FP32, trainable=True), deep.adapter, checkpointing)
    if checkpointing:
        adapted.enable_input_require_grads()
        adapted.gradient_checkpointing_enable({"use_reentrant": False})
    losses = tune(adapted.train())
    assert losses[-1] < losses[0] - 0.5
    save_model(adapted, tmp_path / "adapter")
    ids = torch.tensor([[5, 9, 17]])
    expected = adapted.eval()(input_ids=ids).logits
    for model in (deep, single(deep)):
        again = load.load_trained(model, FP32, tmp_path / "adapter").eval()
        torch.testing.assert_close(again(input_ids=ids).logits, expected, atol=1e-6, rtol=0)


def test_an_adapter_starts_from_the_base_on_disk_as_in_memory(deep, monkeypatch):
    ids = torch.tensor([[5, 9, 17]])
    expected = load.load_base(single(deep), FP32)(input_ids=ids).logits
    only(monkeypatch, 0.75, deep)
    adapted = load.add_adapter(load.load_base(deep, FP32, trainable=True), deep.adapter, False).eval()
    torch.testing.assert_close(adapted(input_ids=ids).logits, expected, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("share", "adapter", "key"),
    [
        (0.75, {"type": "none"}, "models.load.full_offloaded"),
        (0.75, {"type": "qlora", "bits": 4}, "models.load.quantised_offload"),
        (0.1, {"type": "lora"}, "models.load.no_room"),
    ],
)
def test_what_cannot_be_offloaded_is_refused(deep, monkeypatch, share, adapter, key):
    from pydantic import TypeAdapter

    from dadeum.core.model import Adapter

    # 4 bits need less memory than the file: a share of the share.
    only(monkeypatch, share * (0.3 if adapter["type"] == "qlora" else 1), deep)
    chosen = deep.model_copy(update={"adapter": TypeAdapter(Adapter).validate_python(adapter)})
    with pytest.raises(ModelError) as caught:
        load.load_base(chosen, FP32, trainable=True)
    assert caught.value.key == key


def test_auto_and_several_processes_exclude_each_other(deep, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ModelError) as caught:
        load.load_base(deep, FP32)
    assert caught.value.key == "models.load.auto_distributed"


def test_weights_cannot_be_saved_from_disk_in_exaones_layout(deep, monkeypatch, tmp_path):
    only(monkeypatch, 0.75, deep)
    with pytest.raises(ModelError) as caught:
        save_model(load.load_base(deep, FP32), tmp_path / "all")
    assert caught.value.key == "models.load.offloaded_save"
