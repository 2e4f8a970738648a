"""The output head at answer tokens only: a vocabulary of 150,000 words is not scored where nothing is learnt.

On a CPU the logits are made a chunk at a time, and their gradient with them, so they never stand in memory whole. On
CUDA trl's fused kernel does it. Soft-capping, logit scale and bias are read the way trl reads them; the check before
training (`training/prefix.py`) compares the result with the model's own logits.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import torch

IGNORED = -100
_CHUNK_BYTES = 64 * 2**20
"""Logits held at once, fp32. Smaller chunks make slower matrix products, larger ones only memory."""


class TokenLogProbs(torch.autograd.Function):
    """(tokens, hidden), (vocabulary, hidden) → log probability of each target, and whether it is the likeliest.

    For a frozen head the gradient of each token's log probability is made in the forward pass, while its logits are
    there; a trained head needs the upstream gradient first and computes its logits a second time.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: Any, targets: torch.Tensor, cap: Any, scale: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        trained = weight.requires_grad or (bias is not None and bias.requires_grad)
        ctx.settings = (cap, scale)
        log_probs, right = torch.empty(len(hidden), device=hidden.device), torch.zeros_like(targets, dtype=torch.bool)
        gradient = None if trained or not ctx.needs_input_grad[0] else torch.empty_like(hidden)
        for part in _chunks(len(hidden), weight.shape[0]):
            logits, slope = _logits(hidden[part], weight, bias, cap, scale)
            right[part] = logits.argmax(-1) == targets[part]
            log_probs[part], change = _log_probs(logits, targets[part])
            if gradient is not None:
                gradient[part] = _product(_times(change, slope, scale), weight, hidden.dtype)
        ctx.save_for_backward(*((gradient,) if gradient is not None else (hidden, weight, bias, targets)))
        ctx.mark_non_differentiable(right)
        return log_probs, right

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor, _: Any = None) -> Any:
        if len(ctx.saved_tensors) == 1:
            return (ctx.saved_tensors[0] * upstream.unsqueeze(-1).to(ctx.saved_tensors[0].dtype), *[None] * 5)
        hidden, weight, bias, targets = ctx.saved_tensors
        of_hidden, of_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        of_bias = None if bias is None else torch.zeros_like(bias)
        for part in _chunks(len(hidden), weight.shape[0]):
            logits, slope = _logits(hidden[part], weight, bias, *ctx.settings)
            change = _times(_log_probs(logits, targets[part])[1], slope, ctx.settings[1])
            change *= upstream[part].unsqueeze(-1)
            of_hidden[part] = _product(change, weight, hidden.dtype)
            of_weight += _product(change.T, hidden[part], weight.dtype)
            if of_bias is not None:
                of_bias += change.sum(0).to(of_bias.dtype)
        return of_hidden, of_weight, of_bias, None, None, None


def _chunks(num_tokens: int, vocabulary: int) -> list[slice]:
    size = max(16, _CHUNK_BYTES // (4 * vocabulary))
    return [slice(start, start + size) for start in range(0, num_tokens, size)]


def _logits(
    hidden: torch.Tensor, weight: torch.Tensor, bias: Any, cap: float | None, scale: float
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """fp32 logits, and the slope of the soft-capping where there is one."""
    # Not under autocast: the backward pass, which makes these logits again for a trained head, runs without it.
    with torch.autocast(hidden.device.type, enabled=False):
        logits = torch.nn.functional.linear(hidden.to(weight.dtype), weight, bias).float()
    if scale != 1.0:
        logits *= scale
    if cap is None:
        return logits, None
    squeezed = logits.div_(cap).tanh_()
    return squeezed * cap, 1 - squeezed**2


def _log_probs(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log probability of each target, and its gradient by the logits, (tokens, vocabulary): one at it minus softmax.

    `logits` is overwritten.
    """
    wanted = targets.unsqueeze(-1)
    top = logits.amax(-1, keepdim=True)
    chosen = logits.gather(-1, wanted)
    total = logits.sub_(top).exp_().sum(-1, keepdim=True)
    change = logits.div_(total).neg_()
    change.scatter_add_(-1, wanted, torch.ones_like(chosen))
    return (chosen - top - total.log()).squeeze(-1), change


def _times(change: torch.Tensor, slope: torch.Tensor | None, scale: float) -> torch.Tensor:
    change = change if slope is None else change.mul_(slope)
    return change if scale == 1.0 else change.mul_(scale)


def _product(a: torch.Tensor, b: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    with torch.autocast(a.device.type, enabled=False):
        return (a.to(b.dtype) @ b).to(dtype)


def add_answer_head(model: Any) -> None:
    """`model(**inputs, answer_labels=labels)` returns {log_probs, right} at the positions whose label is not -100.

    The call still goes through every wrapper (DDP, peft), which calling the parts by hand would pass by. trl's
    SFTTrainer has added its own fused head before; it is used on CUDA.
    """
    original = model.forward

    @functools.wraps(type(model).forward)
    def forward(self: Any, *args: Any, answer_labels: torch.Tensor | None = None, **kwargs: Any) -> Any:
        if answer_labels is None:
            return original(*args, **kwargs)
        at = answer_labels != IGNORED
        if at.is_cuda:
            out = original(*args, **kwargs, fused_lm_head=True, shift_labels=answer_labels)
            return {"log_probs": out.log_probs[at], "right": out.is_top1[at]}
        head = self.get_output_embeddings()
        hidden = self.base_model(*args, **kwargs).last_hidden_state[at]
        cap, scale = head_settings(self.config)
        log_probs, right = TokenLogProbs.apply(hidden, head.weight, head.bias, answer_labels[at], cap, scale)
        return {"log_probs": log_probs, "right": right}

    model.forward = types.MethodType(forward, model)


def has_plain_head(model: Any) -> bool:
    """A linear layer without an adapter of its own; anything else is left to the model."""
    return type(model.get_output_embeddings()) is torch.nn.Linear


def head_settings(config: Any) -> tuple[float | None, float]:
    """(soft-capping, factor) of the logits: Gemma-2 caps, Cohere and Falcon-H1 multiply, Granite divides.

    As `add_fused_lm_head` of trl 1.16 reads them; HyperCLOVA X multiplies by the value that Granite divides by.
    """
    text = config.get_text_config()
    factors = (getattr(text, name, None) for name in ("logit_scale", "output_multiplier", "lm_head_multiplier"))
    scale = next((factor for factor in factors if factor is not None), None)
    scaling = getattr(text, "logits_scaling", None)
    if scale is None and scaling is not None:
        scale = scaling if text.model_type == "hyperclovax" else 1 / scaling
    return getattr(text, "final_logit_softcapping", None), 1.0 if scale is None else float(scale)
