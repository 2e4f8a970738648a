"""Bytes that a `contrastive` stage holds at its peak.

Each column of a batch (questions, right chunks, negatives) goes through the model by itself and is padded to its
longest text; all of them are kept until the backward pass. Counted with the longest texts together.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.nn import functional

from dadeum.core.stages import Contrastive
from dadeum.training.memory import Peak
from dadeum.training.memory_methods import KIWI_BYTES, is_kiwi_loaded
from dadeum.training.memory_trace import EmptyModel, Inputs

_LIBRARIES = 90 * 2**20
"""About what sentence-transformers, sklearn and scipy take that `plan` has not loaded."""
_READ_AT_ONCE = 32
"""Texts whose vectors are made together before the training and when it is validated (models/embed.py)."""


class Questions:
    """Tokens of what a batch holds, cut to what the model reads."""

    def __init__(self, question: int, gold: int, chunk: int, num_texts: int) -> None:
        self.question = question
        self.gold = gold
        self.chunk = chunk
        """Of the longest question, right chunk and chunk."""
        self.num_texts = num_texts
        """Chunks and questions whose vectors are held while negatives are looked for."""

    def peak(self, model: EmptyModel, stage: Contrastive, seed: int) -> Peak:
        """Training, beside reading a batch of chunks and holding all vectors."""
        negatives = stage.negatives.number if stage.loss == "mnr" else 0
        # In the losses on pairs every negative is a row of its own: its chunk may stand where the right one would.
        first = self.gold if stage.loss == "mnr" else max(self.gold, self.chunk if stage.negatives.number else 0)
        widths = [self.question, first, *([self.chunk] * negatives)]
        inputs = {f"ids_{place}": torch.ones(stage.batch_size, width, dtype=torch.long)
                  for place, width in enumerate(widths)}  # fmt: skip
        training = model.pass_bytes(inputs, stage.accumulation_steps > 1, self._loss(stage))
        dimensions: int = model.base.config.hidden_size
        before = self._reading(model) + self.num_texts * dimensions * 4
        process = 0 if "sentence_transformers" in sys.modules else _LIBRARIES
        if "words" in stage.negatives.by and stage.negatives.number and not is_kiwi_loaded():
            process += KIWI_BYTES
        return Peak(training, before, process=process)

    def _loss(self, stage: Contrastive) -> Any:
        def loss(model: EmptyModel, inputs: Inputs) -> torch.Tensor:
            with torch.autocast("cpu", model.dtype, enabled=model.dtype is not torch.float32):
                pooled = [_pooled(model, ids) for ids in inputs.values()]
            questions, *chunks = (functional.normalize(one.float(), dim=-1) for one in pooled)
            if stage.loss != "mnr":
                return (questions * chunks[0]).sum()
            scores = questions @ torch.cat(chunks).T / stage.temperature
            return functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long))

        return loss

    def _reading(self, model: EmptyModel) -> int:
        """A batch of the longest chunks, forward only: what one layer holds, several times over."""
        config = model.base.config
        wide = getattr(config, "intermediate_size", 4 * config.hidden_size)
        return int(_READ_AT_ONCE * self.chunk * (2 * wide + 4 * config.hidden_size) * 4)


def _pooled(model: EmptyModel, ids: torch.Tensor) -> torch.Tensor:
    """The mean over tokens; other poolings keep no more."""
    mask = torch.ones_like(ids)
    hidden = model.base(input_ids=ids, attention_mask=mask).last_hidden_state
    shares = mask.unsqueeze(-1).to(hidden.dtype)
    pooled: torch.Tensor = (hidden * shares).sum(1) / shares.sum(1)
    return pooled
