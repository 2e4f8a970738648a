"""Shared prefix: the tokens that all rows of a micro-batch begin with are computed once. Exact, not approximate.

One forward pass over the prefix fills a key-value cache, the cache is expanded over the rows, one pass runs over the
rests; gradients flow back through the expansion. Before training, a few rows go through both paths: if gradients
differ (sliding windows, a cache that drops keys), sharing is switched off and said so.
"""

from __future__ import annotations

from typing import Any

import torch

IGNORED = -100
_MIN_PREFIX_TOKENS = 8
"""Below this an extra forward call costs more than the tokens it saves."""
TOLERANCE = {"fp32": 1e-2, "bf16": 0.25, "fp16": 0.1}
"""Relative gradient difference: rounding gives 1e-5 in fp32 and up to 0.1 in bf16, a wrong mask more than 1."""


class PrefixCollator:
    """Rows of {input_ids, labels, weights} → left-padded rests of rows, and the prefix that they share.

    input_ids, labels, weights, position_ids: (rows, longest rest). attention_mask: (rows, prefix + longest rest).
    prefix_ids: (1, prefix), absent when nothing worth sharing is common.
    """

    def __init__(self, pad_id: int, share: bool) -> None:
        self.pad_id = pad_id
        self.share = share

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        prefix = shared_length(rows) if self.share else 0
        longest = max(len(row["input_ids"]) for row in rows) - prefix

        def left(key: str, fill: float, dtype: torch.dtype) -> torch.Tensor:
            rests = [list(row[key])[prefix:] for row in rows]
            return torch.tensor([[fill] * (longest - len(rest)) + rest for rest in rests], dtype=dtype)

        lengths = [len(row["input_ids"]) - prefix for row in rows]
        rest_mask = torch.tensor([[0] * (longest - length) + [1] * length for length in lengths])
        batch = {
            "input_ids": left("input_ids", self.pad_id, torch.long),
            "attention_mask": torch.cat([torch.ones(len(rows), prefix, dtype=torch.long), rest_mask], dim=1),
            "position_ids": (prefix + rest_mask.cumsum(-1) - 1).clamp(min=0),
            "labels": left("labels", IGNORED, torch.long),
            "weights": left("weights", 0.0, torch.float32),
        }
        if prefix:
            batch["prefix_ids"] = torch.tensor([list(rows[0]["input_ids"])[:prefix]])
        return batch


def shared_length(rows: list[dict[str, Any]]) -> int:
    """Tokens that all rows begin with; 0 when not worth it. The last prompt token is never shared: it predicts."""
    first = rows[0]["input_ids"]
    shortest = min(sum(label == IGNORED for label in row["labels"]) for row in rows) - 1
    length = 0
    while length < shortest and all(row["input_ids"][length] == first[length] for row in rows):
        length += 1
    return length if length >= _MIN_PREFIX_TOKENS and len(rows) > 1 else 0


def answer_logits(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits at the positions that predict answer tokens, float32 (answers, vocabulary), and their mask.

    The mask is (rows, longest answer) over the last columns of `labels`. `logits_to_keep` leaves the head, its
    soft-capping, scale and bias to the model and computes it for those columns only.
    """
    labels = batch["labels"]
    # The label of column j is predicted by column j-1, so one more column than the longest answer is needed.
    width = int((labels != IGNORED).sum(-1).max()) + 1
    inputs: dict[str, Any] = {key: batch[key] for key in ("input_ids", "attention_mask", "position_ids")}
    if "prefix_ids" in batch:
        inputs |= {"past_key_values": _prefix_cache(model, batch["prefix_ids"], len(labels)), "use_cache": True}
    else:
        inputs |= {"use_cache": False}
    logits = model(**inputs, logits_to_keep=width).logits[:, :-1]
    labelled = labels[:, 1 - width :] != IGNORED
    return logits[labelled].float(), labelled


def _prefix_cache(model: Any, prefix_ids: torch.Tensor, num_rows: int) -> Any:
    cache = model(input_ids=prefix_ids, use_cache=True, logits_to_keep=1).past_key_values
    cache.batch_repeat_interleave(num_rows)
    return cache


def weighted_loss_sum(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sum of weighted cross-entropies, and logits and labels of the answer tokens for metrics."""
    logits, labelled = answer_logits(model, batch)
    width = labelled.shape[1]
    wanted = batch["labels"][:, -width:][labelled]
    losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
    return (losses * batch["weights"][:, -width:][labelled]).sum(), logits, wanted


def gradient_difference(model: Any, rows: list[dict[str, Any]], pad_id: int) -> float | None:
    """‖shared − plain‖ / ‖plain‖ over the gradients of all trained weights; None when the rows share nothing.

    Dropout is off during the comparison; weights and optimizer are left untouched.
    """
    if not shared_length(rows):
        return None
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        found = []
        for share in (False, True):
            batch = {key: value.to(device) for key, value in PrefixCollator(pad_id, share)(rows).items()}
            loss, _, _ = weighted_loss_sum(model, batch)
            gradients = torch.autograd.grad(loss, trained, allow_unused=True)
            found.append([torch.zeros_like(p) if g is None else g for p, g in zip(trained, gradients, strict=True)])
    finally:
        model.train(was_training)
    plain, shared = found
    difference = sum(float((a - b).float().norm() ** 2) for a, b in zip(plain, shared, strict=True)) ** 0.5
    norm = sum(float(a.float().norm() ** 2) for a in plain) ** 0.5
    return difference / norm if norm else float(difference)
