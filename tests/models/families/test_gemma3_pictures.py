"""Gemma 3 from 4B on takes pictures too; trained on text alone it wants nothing but token ids."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3Config

from dadeum.core.recipe import Render
from dadeum.models.render import IGNORED, Renderer
from dadeum.models.tree_attention import trees
from dadeum.training.prefix import gradients, plain_pass, relative_difference, tree_pass
from tests.models.families.test_templates import row


@pytest.fixture
def model():
    text = {
        "vocab_size": 700, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 1024, "sliding_window": 12,
        "layer_types": ["sliding_attention", "full_attention"],
    }  # fmt: skip
    eyes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = Gemma3Config(
        text_config=text, vision_config=eyes | {"image_size": 28, "patch_size": 14}, image_token_id=699
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


@pytest.fixture
def rows(tokenizers):
    renderer = Renderer(tokenizers("gemma3"), Render(), loss_on="all_answers")
    rendered = [renderer.render(row()), renderer.render(row(["네, 그렇군요."]))]
    weights = [[float(label != IGNORED) for label in one.labels] for one in rendered]
    return [
        {"input_ids": one.input_ids, "labels": one.labels, "weights": weight}
        for one, weight in zip(rendered, weights, strict=True)
    ]


def test_it_is_what_a_causal_model_loads_as(model):
    assert type(model).__name__ == "Gemma3ForConditionalGeneration"


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_text_alone_needs_no_token_type_ids(model, rows, mode):
    """transformers before 5.23 raised in training; zeros, which it asked for, change nothing."""
    inputs = plain_pass(rows, pad_id=0)
    known = {key: inputs[key] for key in ("input_ids", "attention_mask", "position_ids")}
    model.train(mode == "train")
    without = model(**known).logits
    zeros = model(**known, token_type_ids=torch.zeros_like(known["input_ids"])).logits
    real = known["attention_mask"].bool()
    torch.testing.assert_close(without[real], zeros[real])


def test_its_gradient_on_a_tree_is_the_plain_one(model, rows):
    trained = [parameter for name, parameter in model.named_parameters() if "vision" not in name]
    for parameter in set(model.parameters()) - set(trained):
        parameter.requires_grad_(False)
    wanted = gradients(model, plain_pass(rows, pad_id=0))
    assert all(torch.isfinite(one).all() for one in wanted)
    with trees(model):
        assert relative_difference(wanted, gradients(model, tree_pass(rows))) < 1e-4
