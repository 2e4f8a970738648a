from __future__ import annotations

import pytest

from dadeum.models.load import load_base
from dadeum.models.precision import Precision
from dadeum.models.size import Size, measure_size, memory_mb, training_seconds
from tests.tiny import decide_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)


def model(tiny_llama, **adapter):
    return decide_recipe(tiny_llama, model={"base": str(tiny_llama), "adapter": adapter, "precision": "fp32"}).model


def test_counts_equal_the_loaded_model(tiny_llama):
    settings = model(tiny_llama, type="lora", r=4)
    size = measure_size(settings)
    loaded = load_base(settings, FP32)
    assert size.total == sum(parameter.numel() for parameter in loaded.parameters())
    assert size.embedding == loaded.get_input_embeddings().weight.numel()


@pytest.mark.parametrize("targets", ["attention", "all-linear", ["q_proj"]])
def test_adapter_parameters_equal_what_peft_makes(tiny_llama, targets):
    from dadeum.models.load import add_adapter

    settings = model(tiny_llama, type="lora", r=4, targets=targets)
    adapted = add_adapter(load_base(settings, FP32), settings.adapter, gradient_checkpointing=False)
    trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
    assert measure_size(settings).adapter == trained


def test_full_tuning_trains_everything(tiny_llama):
    size = measure_size(model(tiny_llama, type="none"))
    assert size.adapter == size.total


def test_training_time_by_hand(tiny_llama):
    """1,000 tokens × (4 × 90 M + 6 × 1 M) FLOP = 3.66e11; at 100 GFLOP/s × 0.63 that is 5.81 s."""
    size = Size(100_000_000, 10_000_000, 1_000_000, hidden=512, layers=10, intermediate=2048, vocabulary=20_000)
    assert training_seconds(decide_recipe("x"), size, 1000, 100.0) == pytest.approx(5.81, abs=0.01)


def test_memory_falls_with_checkpointing_and_four_bits():
    size = Size(2_400_000_000, 260_000_000, 10_000_000, hidden=2560, layers=30, intermediate=7168, vocabulary=102_400)
    lora = decide_recipe("x", model={"base": "x", "adapter": {"type": "lora"}})
    qlora = decide_recipe("x", model={"base": "x", "adapter": {"type": "qlora"}})
    stage = lora.stages[0]
    checkpointed = stage.model_copy(update={"gradient_checkpointing": True})
    plain = memory_mb(lora, size, stage, 4096, 64, "bf16")
    assert memory_mb(lora, size, checkpointed, 4096, 64, "bf16") < plain
    # Weights alone: 2.4 G × 2 bytes against 2.14 G × 0.516 + 0.26 G × 2 bytes.
    saved = plain - memory_mb(qlora, size, stage, 4096, 64, "bf16")
    assert saved == pytest.approx((2.4e9 * 2 - 2.14e9 * 0.516 - 0.26e9 * 2) / 2**20, rel=1e-3)
