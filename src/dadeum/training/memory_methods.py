"""What methods other than supervised tuning hold at their peak: pairs, answers, references, and what is tried first.

Every pass is traced with the code that computes it. Counted with the longest rows together and with answers as long
as they may get: the order of these trainers and what a model will write are not known before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dadeum.core.stages import Online, OnPairs, Ppo, Reward
from dadeum.models.prefix_tree import pack
from dadeum.models.tree_attention import tree_inputs
from dadeum.training.head import IGNORED
from dadeum.training.memory import Peak
from dadeum.training.memory_trace import EmptyModel, Inputs, without_dropout
from dadeum.training.pairs import pair_rows
from dadeum.training.prefix import tree_pass

Pair = dict[str, list[int]]
"""{prompt_ids, chosen_ids, rejected_ids}"""
_TRIED_PAIRS = 2
"""The longest ones, padded as trl does and packed, before training (preferences/packed.py)."""
KIWI_BYTES = 530 * 2**20
"""Measured growth of a process that analyses its first sentence (kiwipiepy 0.23)."""


@dataclass(frozen=True)
class Writing:
    """Answers that are written at once."""

    rows: int
    prompt: int
    """Tokens of the longest prompt."""
    answer: int
    """Most tokens of an answer."""


def is_kiwi_loaded() -> bool:
    """Whether this process holds it, so that it is counted already."""
    from dadeum.core.morphemes import kiwi

    return kiwi.cache_info().currsize > 0


class PreferencePairs:
    """The pairs of a `dpo` or `reward` stage, and what is sampled for them before."""

    def __init__(self, pairs: Sequence[Pair], writing: Writing | None = None) -> None:
        self.pairs = sorted(pairs, key=lambda pair: -sum(map(len, pair.values())))
        self.writing = writing

    def peak(self, model: EmptyModel, stage: OnPairs, seed: int) -> Peak:
        """Training packs; before it a few pairs are computed in trl's way too, gradients of both held."""
        taken, tried = self.pairs[: stage.batch_size], self.pairs[:_TRIED_PAIRS]
        is_reward = isinstance(stage, Reward)
        packed, plain = (_packed_rewards, _plain_rewards) if is_reward else (_packed_answers, _fused)
        inputs = _reward_inputs if is_reward else _answer_inputs
        training = model.pass_bytes(inputs(taken), stage.accumulation_steps > 1, packed)
        with without_dropout(model.model):
            before = model.trained_bytes + model.pass_bytes(inputs(tried), False, packed)
            before = max(before, model.pass_bytes(_padded(tried), False, plain))
        if not is_reward and not model.is_full:
            before += model.trained_bytes  # trl's copy of the adapter, dropped before training
        process = 0
        if self.writing is not None:
            process = 0 if is_kiwi_loaded() else KIWI_BYTES  # answers are rated by ROUGE
            if not is_reward:  # a classifier writes nothing; its stage samples with the policy, of like size
                before = max(before, model.write_bytes(**vars(self.writing)))
        return Peak(training, before, process=process)


class Answers:
    """What an `rloo`, `grpo` or `ppo` stage writes and learns from."""

    def __init__(self, prompt: int, answer: int, goes_on: bool) -> None:
        self.prompt = prompt
        self.answer = answer
        self.goes_on = goes_on
        """With an adapter that an earlier stage trained."""

    def peak(self, model: EmptyModel, stage: Online, seed: int) -> Peak:
        """The largest of writing all answers of a step and learning from `batch_size` of them."""
        texts = _texts(stage.batch_size, self.prompt, self.answer)
        inputs, loss = texts, _fused
        if isinstance(stage, Ppo):
            with model.fake:  # as ppo/policy.py adds it
                model.model.value_head = torch.nn.Linear(model.base.config.get_text_config().hidden_size, 1)
            inputs, loss = {"ids": texts["input_ids"], "mask": texts["attention_mask"]}, self._ppo_loss(stage)
        with without_dropout(model.model):
            learning = model.pass_bytes(inputs, stage.accumulation_steps > 1, loss)
        writing = model.write_bytes(at_once(stage), self.prompt, self.answer)
        process = KIWI_BYTES if "rouge" in stage.rewards and not is_kiwi_loaded() else 0
        return Peak(max(learning, writing), held=self._held(model, stage), process=process)

    def _held(self, model: EmptyModel, stage: Online) -> int:
        """A reward model of its own base, and the reference: a copy of all weights or of the adapter."""
        held = model.weight_bytes if "model" in stage.rewards else 0
        # trl copies a new adapter as well.
        needs_copy = model.is_full or self.goes_on if isinstance(stage, Ppo) else stage.beta > 0
        return held + (model.trained_bytes if needs_copy else 0)

    def _ppo_loss(self, stage: Ppo) -> Any:
        def loss(model: EmptyModel, inputs: Inputs) -> torch.Tensor:
            from dadeum.training.ppo.policy import Texts, see

            with _autocast(model):
                texts = Texts(inputs["ids"], inputs["mask"], inputs["mask"][:, self.prompt :])
                seen = see(model.model, texts, stage.temperature)
            return seen.log_probs.sum() + seen.values.sum()

        return loss


def at_once(stage: Online) -> int:
    """Answers that are written together: trl writes those of all passes of a step, ppo `batch_size` of them."""
    if isinstance(stage, Ppo):
        return stage.batch_size
    given = stage.trainer_args
    passes = given.get("steps_per_generation") or stage.accumulation_steps
    return int(given.get("generation_batch_size") or stage.batch_size * passes)


def _texts(rows: int, prompt: int, answer: int) -> Inputs:
    """As many full rows: no padding is the most that a pass can hold."""
    ids = torch.ones(rows, prompt + answer, dtype=torch.long)
    labels = ids.clone()
    labels[:, :prompt] = IGNORED
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def _padded(pairs: Sequence[Pair]) -> Inputs:
    """As trl's collators do: chosen and rejected rows together, each with its prompt."""
    rows = [(len(pair["prompt_ids"]), len(pair[name])) for name in ("chosen_ids", "rejected_ids") for pair in pairs]
    longest = max(map(sum, rows))
    ids, labels = torch.ones(len(rows), longest, dtype=torch.long), torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(rows):
        mask[row, : prompt + answer] = 1
        labels[row, prompt : prompt + answer] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _answer_inputs(pairs: Sequence[Pair]) -> Inputs:
    return tree_pass(pair_rows(list(pairs)))


def _reward_inputs(pairs: Sequence[Pair]) -> Inputs:
    rows = [pair["prompt_ids"] + pair[name] for name in ("chosen_ids", "rejected_ids") for pair in pairs]
    return tree_inputs(pack(list(dict.fromkeys(map(tuple, rows)))))


# What the trainers compute: dpo_trainer.py, reward_trainer.py, and trl's own trainers.
def _packed_answers(model: EmptyModel, inputs: Inputs) -> torch.Tensor:
    inputs = dict(inputs)
    labels, at = inputs.pop("answer_labels"), inputs.pop("at")
    inputs.pop("answer_weights")
    with _autocast(model):
        logits = model.base(**inputs, logits_to_keep=at).logits[0]
        logits = logits.clone().float()  # picked by a mask there
        log_probs = logits.log_softmax(-1).gather(-1, labels.flatten()[at].unsqueeze(-1))
    return -log_probs.sum()


def _fused(model: EmptyModel, inputs: Inputs) -> torch.Tensor:
    from trl.trainer.utils import add_fused_lm_head

    if "forward" not in vars(model.base):
        add_fused_lm_head(model.base, outputs=("log_probs", "entropy"))
    with _autocast(model):
        found: torch.Tensor = model.base(**inputs, use_cache=False, fused_lm_head=True).log_probs
    return -found.sum()


def _packed_rewards(model: EmptyModel, inputs: Inputs) -> torch.Tensor:
    with _autocast(model):
        hidden = model.base.base_model(**inputs).last_hidden_state[0, -4:]
        return model.base.score(hidden).float().sum()


def _plain_rewards(model: EmptyModel, inputs: Inputs) -> torch.Tensor:
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    with _autocast(model):
        return model.base.score(model.base.base_model(**inputs, use_cache=False).last_hidden_state).float().sum()


def _autocast(model: EmptyModel) -> Any:
    return torch.autocast("cpu", model.dtype, enabled=model.dtype is not torch.float32)
