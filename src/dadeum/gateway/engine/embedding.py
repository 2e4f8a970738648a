"""Vectors of texts by a served embedding model: loaded once, one text after another whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dadeum.core.errors import ModelError
from dadeum.core.task import Retrieve
from dadeum.models.embed import embedder_tokenizer, text_limit
from dadeum.retrieval.encoder import encoder_of

if TYPE_CHECKING:
    from dadeum.gateway.catalogue import ServedModel

_one_at_a_time = Lock()
"""An embedder remembers vectors in a dictionary of its own and takes all cores."""


def embedded(model: ServedModel, texts: Sequence[str], kind: Literal["query", "chunk"]) -> np.ndarray:
    """Unit vectors, float32, (texts, dimension), with what the recipe writes before questions and chunks."""
    if not isinstance(model.recipe.task, Retrieve):
        raise ModelError("gateway.engine.no_vectors", version=model.version, task=model.task)
    encoder = encoder_of(model.recipe, model.weights)
    with _one_at_a_time:  # the few last models stay loaded (models/embed.py)
        return encoder.encode_questions(list(texts)) if kind == "query" else encoder.encode_chunks(list(texts))


def text_ids(model: ServedModel, text: str) -> tuple[int, ...]:
    """As its tokenizer splits the whole text, special tokens among them; more than `reads` are not read."""
    name, revision = _place(model)
    return tuple(_tokenizer(name, revision)(text, truncation=False, verbose=False)["input_ids"])


def reads(model: ServedModel) -> int | None:
    """Tokens of a text that it reads; None where nothing limits it."""
    task = model.recipe.task
    assert isinstance(task, Retrieve)
    return task.max_seq_length or text_limit(*_place(model))


def _place(model: ServedModel) -> tuple[str, str | None]:
    recipe = model.recipe
    return (recipe.model.base, recipe.model.revision) if model.weights is None else (str(model.weights), None)


@lru_cache(maxsize=8)
def _tokenizer(name: str, revision: str | None) -> Any:
    return embedder_tokenizer(name, revision)
