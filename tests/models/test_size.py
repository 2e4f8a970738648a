from __future__ import annotations

import pytest

from dadeum.models.load import load_base
from dadeum.models.precision import Precision
from dadeum.models.size import Size, measure_size, seq2seq_seconds, training_seconds
from tests.models.tiny_seq2seq import save_bart, save_t5, summary_recipe
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


def test_full_tuning_costs_six_operations_a_weight_and_token(tiny_llama):
    """1,000 tokens × 6 × 90 M FLOP = 5.4e11; at 100 GFLOP/s × 0.63 that is 8.57 s."""
    size = Size(100_000_000, 10_000_000, 100_000_000, hidden=512, layers=10, intermediate=2048, vocabulary=20_000)
    recipe = decide_recipe("x", model={"base": "x", "adapter": {"type": "none"}})
    assert training_seconds(recipe, size, 1000, 100.0) == pytest.approx(8.57, abs=0.01)


@pytest.mark.parametrize("save", [save_bart, save_t5])
def test_the_encoder_of_an_encoder_decoder_is_counted_apart(tmp_path, save):
    recipe = summary_recipe(save(tmp_path / "base"))
    size, loaded = measure_size(recipe.model), load_base(recipe.model, FP32)
    assert size.total == sum(one.numel() for one in loaded.parameters())
    shared = loaded.get_input_embeddings().weight
    assert size.encoder == sum(one.numel() for one in loaded.get_encoder().parameters() if one is not shared)


def test_each_half_of_an_encoder_decoder_sees_its_own_side():
    """6 × (800 × 40 M + 200 × (50 M + 10 M)) FLOP = 2.64e11; at 100 GFLOP/s × 0.63 that is 4.19 s."""
    sizes = {"hidden": 512, "layers": 6, "intermediate": 2048, "vocabulary": 20_000}
    size = Size(100_000_000, 10_000_000, 100_000_000, **sizes, encoder=40_000_000)
    assert seq2seq_seconds(summary_recipe("x"), size, 800, 200, 100.0) == pytest.approx(4.19, abs=0.01)
