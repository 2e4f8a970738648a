"""Vectors of the tokens of a text, from one layer of an encoder: what BERTScore matches."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from dadeum.core.errors import ModelError, first_line

_BATCH_SIZE = 16
_DEPTH = 0.75
"""Which layer: bert-score's tuned choices lie near three quarters of the depth, and list no Korean encoder."""
_MOST_TOKENS = 512


class Encoder:
    """A loaded model; every distinct text is read once."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._vectors: dict[str, np.ndarray] = {}
        self.layer = max(1, round(_DEPTH * model.config.num_hidden_layers))
        """Counted from 1; 0 would be the embeddings."""
        room = getattr(model.config, "max_position_embeddings", None) or _MOST_TOKENS
        self.limit = int(min(_MOST_TOKENS, room, tokenizer.model_max_length))

    def tokens(self, texts: list[str]) -> list[np.ndarray]:
        """Per text unit vectors, shape (tokens, dimensions), without those of special tokens."""
        new = sorted({text for text in texts if text not in self._vectors}, key=len)
        for start in range(0, len(new), _BATCH_SIZE):
            self._read(new[start : start + _BATCH_SIZE])
        return [self._vectors[text] for text in texts]

    def num_cut(self, texts: list[str]) -> int:
        """Texts that are longer than what the model reads at once."""
        ids = self._tokenizer(list(texts), truncation=False, verbose=False)["input_ids"] if texts else []
        return sum(len(one) > self.limit for one in ids)

    def _read(self, texts: list[str]) -> None:
        import torch

        given = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self.limit, return_special_tokens_mask=True,
            return_tensors="pt",
        )  # fmt: skip
        special = given.pop("special_tokens_mask").bool() | ~given["attention_mask"].bool()
        given.pop("token_type_ids", None)
        with torch.inference_mode():
            states = self._model(**given, output_hidden_states=True).hidden_states[self.layer].float()
        states = torch.nn.functional.normalize(states, dim=-1)
        for text, state, left_out in zip(texts, states, special, strict=True):
            self._vectors[text] = state[~left_out].numpy()


@lru_cache(maxsize=1)
def load_encoder(name: str) -> Encoder:
    """A hub id or folder; ModelError when there is no such model or it cannot be reached. Remote code never runs."""
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        model = AutoModel.from_pretrained(name, trust_remote_code=False).eval()
    except (OSError, ValueError) as error:
        raise ModelError("evaluate.metrics.bertscore.no_model", name=name, detail=first_line(error)) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Encoder(model, tokenizer)
