"""Log probabilities of candidate answers: one forward pass over a packed tree of [instruction | prompts | candidates].

Nothing is computed twice and nothing is padded. The plain path (padded rows, transformers' own attention) is the
judge: a model whose scores come out differently on a few rows, or that takes no tree, is scored by the plain path.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch

from dadeum.core.errors import ModelError, first_line
from dadeum.core.messages import text
from dadeum.models.prefix_tree import pack
from dadeum.models.token_budget import cut_padded, cut_sharing, indices_to_try
from dadeum.models.tree_attention import tree_inputs, trees

log = logging.getLogger(__name__)

TOLERANCE = {"fp32": 1e-3, "half": 0.25}
"""Largest difference of a log probability between the two paths: rounding, not another mask."""
_TRIED_ROWS = 4
"""As few rows as this are scored by the plain path at once: comparing first would only double the work."""
_LOGIT_BYTES = 256 * 2**20
"""Most logits of one pass, fp32: many labels on a large vocabulary would need more room than the model."""

Ids = list[int]


class Scorer:
    """Scores `spans` (the tokens that tell the candidates apart) after prompts; call it inside inference mode."""

    def __init__(self, model: Any, spans: list[Ids], pad_id: int) -> None:
        self.model = model
        self.spans = spans
        self.pad_id = pad_id
        self.branches, self.branch_of = _branches(spans)
        self.uses_trees = False

    def choose_path(self, prompts: list[Ids], stack: ExitStack) -> None:
        """Take trees where they give the plain scores on a few rows; until `stack` is closed."""
        if len(prompts) <= _TRIED_ROWS:
            return
        tried = [prompts[index] for index in indices_to_try(prompts, _TRIED_ROWS)]
        plain = self._plain(tried)
        switched = stack.enter_context(ExitStack())
        try:
            switched.enter_context(trees(self.model))
            difference = _largest_difference(plain, self._tree(tried))
        except torch.OutOfMemoryError:
            raise
        except (ModelError, NotImplementedError, RuntimeError, TypeError, ValueError, IndexError) as error:
            # Anything that an unknown architecture does with a tree ends here: the plain path is right for all.
            log.warning(text("train.prefix_scores_fail", model=type(self.model).__name__, detail=first_line(error)))
        else:
            if difference <= tolerance(TOLERANCE, self.model):
                self.uses_trees = True
                return
            log.warning(text("train.prefix_scores_differ", difference=f"{difference:.3g}"))
        switched.close()

    def parts(self, prompts: list[Ids], batch_size: int) -> list[list[int]]:
        """Indices of prompts that go through the model together, within the room of `batch_size` longest rows."""
        budget = batch_size * max(map(len, prompts), default=1)
        if not self.uses_trees:
            return cut_padded(prompts, budget)[::-1]  # longest first, so that a lack of memory shows at once
        read = sum(map(len, self.branches))
        columns = _LOGIT_BYTES // (4 * self.model.config.get_text_config().vocab_size)
        most = max(1, columns // (1 + read))
        parts = cut_sharing(prompts, budget, added=read)
        return [part[start : start + most] for part in parts for start in range(0, len(part), most)]

    def __call__(self, prompts: list[Ids]) -> np.ndarray:
        """Natural-log probabilities, (prompts, candidates)."""
        return self._tree(prompts) if self.uses_trees else self._plain(prompts)

    def _tree(self, prompts: list[Ids]) -> np.ndarray:
        tree = pack([prompt + branch for prompt in prompts for branch in self.branches])
        columns = []
        for number, prompt in enumerate(prompts):
            for span, branch in zip(self.spans, self.branch_of, strict=True):
                path = tree.paths[number * len(self.branches) + branch]
                columns += path[len(prompt) - 1 : len(prompt) - 1 + len(span)]
        kept, where = torch.tensor(columns, device=self.model.device).unique(return_inverse=True)
        logits = self.model(**tree_inputs(tree.to(self.model.device)), logits_to_keep=kept).logits[0].float()
        tokens = torch.tensor([token for span in self.spans for token in span] * len(prompts), device=where.device)
        each = logits.log_softmax(-1)[where, tokens].double().view(len(prompts), -1)
        sums = [part.sum(1) for part in each.split([len(span) for span in self.spans], dim=1)]
        scores: np.ndarray = torch.stack(sums, dim=1).cpu().numpy()
        return scores

    def _plain(self, prompts: list[Ids]) -> np.ndarray:
        scores = np.zeros((len(prompts), len(self.spans)))
        for number, branch in enumerate(self.branches):
            ids, mask = padded([prompt + branch for prompt in prompts], self.pad_id, self.model.device)
            # Explicit positions: with padding on the left, a model would count the padding too.
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "use_cache": False}
            kept = 1 + len(branch)
            log_probs = self.model(**inputs, logits_to_keep=kept).logits[:, -kept:].float().log_softmax(-1)
            for column, span in enumerate(self.spans):
                if self.branch_of[column] == number:
                    each = log_probs[:, range(len(span)), torch.tensor(span, device=ids.device)]
                    scores[:, column] = each.double().sum(1).cpu()
        return scores


def _branches(spans: list[Ids]) -> tuple[list[Ids], list[int]]:
    """What has to follow a prompt to score all spans, and which branch each span takes.

    A span's last token is only predicted, never read; what another branch begins with needs no row of its own.
    """
    heads = [span[:-1] for span in spans]
    branches: list[Ids] = []
    for head in sorted(heads, key=len, reverse=True):
        if not any(branch[: len(head)] == head for branch in branches):
            branches.append(head)
    return branches, [next(i for i, b in enumerate(branches) if b[: len(head)] == head) for head in heads]


def _largest_difference(plain: np.ndarray, other: np.ndarray) -> float:
    """NaN where one path gives no number; a label that both rule out (-inf) is no difference."""
    with np.errstate(invalid="ignore"):
        return float(np.where(plain == other, 0.0, np.abs(plain - other)).max())


def padded(rows: list[Ids], pad_id: int, device: Any, at: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, (rows, longest); the padding is after the first `at` tokens, the end is never padded."""
    longest = max(map(len, rows))
    gaps = [longest - len(row) for row in rows]
    ids = torch.tensor([row[:at] + [pad_id] * gap + row[at:] for row, gap in zip(rows, gaps, strict=True)])
    mask = torch.tensor([[1] * at + [0] * gap + [1] * (len(row) - at) for row, gap in zip(rows, gaps, strict=True)])
    return ids.to(device), mask.to(device)


def tolerance(limits: dict[str, float], model: Any) -> float:
    return limits["fp32" if model.dtype == torch.float32 else "half"]
