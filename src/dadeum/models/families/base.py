"""What a family's facts are, and which family a tokenizer belongs to.

A family never decides how a conversation is rendered, the tokenizer's own template does. It adds what no template
says: which tokens end an answer, what must not be read out of people's text, what surprises a user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dadeum.core.plugins import find, names
from dadeum.models.control_tokens import template_text

_PACKAGE = "models.families"


@dataclass(frozen=True)
class Seq2Seq:
    """What an encoder-decoder reads and writes around a text."""

    source_has_bos: bool = False
    """The encoder reads bos before the text; it reads eos after it in every family."""
    language_codes: bool = False
    """Both sides name their language; where, says the tokenizer."""


@dataclass(frozen=True)
class Family:
    """Facts about one family of models."""

    name: str
    model_types: tuple[str, ...] = ()
    """`config.model_type`; empty where many families share an architecture (Llama)."""
    marks: tuple[str, ...] = ()
    """All of them stand in the family's template or, where there is none, in its vocabulary."""
    turn_tokens: tuple[str, ...] = ()
    """Tokens that open, name or close a turn, marked special in the vocabulary or not."""
    stop_tokens: tuple[str, ...] = ()
    """Tokens that end an answer beside the template's own and eos, as the vendor's generation settings name them."""
    notes: tuple[str, ...] = ()
    """Message keys: what a user should know before training."""
    is_base: bool = False
    """Never taught conversations: there is no template to use."""
    seq2seq: Seq2Seq | None = None


UNKNOWN = Family("unknown")
"""A model that no file describes: its template and its special tokens say what they can."""


def recognise(tokenizer: Any, model_type: str = "") -> Family:
    """The family whose marks say most; the architecture's name decides where no mark is found."""
    families: list[Family] = [find(_PACKAGE, name).FAMILY for name in names(_PACKAGE)]
    text = template_text(tokenizer)
    vocabulary = set() if text else set(tokenizer.get_vocab())

    def stands(mark: str) -> bool:
        return mark in text if text else mark in vocabulary

    # A base model's marks are words of a vocabulary: a template says more.
    able = [one for one in families if one.marks and not (one.is_base and text) and all(map(stands, one.marks))]
    if able:
        return max(able, key=lambda one: (len(one.marks), one.name))
    return next((one for one in families if model_type and model_type in one.model_types), UNKNOWN)
