"""Llama 3.x, and models that took over its tokenizer: turns have headers and end with `<|eot_id|>`.

Generation ends at `<|eom_id|>` (a tool is called) and `<|end_of_text|>` (base models) too. Texts are trimmed.
"""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "Llama 3",
    marks=("<|start_header_id|>", "<|eot_id|>"),
    turn_tokens=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"),
    stop_tokens=("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"),
)
