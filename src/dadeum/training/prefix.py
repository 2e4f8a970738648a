"""Shared prefix: what rows begin with in common is computed once. Less work, the same gradient.

The rows of an optimizer step are cut into forward passes by a budget of tokens, rows that begin alike together, and
packed as trees (`models/prefix_tree.py`). Before training, a few rows go through this path and through the plain one;
if the gradients differ, the plain path is used and a warning says so. With LoRA dropout the tokens of a prefix draw
once for all rows that share them: the same expectation, other draws than the plain path.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from dadeum.models.prefix_tree import pack
from dadeum.models.token_budget import cut_padded, cut_sharing, new_tokens
from dadeum.models.tree_attention import tree_inputs
from dadeum.training.head import IGNORED
from dadeum.training.out_of_memory import Step

Row = dict[str, Any]
"""{input_ids, labels, weights}: lists of one length."""
_TRIED_ANSWERS = 64
"""Answer tokens of a row that the comparison of both paths looks at."""
_TAUGHT_OF_BEGINNING = 8
"""The same where only the row's beginning fits."""
TOLERANCE = {"fp32": 1e-2, "bf16": 0.25, "fp16": 0.1}
"""Relative gradient difference: rounding gives 1e-5 in fp32 and up to 0.1 in bf16, a wrong mask more than 1."""


class StepCollator:
    """Rows of an optimizer step → {"rows": one entry a row, "passes": [inputs of one forward pass, …], "step": Step}.

    A pass holds `answer_labels` and `answer_weights`, shaped like its input_ids: what each position has to predict.
    """

    def __init__(self, pad_id: int, tokens_per_pass: int, share: bool = False) -> None:
        self.pad_id = pad_id
        self.tokens_per_pass = tokens_per_pass
        self.share = share

    def __call__(self, rows: list[Row]) -> dict[str, Any]:
        if self.share:
            passes = [tree_pass(part) for part in cut(rows, self.tokens_per_pass)]
        else:
            parts = cut_padded([row["input_ids"] for row in rows], self.tokens_per_pass)
            passes = [plain_pass([rows[index] for index in part], self.pad_id) for part in parts]
        step = Step(rows, self.tokens_per_pass)
        return {"rows": torch.ones(len(rows), dtype=torch.long), "passes": passes, "step": step}


def tree_pass(rows: list[Row]) -> dict[str, Any]:
    """Inputs of one pass over a packed tree: everything (1, tokens)."""
    # The last token of a row predicts nothing; the last of a prompt predicts its own row's answer and stays with it.
    tree = pack([row["input_ids"][:-1] for row in rows], [max(_prompt_length(row) - 1, 0) for row in rows])
    labels = torch.full((1, len(tree.ids)), IGNORED)
    weights = torch.zeros(1, len(tree.ids))
    for row, path in zip(rows, tree.paths, strict=True):
        columns = torch.tensor(path, dtype=torch.long)
        shared = min(len(path), max(_prompt_length(row) - 1, 0))
        labels[0, columns[shared:]] = torch.tensor(row["labels"][1:], dtype=torch.long)[shared:]
        weights[0, columns[shared:]] = torch.tensor(row["weights"][1:], dtype=torch.float32)[shared:]
    return tree_inputs(tree) | {"answer_labels": labels, "answer_weights": weights}


def plain_pass(rows: list[Row], pad_id: int) -> dict[str, Any]:
    """Inputs of one pass over rows padded on the left, (rows, longest): what every other trainer computes."""
    longest = max(len(row["input_ids"]) for row in rows)

    def left(values: list[Sequence[float]], fill: float, dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor([[fill] * (longest - len(line)) + list(line) for line in values], dtype=dtype)

    mask = left([[1] * len(row["input_ids"]) for row in rows], 0, torch.long)
    return {
        "input_ids": left([row["input_ids"] for row in rows], pad_id, torch.long),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(-1) - 1).clamp(min=0),
        "use_cache": False,
        "answer_labels": left([[*row["labels"][1:], IGNORED] for row in rows], IGNORED, torch.long),
        "answer_weights": left([[*row["weights"][1:], 0.0] for row in rows], 0.0, torch.float32),
    }


def _prompt_length(row: Row) -> int:
    """Tokens before the first one that carries a loss."""
    return next((index for index, label in enumerate(row["labels"]) if label != IGNORED), len(row["labels"]))


def cut(rows: list[Row], budget: int) -> list[list[Row]]:
    """Parts of about equal work whose packed trees hold at most `budget` tokens each (or a single row).

    Which rows a step has, and so its gradient, is not touched.
    """
    # What is learnt is not shared (`tree_pass`): from there on rows count as different.
    alike = [
        row["input_ids"][:start] + [-1 - number] * (len(row["input_ids"]) - start)
        for number, row in enumerate(rows)
        for start in [_prompt_length(row)]
    ]
    return [[rows[index] for index in part] for part in cut_sharing(alike, budget)]


def answer_log_probs(model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """(log probability, is the likeliest) of every labelled token, from the model's own logits.

    `logits_to_keep` leaves the head with all that an architecture does around it to the model.
    """
    inputs = dict(inputs)
    labels = inputs.pop("answer_labels")
    inputs.pop("answer_weights", None)
    labelled = labels != IGNORED
    columns = labelled.any(0).nonzero().squeeze(-1)
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if "logits_to_keep" in inspect.signature(getattr(base, "module", base).forward).parameters:
        logits = model(**inputs, logits_to_keep=columns).logits
    else:  # remote code, older architectures
        logits = model(**inputs).logits[:, columns]
    logits = logits[labelled[:, columns]].float()
    wanted = labels[:, columns][labelled[:, columns]]
    return logits.log_softmax(-1).gather(-1, wanted.unsqueeze(-1)).squeeze(-1), logits.argmax(-1) == wanted


def weighted_loss(log_probs: torch.Tensor, inputs: dict[str, Any]) -> torch.Tensor:
    """Sum over answer tokens of weight × cross-entropy."""
    weights = inputs["answer_weights"][inputs["answer_labels"] != IGNORED]
    return -(log_probs * weights).sum()


def gradients(model: Any, inputs: dict[str, Any], log_probs_of: Any = answer_log_probs) -> list[torch.Tensor]:
    """Gradients of all trained weights; weights and optimizer are left untouched, dropout is off."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    device = next(model.parameters()).device
    inputs = {key: value.to(device) if hasattr(value, "to") else value for key, value in inputs.items()}
    was_training = model.training
    model.eval()
    for layer in transformer_layers(model):
        layer.training = was_training  # recomputed in the backward pass only while training; its dropout stays off
    try:
        loss = weighted_loss(log_probs_of(model, inputs)[0], inputs)
        found = torch.autograd.grad(loss, trained, allow_unused=True)
    finally:
        model.train(was_training)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(trained, found, strict=True)]


def transformer_layers(model: Any) -> list[Any]:
    """What transformers itself recomputes as one under gradient checkpointing."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def relative_difference(plain: list[torch.Tensor], other: list[torch.Tensor]) -> float:
    """‖other − plain‖ / ‖plain‖ over all weights together."""
    difference = sum(float((a - b).float().norm() ** 2) for a, b in zip(plain, other, strict=True)) ** 0.5
    norm = sum(float(a.float().norm() ** 2) for a in plain) ** 0.5
    return difference / norm if norm else float(difference)


def rows_to_try(rows: list[Row], room: int) -> list[Row]:
    """The longest row and one that begins like it: windows and sharing both show.

    Where the two do not fit into `room` tokens, a step's passes never hold them either: their beginnings do then.
    """
    order = sorted(rows, key=lambda row: row["input_ids"])
    at = max(range(len(order)), key=lambda index: len(order[index]["input_ids"]))
    beside = order[max(at - 1, 0) : at] + order[at + 1 : at + 2]
    alike = sorted(beside, key=lambda row: new_tokens(order[at]["input_ids"], row["input_ids"]))[:1]
    pair = [order[at], *alike]
    if sum(len(row["input_ids"]) for row in pair) <= room:
        return [_few_labels(row) for row in pair]
    return [_beginning(row, max(2, room // len(pair))) for row in pair]


def _beginning(row: Row, length: int) -> Row:
    """The first tokens, the last of them taught: any labels tell whether two ways give the same gradient."""
    ids = row["input_ids"][:length]
    taught = min(_TAUGHT_OF_BEGINNING, len(ids) - 1)
    labels = [IGNORED] * (len(ids) - taught) + ids[-taught:]
    return row | {"input_ids": ids, "labels": labels, "weights": [float(label != IGNORED) for label in labels]}


def _few_labels(row: Row) -> Row:
    """Only the first and the last answer tokens count: the plain path makes whole logits, 600 KB each for Qwen."""
    answers = [index for index, label in enumerate(row["labels"]) if label != IGNORED]
    dropped = set(answers[_TRIED_ANSWERS // 2 : max(_TRIED_ANSWERS // 2, len(answers) - _TRIED_ANSWERS // 2)])
    labels = [IGNORED if index in dropped else label for index, label in enumerate(row["labels"])]
    return row | {"labels": labels}
