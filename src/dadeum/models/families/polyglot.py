"""Polyglot-Ko: a base GPT-NeoX without a chat template; `<|endoftext|>` is bos, eos and pad in one.

Labels are made by position, so masking the padding hides no eos.
"""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "Polyglot-Ko",
    model_types=("gpt_neox",),
    marks=("<|rrn|>", "<|acc|>", "<|tell|>"),
    turn_tokens=("<|endoftext|>", "<|sep|>"),
    stop_tokens=("<|endoftext|>",),
    is_base=True,
)
