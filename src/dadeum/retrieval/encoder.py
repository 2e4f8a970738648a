"""Encoder: what turns questions and chunks into vectors, with the name and revision that an index must remember.

Vectors of two models, or of two versions of one, do not compare: a search with the wrong one gives nonsense without
an error. The model itself is loaded on first use.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Protocol

import numpy as np

from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import file_hash
from dadeum.core.task import Retrieve
from dadeum.models.embed import EMBEDDERS, Embedder, find_embedder, load_embedder
from dadeum.tasks.retrieve import chunk_text, query_text

_TEXTS_AT_ONCE = 1024
_WEIGHTS = (".safetensors", ".bin", ".json", ".txt", ".model")


class Encoder(Protocol):
    """Anything with a name, a revision and unit vectors."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str:
        """Changes whenever the vectors of one text would."""
        ...

    def encode_questions(self, texts: list[str]) -> np.ndarray:
        """float32, shape (texts, dimensions)."""
        ...

    def encode_chunks(self, texts: list[str], progress: Progress = silent) -> np.ndarray: ...


class SentenceEncoder:
    """A sentence-transformers model by alias, hub id or folder, with what is written before questions and chunks."""

    def __init__(
        self,
        name: str,
        *,
        question_prefix: str = "",
        chunk_prefix: str = "",
        max_seq_length: int | None = None,
        commit: str | None = None,
    ) -> None:
        self.name = name
        self._prefixes = question_prefix, chunk_prefix
        self._max_seq_length = max_seq_length
        self._commit = commit

    @property
    def revision(self) -> str:
        """Of the weights, then prefixes and `max_seq_length` where they are given: any of them changes vectors."""
        settings = {"question": self._prefixes[0], "chunk": self._prefixes[1], "max": self._max_seq_length}
        given = {name: value for name, value in settings.items() if value}
        return self._weights_revision() + (f"|{json.dumps(given, ensure_ascii=False)}" if given else "")

    def _weights_revision(self) -> str:
        packaged = EMBEDDERS.get(self.name)
        if packaged is not None:
            return packaged.requirement
        folder = Path(find_embedder(self.name))
        return _folder_revision(folder) if folder.is_dir() else self._hub_revision()

    def _hub_revision(self) -> str:
        """The commit in the hub's cache, which is what is read; empty before the first download."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.name, "config.json", revision=self._commit)
        if not isinstance(found, str):
            self._load()
            found = try_to_load_from_cache(self.name, "config.json", revision=self._commit)
        return Path(found).parent.name if isinstance(found, str) else ""

    def _load(self) -> Embedder:
        return load_embedder(self.name, self._commit, self._max_seq_length)

    def encode_questions(self, texts: list[str]) -> np.ndarray:
        return self._load().encode([self._prefixes[0] + text for text in texts])

    def encode_chunks(self, texts: list[str], progress: Progress = silent) -> np.ndarray:
        embedder = self._load()
        vectors = np.empty((len(texts), embedder.dimensions), dtype=np.float32)
        # Longest first: a lack of memory shows at once, and texts of like length need little padding.
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        for start in range(0, len(order), _TEXTS_AT_ONCE):
            block = order[start : start + _TEXTS_AT_ONCE]
            vectors[block] = embedder.encode([self._prefixes[1] + texts[at] for at in block])
            progress("retrieval.vectors", start + len(block), len(order))
        return vectors


def encoder_of(recipe: Recipe, weights: Path | None) -> SentenceEncoder:
    """The embedding model of a recipe of task `retrieve`: untuned (None), or as a stage saved it in `weights`."""
    task = recipe.task
    assert isinstance(task, Retrieve)
    return SentenceEncoder(
        recipe.model.base if weights is None else str(weights),
        question_prefix=query_text(task, ""),
        chunk_prefix=chunk_text(task, ""),
        max_seq_length=task.max_seq_length,
        commit=recipe.model.revision if weights is None else None,
    )


def _folder_revision(folder: Path) -> str:
    """Hash of the names and bytes of what decides a vector."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _WEIGHTS):
        digest.update(f"{path.relative_to(folder)}:{file_hash(path)}\n".encode())
    return f"sha256:{digest.hexdigest()[:16]}"
