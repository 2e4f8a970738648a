"""Licence terms of base models that decide what may be done with a tuned one; shown by `plan`, kept by `export`.

A short list of facts with their source, not legal advice; an unknown base is said to be unknown.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """Terms of a family of base models."""

    name: str
    url: str
    commercial: bool | None
    """None: depends on the model or on limits in the text."""
    required_prefix: str | None = None
    """How the name of a derived model must begin."""


_BY_PREFIX = {
    "lgai-exaone/exaone-3.5": Licence(
        "EXAONE AI Model License Agreement 1.1 - NC",
        "https://huggingface.co/LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct/blob/main/LICENSE",
        commercial=False,
        required_prefix="EXAONE",
    ),
    "lgai-exaone/": Licence(
        "EXAONE AI Model License Agreement",
        "https://huggingface.co/LGAI-EXAONE",
        commercial=None,
        required_prefix="EXAONE",
    ),
    "google/gemma": Licence("Gemma Terms of Use", "https://ai.google.dev/gemma/terms", commercial=None),
    "meta-llama/": Licence(
        "Llama Community License", "https://www.llama.com/llama-downloads/", commercial=None, required_prefix="Llama"
    ),
    "qwen/": Licence("Apache-2.0 or Qwen licence, by size", "https://huggingface.co/Qwen", commercial=None),
    "huggingfacetb/smollm2": Licence(
        "Apache-2.0", "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct", commercial=True
    ),
    "smollm2-135m": Licence(
        "Apache-2.0", "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct", commercial=True
    ),
}


def licence_of(base: str) -> Licence | None:
    """Terms of the longest known prefix of a base's name, or None."""
    known = [prefix for prefix in _BY_PREFIX if base.lower().startswith(prefix)]
    return _BY_PREFIX[max(known, key=len)] if known else None
