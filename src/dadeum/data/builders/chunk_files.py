"""`dadeum data chunks`: documents → a JSONL row per chunk, cut as a recipe with the same settings cuts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dadeum.core.model import Model, NoAdapter
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Corpus
from dadeum.core.run import write_jsonl
from dadeum.data.passages.corpus import Passages, read_passages
from dadeum.data.reading.sources import existing
from dadeum.documents.chunks import Chunk

LETTERS = "letters"
"""In place of a model: sizes count letters, and nothing is loaded."""
FIELDS = ("id", "document", "text", "first_page", "last_page", "num_tokens")


def count_of(model: str) -> Callable[[str], int]:
    """How many tokens a text is to a model (alias, hub id or folder), its own marks not counted; or letters.

    Raises ModelError where there is no such model.
    """
    if model == LETTERS:
        return len
    tokenizer = _tokenizer(model)
    return lambda text: len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _tokenizer(model: str) -> Any:
    """As a recipe of the task `retrieve` reads it for an embedding model, as one of `answer` does for any other."""
    from dadeum.models.embed import EMBEDDERS, embedder_config, embedder_tokenizer
    from dadeum.models.load import ALIASES, load_tokenizer

    if model in EMBEDDERS or (model not in ALIASES and embedder_config(model)[1] is not None):
        return embedder_tokenizer(model)
    return load_tokenizer(Model(base=model, adapter=NoAdapter(type="none")))


def cut(
    sources: Sequence[Path],
    model: str,
    size_tokens: int | None = 256,
    overlap_tokens: int = 32,
    recognise: bool = False,
    progress: Progress = silent,
) -> Passages:
    """The chunks of documents, or of files of chunks, which are taken as they are. Raises DataError."""
    found = [existing(source, "documents.missing_file") for source in sources]
    corpus = Corpus(
        sources=tuple(map(str, found)), size_tokens=size_tokens, overlap_tokens=overlap_tokens, recognise=recognise
    )
    return read_passages(corpus, count_of(model), progress)


def write_chunk_rows(path: Path, chunks: Sequence[Chunk]) -> None:
    """Atomically, in the order of the documents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_jsonl(path, ({name: getattr(chunk, name) for name in FIELDS} for chunk in chunks))
