"""trl's RewardTrainer on pairs that are token ids, packed so that a prompt is read once for both answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from trl import RewardTrainer

from dadeum.models.prefix_tree import pack
from dadeum.training.pairs import last_hidden, reward_loss
from dadeum.training.preferences.packed import PackedPairs, Pair, PairCollator, evaluating, full_precision
from dadeum.training.work import Work

OTHER_LOSSES = ("center_rewards_coefficient",)
"""Settings of trl's loss that only trl's path knows."""


class RewardPairTrainer(PackedPairs, RewardTrainer):
    """Pairs {chosen_ids, rejected_ids}, each with its prompt."""

    data_collator: Any

    def __init__(self, work: Work, **kwargs: Any) -> None:
        self.work = work
        super().__init__(**kwargs)
        self.data_collator = PairCollator(self.data_collator)
        full_precision(self.model)

    def packed_loss(self, model: Any, pairs: list[Pair]) -> torch.Tensor:
        """Bradley-Terry; trl's metrics beside it."""
        chosen, rejected = self._packed_rewards(model, pairs)
        both = torch.cat([chosen, rejected])
        self.note(
            min_reward=both.min(), mean_reward=both, max_reward=both.max(), accuracy=(chosen > rejected).float(),
            margin=chosen - rejected,
        )  # fmt: skip
        return reward_loss(chosen, rejected)

    def _packed_rewards(self, model: Any, pairs: list[Pair]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = [pair[name] for name in ("chosen_ids", "rejected_ids") for pair in pairs]
        self.count(sum(map(len, rows)), len(pack(rows).ids))
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        rewards = base.score(last_hidden(model, rows)).squeeze(-1).float()
        return rewards[: len(pairs)], rewards[len(pairs) :]

    def rewards(self, pairs: list[Pair]) -> np.ndarray:
        """Of chosen and rejected answers, (pairs, 2), as the model is now."""
        found = np.zeros((len(pairs), 2))
        order = sorted(range(len(pairs)), key=lambda index: (-len(pairs[index]["chosen_ids"]), index))
        size = self.work.stage.batch_size
        for start in range(0, len(order), size):
            part = order[start : start + size]
            with torch.no_grad(), evaluating(self), self.compute_loss_context_manager():
                both = self._rewards_of([pairs[index] for index in part])
            found[part] = torch.stack(both, dim=1).float().cpu().numpy()
        return found

    def _rewards_of(self, pairs: list[Pair]) -> tuple[torch.Tensor, torch.Tensor]:
        if self.data_collator.packed:
            return self._packed_rewards(self.model, pairs)
        batch = self._prepare_inputs(self.data_collator.plain(pairs))
        chosen, rejected = self.model(**batch, use_cache=False).logits.squeeze(-1).chunk(2)
        return chosen, rejected
