"""trl's DPOTrainer on pairs that are token ids, against a reference that is where the stage begins.

Untuned weights would be the wrong reference for a stage that goes on with an adapter, and are what switching that
adapter off would give. The reference's log probabilities are computed once, before the first step, and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from trl import DPOTrainer

from dadeum.core.progress import counter
from dadeum.core.run import atomic
from dadeum.training.head import IGNORED
from dadeum.training.pairs import dpo_loss, pair_log_probs, pair_rows
from dadeum.training.preferences.packed import PackedPairs, Pair, PairCollator, evaluating, full_precision
from dadeum.training.prefix import tree_pass
from dadeum.training.work import Work

OTHER_LOSSES = (
    "loss_type", "loss_weights", "ld_alpha", "f_divergence_type", "use_weighting", "router_aux_loss_coef",
    "label_smoothing", "discopop_tau", "f_alpha_divergence_coef",
)  # fmt: skip
"""Settings of trl's loss that only trl's path knows."""


class PairTrainer(PackedPairs, DPOTrainer):
    """DPO with precomputed reference log probabilities `ref_chosen_logps`, `ref_rejected_logps` in every pair."""

    data_collator: Any

    def __init__(self, work: Work, **kwargs: Any) -> None:
        self.work = work
        super().__init__(**kwargs)
        self.data_collator = PairCollator(self.data_collator)
        full_precision(self.model)

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        return dataset  # `refer` does it, on the path that was chosen

    def packed_loss(self, model: Any, pairs: list[Pair]) -> torch.Tensor:
        """Equation 7 of arXiv:2305.18290; trl's metrics beside it."""
        chosen, rejected = self._packed_log_probs(model, pairs)
        reference = tuple(
            torch.tensor([pair[name] for pair in pairs], device=chosen.device)
            for name in ("ref_chosen_logps", "ref_rejected_logps")
        )
        better, worse = self.beta * (chosen - reference[0]).detach(), self.beta * (rejected - reference[1]).detach()
        self.note(
            rewards__chosen=better, rewards__rejected=worse, rewards__accuracies=(better > worse).float(),
            rewards__margins=better - worse, logps__chosen=chosen, logps__rejected=rejected,
        )  # fmt: skip
        return dpo_loss((chosen, rejected), (reference[0], reference[1]), self.beta)

    def _packed_log_probs(self, model: Any, pairs: list[Pair]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = pair_rows(pairs)
        inputs = tree_pass(rows)
        self.count(sum(len(row["input_ids"]) for row in rows), inputs["input_ids"].numel())
        return pair_log_probs(model, rows, inputs)

    def log_probs(self, pairs: list[Pair]) -> np.ndarray:
        """Log probabilities of chosen and rejected answers as the model is now, (pairs, 2), without gradients."""
        return self._in_batches(pairs, self._log_probs_of, lambda newly: None)

    def refer(self, folder: Path, parts: dict[str, list[Pair]]) -> dict[str, list[Pair]]:
        """The pairs with the log probabilities of the model as it is now; from `folder` where they were kept before.

        Afterwards trl's copy of the adapter is gone: it would be saved with every checkpoint.
        """
        kept = folder / "reference.npz"
        if kept.is_file():
            with np.load(kept) as file:
                found = {name: file[name] for name in parts}
        else:
            count = counter(self.work.progress, "train.preferences.reference", sum(map(len, parts.values())))
            found = {name: self._in_batches(pairs, self._reference_of, count) for name, pairs in parts.items()}
            with atomic(kept) as temporary, temporary.open("wb") as file:
                np.savez(file, **found)
        if isinstance(self.model, PeftModel) and "ref" in self.model.peft_config:
            self.model.delete_adapter("ref")
        self.precompute_ref_logps = True
        return {name: with_reference(pairs, found[name]) for name, pairs in parts.items()}

    def _in_batches(
        self, pairs: list[Pair], work: Callable[[list[Pair]], np.ndarray], count: Callable[[int], None]
    ) -> np.ndarray:
        found = np.zeros((len(pairs), 2))
        order = sorted(range(len(pairs)), key=lambda index: (-len(pairs[index]["prompt_ids"]), index))
        size = self.work.stage.batch_size
        for start in range(0, len(order), size):
            part = order[start : start + size]
            with torch.no_grad(), evaluating(self), self.compute_loss_context_manager():
                found[part] = work([pairs[index] for index in part])
            count(len(part))
        return found

    def _log_probs_of(self, pairs: list[Pair]) -> np.ndarray:
        if self.data_collator.packed:
            return _stacked(*self._packed_log_probs(self.model, pairs))
        batch = self._padded(pairs)
        wanted = batch.pop("completion_mask")
        labels = batch["input_ids"].masked_fill(wanted == 0, IGNORED)
        out = self.model(**batch, labels=labels, use_cache=False, fused_lm_head=True)
        return _stacked(*out.log_probs.sum(1).chunk(2))

    def _reference_of(self, pairs: list[Pair]) -> np.ndarray:
        if self.data_collator.packed:
            return self._log_probs_of(pairs)
        return _stacked(*self.compute_ref_log_probs(self.model, self._padded(pairs)))

    def _padded(self, pairs: list[Pair]) -> dict[str, Any]:
        bare = [{name: pair[name] for name in ("prompt_ids", "chosen_ids", "rejected_ids")} for pair in pairs]
        batch: dict[str, Any] = self._prepare_inputs(self.data_collator.plain(bare))
        return batch


def with_reference(pairs: list[Pair], log_probs: np.ndarray) -> list[Pair]:
    """The pairs with what trl reads as the reference."""
    return [
        pair | {"ref_chosen_logps": float(chosen), "ref_rejected_logps": float(rejected)}
        for pair, (chosen, rejected) in zip(pairs, log_probs, strict=True)
    ]


def _stacked(chosen: torch.Tensor, rejected: torch.Tensor) -> np.ndarray:
    return np.asarray(torch.stack([chosen, rejected], dim=1).float().cpu())
