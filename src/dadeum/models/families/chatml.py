"""Any template in ChatML: `<|im_start|>role`, text, `<|im_end|>`. Base models end a text with `<|endoftext|>`."""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "ChatML",
    marks=("<|im_start|>", "<|im_end|>"),
    turn_tokens=("<|im_start|>", "<|im_end|>"),
    stop_tokens=("<|im_end|>", "<|endoftext|>"),
)
