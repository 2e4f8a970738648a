"""The tokenizer exactly as its tokenizer.json says.

transformers 5 builds some classes anew from vocabulary and merges and drops the file's normalizer and pre-tokenizer:
a repository that names `GPT2Tokenizer` (EXAONE, Granite) loses its splitting of digits, so that numbers become tokens
which the model never saw (transformers issue 45812). No error says so; training and serving would just be worse.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def as_shipped(tokenizer: Any, base: str, revision: str | None) -> Any:
    """`tokenizer`, or the same loaded from the file alone when its class changed how text is split."""
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import cached_file

    # The plain class reads the file as it is; one without a Rust backend has no such file.
    if type(tokenizer) is PreTrainedTokenizerFast or not hasattr(tokenizer, "backend_tokenizer"):
        return tokenizer
    quiet = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    file = cached_file(base, "tokenizer.json", revision=revision, **quiet)
    if file is None or _splitting(tokenizer.backend_tokenizer) == _splitting(_without_vocabulary(Path(file))):
        return tokenizer
    log.info("%s: %s changes the splitting of tokenizer.json; using the file", base, type(tokenizer).__name__)
    return from_file(base, revision, tuple(tokenizer.model_input_names))


def from_file(base: str, revision: str | None, inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> Any:
    """The plain tokenizer over tokenizer.json; `inputs` is what it hands to the model (no token_type_ids)."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(base, revision=revision, model_input_names=list(inputs))


def _splitting(backend: Any) -> tuple[Any, ...]:
    """What happens to a text before the vocabulary is asked, as comparable states."""
    parts = (backend.normalizer, backend.pre_tokenizer)
    return tuple(None if part is None else json.loads(part.__getstate__()) for part in parts)


def _without_vocabulary(file: Path) -> Any:
    """The file's tokenizer with an empty vocabulary: parsing a hundred thousand entries is not needed to compare."""
    from tokenizers import Tokenizer

    saved = json.loads(file.read_text(encoding="utf-8"))
    empty = {"type": "BPE", "vocab": {}, "merges": []}
    return Tokenizer.from_str(json.dumps(saved | {"model": empty, "added_tokens": [], "post_processor": None}))
