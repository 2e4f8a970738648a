from __future__ import annotations

import pytest

from dadeum.models.load import load_base
from dadeum.models.precision import Precision
from dadeum.models.size import Size, measure_size, training_seconds
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
