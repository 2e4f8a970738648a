"""PPO as a transformers Trainer: one batch of its loader is one rollout, one step is a rollout and its updates.

Optimizer, schedule, clipping, checkpoints, callbacks and resuming are the Trainer's. The last update's gradients are
left to its loop, which takes the step; the updates before take theirs here.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer

from dadeum.core.errors import ModelError
from dadeum.core.stages import Ppo
from dadeum.training.online import Prompts
from dadeum.training.ppo import objective
from dadeum.training.ppo.policy import see
from dadeum.training.ppo.rollout import Rater, Rollout, Writing, collect
from dadeum.training.reference import Reference

_HEAD = "value_head.pt"


class PpoTrainer(Trainer):
    """`model` has a value head; what it is given are places in the training split."""

    def __init__(
        self,
        model: Any,
        stage: Ppo,
        prompts: Prompts,
        reference: Reference,
        writing: Writing,
        rate: Rater,
        **given: Any,
    ) -> None:
        places = [{"place": place} for place in range(len(prompts.ids))]
        super().__init__(model=model, train_dataset=places, data_collator=_places, **given)
        if self.args.world_size > 1:
            raise ModelError("train.reinforcement.one_process", stage=stage.name, found=self.args.world_size)
        self.stage, self.prompts, self.reference, self.writing, self.rate = stage, prompts, reference, writing, rate
        self.tokens_computed = 0
        self._found: defaultdict[str, list[float]] = defaultdict(list)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Write, rate, and learn `updates` times from the same answers."""
        rollout = self._collect(inputs["places"])
        model.train()
        loss = self._gradients(model, rollout)
        for _ in range(1, self.stage.updates):
            self._clip_grad_norm(model)
            self.optimizer.step()
            model.zero_grad()
            loss = self._gradients(model, rollout)
        self._note(rollout.figures)
        return loss

    def _collect(self, places: list[int]) -> Rollout:
        rows = [place for place in places for _ in range(self.stage.generations)]
        prompts = [self.prompts.ids[row] for row in rows]
        rollout: Rollout = collect(self.model, self.reference, rows, prompts, self.stage, self.writing, self.rate)
        self.state.num_input_tokens_seen += int(rollout.texts.mask.sum())
        # Writing, the policy's view, the reference's, and the updates.
        self.tokens_computed += rollout.texts.ids.numel() * (3 + self.stage.updates)
        return rollout

    def _gradients(self, model: Any, rollout: Rollout) -> Tensor:
        """Of one pass over all answers, `batch_size` of them at once: how they are cut does not change the sum."""
        total = torch.zeros((), device=rollout.advantages.device)
        count = rollout.texts.written.sum()
        for start in range(0, len(rollout.advantages), self.stage.batch_size):
            part = slice(start, start + self.stage.batch_size)
            with self.compute_loss_context_manager():
                loss, figures = self._loss(model, rollout, part)
            self.accelerator.backward(loss / count)
            total += loss.detach() / count
            self._note_sums(figures, float(count))
        self._keep_sums()
        return total

    def _loss(self, model: Any, rollout: Rollout, part: slice) -> tuple[Tensor, dict[str, Tensor]]:
        """Summed over the written tokens of some answers."""
        stage, texts = self.stage, rollout.texts[part]
        mask, old, advantages = texts.written, rollout.old.log_probs[part], rollout.advantages[part]
        seen = see(model, texts, stage.temperature)
        policy = (objective.policy_loss(seen.log_probs, old, advantages, stage.clip) * mask).sum()
        value = (
            objective.value_loss(seen.values, rollout.old.values[part], rollout.returns[part], stage.clip) * mask
        ).sum()
        with torch.no_grad():
            figures = {
                "policy_loss": policy.detach(),
                "value_loss": value.detach(),
                "approx_kl": (objective.kl_k3(old, seen.log_probs) * mask).sum(),
                "clip_ratio": (objective.is_clipped(seen.log_probs, old, advantages, stage.clip) * mask).sum(),
            }
        return policy + stage.value_coefficient * value, figures

    def _note(self, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self._found[name].append(value)

    def _note_sums(self, sums: dict[str, Tensor], count: float) -> None:
        for name, value in sums.items():
            self._found[f"+{name}"].append(float(value) / count)

    def _keep_sums(self) -> None:
        """The parts of one pass, added up."""
        for name in [name for name in self._found if name.startswith("+")]:
            self._found[name[1:]].append(sum(self._found.pop(name)))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Means since the last log, beside the Trainer's own."""
        if "loss" in logs:
            logs |= {name: sum(values) / len(values) for name, values in self._found.items()}
            self._found.clear()
        super().log(logs, start_time)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        return 0  # transformers would count the places for tokens

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """A checkpoint needs the value head too; the stage's result does not, and is not written by this."""
        super().save_model(output_dir, _internal_call)
        torch.save(self.model.value_head.state_dict(), Path(output_dir or self.args.output_dir) / _HEAD)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        saved = torch.load(Path(resume_from_checkpoint) / _HEAD, map_location=self.model.device, weights_only=True)
        self.model.value_head.load_state_dict(saved)


def _places(rows: list[dict[str, int]]) -> dict[str, list[int]]:
    return {"places": [row["place"] for row in rows]}
