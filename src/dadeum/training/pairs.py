"""Preference pairs: chosen and rejected share their prompt exactly, and pairs share their instruction.

One packed tree (`models/prefix_tree.py`) gives answer log probabilities for DPO, or the hidden state at each row's
last token for reward models and last-token embeddings. Both are called inside `with trees(model)`, which stays open
until after backward: gradient checkpointing computes attention again there. Exact for causal attention only: in an
encoder that looks both ways every prompt token sees the answer behind it, so nothing of a prompt can be shared.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from dadeum.models.prefix_tree import pack
from dadeum.models.tree_attention import tree_inputs
from dadeum.training.head import IGNORED
from dadeum.training.prefix import Row, answer_log_probs, tree_pass

Pair = dict[str, list[int]]
"""{prompt_ids, chosen_ids, rejected_ids}, as trl's DPOTrainer names them."""


def pair_rows(pairs: list[Pair]) -> list[Row]:
    """All chosen rows, then all rejected ones, as `training/prefix.py` takes them; every answer token counts once."""
    return [_row(pair["prompt_ids"], pair[answer]) for answer in ("chosen_ids", "rejected_ids") for pair in pairs]


def _row(prompt: list[int], answer: list[int]) -> Row:
    labels = [IGNORED] * len(prompt) + answer
    return {"input_ids": prompt + answer, "labels": labels, "weights": [0.0] * len(prompt) + [1.0] * len(answer)}


def pair_log_probs(
    model: Any, rows: list[Row], inputs: dict[str, Any] | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Σ log π(answer token | what is before it) of each chosen and each rejected row, (pairs,) each.

    `rows` come from `pair_rows`, `inputs` from `tree_pass(rows)` where it was called already.
    """
    inputs = _on_device(model, tree_pass(rows) if inputs is None else inputs)
    log_probs, _ = answer_log_probs(model, inputs)
    owner = _owners(rows, inputs).to(log_probs.device)
    sums = log_probs.new_zeros(len(rows)).index_add(0, owner, log_probs)
    return sums[: len(rows) // 2], sums[len(rows) // 2 :]


def _owners(rows: list[Row], inputs: dict[str, Any]) -> torch.Tensor:
    """The row of every labelled column: the only one whose path holds it, since no answer is shared."""
    owner = torch.full((inputs["answer_labels"].shape[1],), -1)
    for number, (row, path) in enumerate(zip(rows, inputs["tree"].paths, strict=True)):
        num_answer = sum(label != IGNORED for label in row["labels"])
        owner[path[len(path) - num_answer :]] = number
    return owner[(inputs["answer_labels"][0] != IGNORED).cpu()]


def dpo_loss(
    policy: tuple[torch.Tensor, torch.Tensor], reference: tuple[torch.Tensor, torch.Tensor], beta: float = 0.1
) -> torch.Tensor:
    """−log σ(β [(log π(y_w|x) − log π_ref(y_w|x)) − (log π(y_l|x) − log π_ref(y_l|x))]), mean over pairs.

    Equation 7 of Rafailov et al., Direct Preference Optimization, arXiv:2305.18290.
    """
    margin = (policy[0] - reference[0]) - (policy[1] - reference[1])
    return -functional.logsigmoid(beta * margin).mean()


def last_hidden(model: Any, rows: list[list[int]]) -> torch.Tensor:
    """Hidden state at the last token of each row, (rows, hidden), of a model with or without a head.

    `model.score(last_hidden(model, rows))` are the rewards of a sequence classifier with one label. Equal rows are one.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    distinct = list(dict.fromkeys(map(tuple, rows)))
    tree = pack(distinct)
    inputs = _on_device(model, tree_inputs(tree))
    hidden = base.base_model(**inputs).last_hidden_state[0]
    last = dict(zip(distinct, (path[-1] for path in tree.paths), strict=True))
    return hidden[[last[tuple(row)] for row in rows]]


def reward_loss(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
    """−log σ(r(x, y_w) − r(x, y_l)), mean over pairs: Bradley and Terry (1952), as in arXiv:2203.02155, equation 1."""
    return -functional.logsigmoid(chosen - rejected).mean()


def tokens_saved(rows: list[list[int]]) -> float:
    """Tokens of rows padded to the longest ÷ tokens of their tree: how much less is computed outside attention."""
    return len(rows) * max(map(len, rows)) / len(pack(rows).ids)


def _on_device(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    device = next(model.parameters()).device
    return {key: value.to(device) if hasattr(value, "to") else value for key, value in inputs.items()}
