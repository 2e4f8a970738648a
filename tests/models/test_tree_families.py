"""A packed tree gives the loss and the gradient of rows one by one, for every family of models."""

from __future__ import annotations

import copy
from contextlib import ExitStack

import peft
import pytest
import torch
import transformers
from torch.nn import functional

from dadeum.core.errors import ModelError
from dadeum.core.stages import Sft
from dadeum.models.precision import Precision
from dadeum.models.tree_attention import trees
from dadeum.training.choices import choose
from dadeum.training.head import IGNORED, add_answer_head
from dadeum.training.prefix import (
    StepCollator,
    answer_log_probs,
    cut,
    gradients,
    plain_pass,
    relative_difference,
    tree_pass,
    weighted_loss,
)

VOCABULARY = 160
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}
ALTERNATING = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 12}
FAMILIES = {
    "Llama": {"tie_word_embeddings": True},
    "Qwen2": {},
    "Qwen3": {"head_dim": 12},
    "Gemma2": ALTERNATING | {"head_dim": 8, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    "Gemma3": ALTERNATING | {"head_dim": 8},
    "Exaone4": ALTERNATING,
    "GPTNeoX": {"rotary_pct": 0.25, "tie_word_embeddings": False},
    "Mistral": {"sliding_window": 9},
    "Granite": {"logits_scaling": 8.0, "embedding_multiplier": 3.0, "attention_multiplier": 0.2},
    "HyperCLOVAX": {"logits_scaling": 0.25, "residual_multiplier": 0.5, "use_post_norm": True},
    "Cohere": {"logit_scale": 0.4},
    "Cohere2": ALTERNATING | {"logit_scale": 0.4},
    "Phi3": {"sliding_window": 11},
    "OPT": {"word_embed_proj_dim": 24, "ffn_dim": 48},
    "GPT2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "Phi": {"partial_rotary_factor": 0.5},
}  # fmt: skip
"""Phi's head has a bias; OPT and GPT-2 have learnt positions; windows are shorter than the rows."""


def tiny(family, **changes):
    torch.manual_seed(1)
    config_class = getattr(transformers, "Gemma3TextConfig" if family == "Gemma3" else f"{family}Config")
    config = config_class(**(COMMON | FAMILIES.get(family, {}) | changes))
    for name in ("attention_dropout", "hidden_dropout", "dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop"):
        if hasattr(config, name):
            setattr(config, name, 0.0)
    name = "GPT2LMHeadModel" if family == "GPT2" else f"{family}ForCausalLM"
    model = getattr(transformers, name)._from_config(config, attn_implementation="eager")
    for parameter in model.parameters():  # biases of 0 and norms of 1 would hide mistakes
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()


def with_lora(model):
    config = peft.LoraConfig(r=3, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    return peft.get_peft_model(model, config).eval()


def row(prompt, answer):
    labels = [IGNORED] * len(prompt) + answer
    weights = [0.0] * len(prompt) + [0.5 + 0.25 * index for index in range(len(answer))]
    return {"input_ids": prompt + answer, "labels": labels, "weights": weights}


def mixed_rows():
    """Two system prompts, one of them with longer instructions below it, duplicates, a row that teaches nothing."""
    random = torch.Generator().manual_seed(0)

    def tokens(count):
        return torch.randint(1, VOCABULARY, (count,), generator=random).tolist()

    system, other = tokens(17), tokens(10)
    longer = system + tokens(13)
    mail = longer + tokens(6)
    rows = [row(system + tokens(5), tokens(3)), row(longer + tokens(9), tokens(2)), row(longer + tokens(1), tokens(4))]
    rows += [row(mail, tokens(3)), row(mail, tokens(1)), row(mail, tokens(5))]
    rows += [row(other + tokens(21), tokens(2)), row(other + tokens(2), tokens(3)), row(tokens(7), tokens(2))]
    silent = [row(longer + tokens(count), []) for count in (4, 9)]
    return [*rows, *silent, silent[0], row(other, tokens(1)), row(tokens(1), tokens(1))]


def textbook(model, rows):
    """(loss, gradients): rows one by one, unpadded, eager attention, every position scored."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    assert base.config._attn_implementation == "eager"
    loss = 0.0
    for one in rows:
        logits = model(input_ids=torch.tensor([one["input_ids"]]), use_cache=False).logits[0, :-1].float()
        labels, weights = torch.tensor(one["labels"][1:]), torch.tensor(one["weights"][1:])
        loss = loss + (functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none") * weights).sum()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(loss, trained, allow_unused=True)
    return loss, [torch.zeros_like(p) if g is None else g for p, g in zip(trained, found, strict=True)]


def own_head(model, inputs):
    out = model(**{key: value for key, value in inputs.items() if key != "answer_weights"})
    return out["log_probs"], out["right"]


def both_ways(model, rows, inputs):
    """[(loss, gradients) from the model's own logits, the same from our head], packed as a tree."""
    add_answer_head(model.get_base_model() if hasattr(model, "get_base_model") else model)
    with trees(model):
        return [
            (weighted_loss(way(model, inputs)[0], inputs), gradients(model, inputs, way))
            for way in (answer_log_probs, own_head)
        ]


@pytest.mark.parametrize("adapter", ["lora", "full"])
@pytest.mark.parametrize("family", FAMILIES)
def test_tree_equals_rows_one_by_one(family, adapter):
    model = with_lora(tiny(family)) if adapter == "lora" else tiny(family)
    rows = mixed_rows()
    loss, gradient = textbook(model, rows)
    for found_loss, found in both_ways(model, rows, tree_pass(rows)):
        torch.testing.assert_close(found_loss, loss, rtol=1e-5, atol=1e-5)
        assert relative_difference(gradient, found) < 1e-4


@pytest.mark.parametrize("family", ["Llama", "Gemma3", "GPTNeoX"])
def test_several_passes_sum_to_the_same_gradient_and_padding_changes_nothing(family):
    model, rows = with_lora(tiny(family)), mixed_rows()
    _, gradient = textbook(model, rows)
    add_answer_head(model.get_base_model())
    plain = gradients(model, plain_pass(rows, pad_id=0), own_head)
    assert relative_difference(gradient, plain) < 1e-4
    assert len(cut(rows, 60)) > 2
    with trees(model):
        passes = [gradients(model, one, own_head) for one in StepCollator(0, 60, share=True)(rows)["passes"]]
    assert relative_difference(gradient, [sum(parts) for parts in zip(*passes, strict=True)]) < 1e-4


@pytest.mark.parametrize("family", ["Llama", "Qwen3", "Gemma3", "Exaone4"])
def test_bf16_differs_by_rounding_only(family):
    rows = mixed_rows()
    _, exact = textbook(tiny(family, initializer_range=0.1), rows)
    _, alone = textbook(tiny(family, initializer_range=0.1).bfloat16(), rows)
    rounding = relative_difference(exact, alone)
    for _, found in both_ways(tiny(family, initializer_range=0.1).bfloat16(), rows, tree_pass(rows)):
        assert relative_difference(exact, found) < max(1.5 * rounding, 0.02)


@pytest.mark.parametrize("adapter", ["lora", "full"])
@pytest.mark.parametrize("family", ["Llama", "Gemma3"])
def test_gradient_checkpointing_changes_nothing(family, adapter):
    model = with_lora(tiny(family)) if adapter == "lora" else tiny(family)
    rows = mixed_rows()
    inputs = tree_pass(rows)
    add_answer_head(model.get_base_model() if adapter == "lora" else model)
    recomputed = []
    layer = model.get_base_model().model.layers[0] if adapter == "lora" else model.model.layers[0]
    layer.self_attn.register_forward_hook(lambda *_: recomputed.append(1))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with trees(model):
        off = gradients(model, inputs, own_head)
        assert len(recomputed) == 1
        model.activation_checkpointing_enable({"use_reentrant": False})
        model.train()
        on = torch.autograd.grad(weighted_loss(own_head(model, inputs)[0], inputs), trained, allow_unused=True)
    assert len(recomputed) == 3
    on = [torch.zeros_like(p) if g is None else g for p, g in zip(trained, on, strict=True)]
    assert relative_difference(off, on) < 1e-5


@pytest.mark.parametrize("family", ["Llama", "Gemma2", "Phi"])
def test_a_batch_without_labels_is_a_differentiable_zero(family):
    rows = [one | {"labels": [IGNORED] * len(one["labels"])} for one in mixed_rows()]
    model = tiny(family)
    for loss, found in both_ways(model, rows, tree_pass(rows)):
        assert loss.item() == 0 and loss.requires_grad
        assert all(torch.equal(one, torch.zeros_like(one)) for one in found)


def chosen_for(model, rows):
    """What `choose` decides for a trainer of this model."""

    class Trainer:
        data_collator = StepCollator(0, 1000)
        own_head = has_own_head = False
        args = transformers.TrainingArguments(max_steps=1, use_cpu=True)
        answer_log_probs = staticmethod(answer_log_probs)
        compute_loss_context_manager = ExitStack

    trainer = Trainer()
    trainer.model = model
    with ExitStack() as stack:
        return choose(
            trainer, Sft(name="sft", method="sft"), rows, Precision("fp32", "train.precision.asked", {}, None), stack
        )


def bloom():
    config = transformers.BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4)
    return transformers.BloomForCausalLM(config).eval()


def gpt_oss():
    return tiny("GptOss", **ALTERNATING, head_dim=8, num_local_experts=4, num_experts_per_tok=2)


def mamba():
    """Hybrid: what is not attention mixes tokens too, and knows no tree."""
    return tiny("FalconH1", mamba_d_ssm=64, mamba_n_heads=4, mamba_d_head=16, mamba_d_state=8, mamba_chunk_size=16)


def convolution():
    return tiny("Lfm2", layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False)


@pytest.mark.parametrize("build", [bloom, gpt_oss, mamba, convolution])
def test_architectures_that_cannot_share_take_the_plain_path_and_say_so(build, caplog):
    model = build()
    before = model.config._attn_implementation
    state = copy.deepcopy(model.state_dict())
    choices = chosen_for(model, mixed_rows()[:6])
    assert not choices.prefix_shared
    assert caplog.records
    assert model.config._attn_implementation == before
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_a_hybrid_is_refused_even_where_its_leak_is_small():
    model = tiny("Lfm2", layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False, initializer_range=0.02)
    with pytest.raises(ModelError), trees(model):
        pass


def test_attention_outside_the_registry_is_refused_by_name():
    with pytest.raises(ModelError, match="Bloom"), trees(bloom()):
        pass


def test_attention_sinks_are_refused():
    model, rows = gpt_oss(), mixed_rows()
    with trees(model), pytest.raises(NotImplementedError, match="s_aux"):
        answer_log_probs(model, tree_pass(rows))
