"""Encoder: what turns questions and chunks into vectors, with the name and revision that an index must remember.

Vectors of two models, or of two versions of one, do not compare: a search with the wrong one gives nonsense without
an error. The model itself is loaded on first use.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np

from dadeum.core.progress import Progress, silent
from dadeum.core.run import file_hash
from dadeum.models.embed import EMBEDDERS, find_embedder, load_embedder

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
    """A sentence-transformers model by alias, hub id or folder."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def revision(self) -> str:
        packaged = EMBEDDERS.get(self.name)
        if packaged is not None:
            return packaged.requirement
        folder = Path(find_embedder(self.name))
        return _folder_revision(folder) if folder.is_dir() else _hub_revision(self.name)

    def encode_questions(self, texts: list[str]) -> np.ndarray:
        return np.asarray(load_embedder(self.name).encode(texts), dtype=np.float32)

    def encode_chunks(self, texts: list[str], progress: Progress = silent) -> np.ndarray:
        blocks = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            blocks.append(self.encode_questions(texts[start : start + _TEXTS_AT_ONCE]))
            progress("retrieval.vectors", min(start + _TEXTS_AT_ONCE, len(texts)), len(texts))
        return np.concatenate(blocks) if blocks else self.encode_questions([])


def _folder_revision(folder: Path) -> str:
    """Hash of the names and bytes of what decides a vector."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _WEIGHTS):
        digest.update(f"{path.relative_to(folder)}:{file_hash(path)}\n".encode())
    return f"sha256:{digest.hexdigest()[:16]}"


def _hub_revision(name: str) -> str:
    """The commit that lies in the hub's cache, which is what `load_embedder` reads; empty before the first download."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json")
    if not isinstance(found, str):
        load_embedder(name)
        found = try_to_load_from_cache(name, "config.json")
    return Path(found).parent.name if isinstance(found, str) else ""
