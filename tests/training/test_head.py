"""The head at answer tokens against torch's own cross-entropy, in every shape that a model's head comes in."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from dadeum.training import head
from dadeum.training.head import IGNORED, TokenLogProbs, add_answer_head, has_plain_head, head_settings

TOKENS, HIDDEN, VOCABULARY = 70, 12, 37


def parts(dtype=torch.float32, bias=False):
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(TOKENS, HIDDEN, generator=random).to(dtype).requires_grad_()
    weight = torch.randn(VOCABULARY, HIDDEN, generator=random).to(dtype)
    shift = torch.randn(VOCABULARY, generator=random).to(dtype) if bias else None
    targets = torch.randint(0, VOCABULARY, (TOKENS,), generator=random)
    return hidden, weight, shift, targets, torch.rand(TOKENS, generator=random) + 0.1


def textbook(hidden, weight, bias, targets, cap, scale):
    """float64, all logits at once."""
    logits = functional.linear(hidden.double(), weight.double(), None if bias is None else bias.double()) * scale
    if cap is not None:
        logits = cap * torch.tanh(logits / cap)
    return -functional.cross_entropy(logits, targets, reduction="none"), logits.argmax(-1) == targets


def difference(found, expected):
    found, expected = found.detach(), expected.detach()
    return float((found - expected).double().norm() / expected.double().norm())


@pytest.fixture(params=[64 * 2**20, 16 * 4 * VOCABULARY], ids=["one chunk", "five chunks"])
def chunks(request, monkeypatch):
    monkeypatch.setattr(head, "_CHUNK_BYTES", request.param)
    assert len(head._chunks(TOKENS, VOCABULARY)) == (1 if request.param > 2**20 else 5)


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("trained", [False, True], ids=["frozen", "trained"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("cap", "scale"), [(None, 1.0), (2.5, 1.0), (None, 0.3), (2.5, 0.3)])
def test_values_and_gradients_equal_cross_entropy(cap, scale, bias, trained):
    hidden, weight, shift, targets, upstream = parts(bias=bias)
    wanted = [hidden]
    if trained:
        wanted += [one.requires_grad_() for one in (weight, shift) if one is not None]
    expected, expected_right = textbook(hidden, weight, shift, targets, cap, scale)
    expected_gradients = torch.autograd.grad((expected * upstream).sum(), wanted)
    found, right = TokenLogProbs.apply(hidden, weight, shift, targets, cap, scale)
    gradients = torch.autograd.grad((found * upstream).sum(), wanted)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-5)
    assert torch.equal(right, expected_right)
    assert not right.requires_grad
    for one, other in zip(gradients, expected_gradients, strict=True):
        assert difference(one, other) < 1e-5


@pytest.mark.parametrize("trained", [False, True], ids=["frozen", "trained"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 2e-2), (torch.float16, 3e-3)])
def test_half_precision_differs_by_rounding(dtype, tolerance, trained):
    hidden, weight, shift, targets, upstream = parts(dtype, bias=True)
    wanted = [hidden, weight.requires_grad_(), shift.requires_grad_()] if trained else [hidden]
    expected, _ = textbook(hidden, weight, shift, targets, 5.0, 0.5)
    expected_gradients = torch.autograd.grad((expected * upstream).sum(), wanted)
    found, _ = TokenLogProbs.apply(hidden, weight, shift, targets, 5.0, 0.5)
    assert found.dtype is torch.float32
    gradients = torch.autograd.grad((found * upstream).sum(), wanted)
    assert [one.dtype for one in gradients] == [dtype] * len(wanted)
    assert difference(found, expected) < tolerance
    for one, other in zip(gradients, expected_gradients, strict=True):
        assert difference(one, other) < tolerance


def test_only_a_head_is_trained():
    hidden, weight, _, targets, _ = parts()
    weight.requires_grad_()
    found, _ = TokenLogProbs.apply(hidden.detach(), weight, None, targets, None, 1.0)
    expected, _ = textbook(hidden.detach(), weight, None, targets, None, 1.0)
    (one,), (other,) = (torch.autograd.grad(value.sum(), [weight]) for value in (found, expected))
    assert difference(one, other) < 1e-5


@pytest.mark.parametrize("trained", [False, True], ids=["frozen", "trained"])
def test_no_tokens_at_all_have_a_gradient_of_zero(trained):
    hidden, weight, shift, targets, _ = parts(bias=True)
    weight.requires_grad_(trained)
    found, right = TokenLogProbs.apply(hidden[:0], weight, shift, targets[:0], None, 1.0)
    assert len(found) == len(right) == 0
    assert torch.equal(torch.autograd.grad(found.sum(), [hidden])[0], torch.zeros_like(hidden))


def test_without_gradients_the_values_are_the_same():
    hidden, weight, shift, targets, _ = parts(bias=True)
    with torch.no_grad():
        found, _ = TokenLogProbs.apply(hidden, weight, shift, targets, None, 1.0)
    torch.testing.assert_close(found, textbook(hidden, weight, shift, targets, None, 1.0)[0].float())


def test_large_logits_overflow_nowhere():
    hidden, weight, _, targets, _ = parts()
    found, _ = TokenLogProbs.apply(hidden * 1e4, weight, None, targets, None, 1.0)
    assert torch.isfinite(found).all()
    assert torch.isfinite(torch.autograd.grad(found.sum(), [hidden])[0]).all()


@pytest.mark.parametrize(
    ("trained", "dtype"),
    [
        (False, torch.float32),
        (False, torch.bfloat16),
        (True, torch.float32),
        (True, torch.bfloat16),
    ],
)
def test_autocast_over_fp32_weights_differs_by_rounding(trained, dtype):
    """Full tuning with bf16 keeps fp32 weights: forward runs under autocast, backward does not."""
    hidden, weight, _, targets, upstream = parts()
    wanted = [hidden, weight.requires_grad_()] if trained else [hidden]
    expected = torch.autograd.grad((textbook(hidden, weight, None, targets, None, 1.0)[0] * upstream).sum(), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        log_probs, _ = TokenLogProbs.apply(hidden.to(dtype), weight, None, targets, None, 1.0)
    found = torch.autograd.grad((log_probs * upstream).sum(), wanted)
    assert [one.dtype for one in found] == [torch.float32] * len(wanted)
    for one, other in zip(found, expected, strict=True):
        assert difference(one, other) < 3e-2


def llama(**changes):
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2, **changes)).eval()


def test_the_added_head_leaves_every_other_call_alone():
    model, ids = llama(), torch.tensor([[1, 2, 3, 4]])
    before = model(input_ids=ids, labels=ids)
    add_answer_head(model)
    after = model(input_ids=ids, labels=ids)
    assert torch.equal(before.loss, after.loss)
    assert torch.equal(before.logits, after.logits)
    labels = torch.tensor([[IGNORED, 3, IGNORED, 5]])
    out = model(input_ids=ids, answer_labels=labels)
    expected = before.logits[0, [1, 3]].log_softmax(-1)[[0, 1], [3, 5]]
    torch.testing.assert_close(out["log_probs"], expected)


def test_generation_works_beside_the_added_head():
    model, ids = llama(), torch.tensor([[1, 2, 3, 4]])
    before = model.generate(ids, max_new_tokens=3, do_sample=False)
    add_answer_head(model)
    assert torch.equal(model.generate(ids, max_new_tokens=3, do_sample=False), before)


def test_tied_weights_get_both_gradients():
    model, ids = llama(tie_word_embeddings=True), torch.tensor([[1, 2, 3, 4]])
    labels = torch.tensor([[2, 3, 4, 5]])
    weight = model.get_input_embeddings().weight
    assert weight is model.get_output_embeddings().weight
    logits = model(input_ids=ids).logits[0]
    (expected,) = torch.autograd.grad(functional.cross_entropy(logits, labels[0], reduction="sum"), [weight])
    add_answer_head(model)
    (found,) = torch.autograd.grad(-model(input_ids=ids, answer_labels=labels)["log_probs"].sum(), [weight])
    assert difference(found, expected) < 1e-5


def test_a_head_with_an_adapter_is_left_to_the_model():
    from peft import LoraConfig, get_peft_model

    assert has_plain_head(llama())
    wrapped = get_peft_model(llama(), LoraConfig(target_modules=["lm_head", "q_proj"], task_type="CAUSAL_LM"))
    assert not has_plain_head(wrapped.get_base_model())
    saved = get_peft_model(llama(), LoraConfig(target_modules=["q_proj"], modules_to_save=["lm_head"]))
    assert not has_plain_head(saved.get_base_model())


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("LlamaConfig", {}, (None, 1.0)),
        ("Gemma2Config", {"final_logit_softcapping": 30.0}, (30.0, 1.0)),
        ("CohereConfig", {"logit_scale": 0.0625}, (None, 0.0625)),
        ("GraniteConfig", {"logits_scaling": 8.0}, (None, 0.125)),
        ("HyperCLOVAXConfig", {"logits_scaling": 0.125}, (None, 0.125)),
        ("FalconH1Config", {"lm_head_multiplier": 0.5}, (None, 0.5)),
    ],
)
def test_settings_of_the_head_are_read_from_the_configuration(name, values, expected):
    import transformers

    assert head_settings(getattr(transformers, name)(**values)) == expected
