from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, GemmaConfig, GPT2Config, GPTNeoXConfig, LlamaConfig, Qwen2Config

from dadeum.core.errors import ModelError
from dadeum.models.targets import linear_layers, resolve_targets

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64}


def build(config):
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize(
    ("config", "attention"),
    [
        (LlamaConfig(**SMALL), ["k_proj", "o_proj", "q_proj", "v_proj"]),
        (Qwen2Config(**SMALL, num_key_value_heads=2), ["k_proj", "o_proj", "q_proj", "v_proj"]),
        (GemmaConfig(**SMALL, head_dim=8, num_key_value_heads=1), ["k_proj", "o_proj", "q_proj", "v_proj"]),
        (GPTNeoXConfig(**SMALL), ["dense", "query_key_value"]),
    ],
)
def test_attention_means_the_attention_layers_of_each_architecture(config, attention):
    assert resolve_targets(build(config), "attention") == attention


def test_a_name_shared_with_the_feed_forward_is_spelled_out():
    """GPT-2 calls both output projections `c_proj`; adapting both would not be `attention`."""
    model = build(GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64))
    found = resolve_targets(model, "attention")
    assert found == sorted(f"transformer.h.{layer}.attn.{name}" for layer in (0, 1) for name in ("c_attn", "c_proj"))


def test_all_linear_leaves_the_head_out():
    model = build(LlamaConfig(**SMALL))
    found = resolve_targets(model, "all-linear")
    assert found == ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
    assert not any("lm_head" in name for name in linear_layers(model))


def test_a_name_that_matches_nothing_is_an_error_with_the_nearest():
    """The user's document names `o_proj`; on GPT-NeoX none of its names exist."""
    with pytest.raises(ModelError) as caught:
        resolve_targets(build(GPTNeoXConfig(**SMALL)), ("q_proj",))
    assert caught.value.key == "train.no_target"
    assert "query_key_value" in caught.value.values["known"]


def test_names_that_match_are_kept():
    assert resolve_targets(build(LlamaConfig(**SMALL)), ("v_proj", "q_proj")) == ["q_proj", "v_proj"]


def test_attention_of_an_encoder_decoder_is_all_of_it_the_crossing_one_too():
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    with torch.device("meta"):
        model = T5ForConditionalGeneration(config)
    assert resolve_targets(model, "attention") == ["k", "o", "q", "v"]
