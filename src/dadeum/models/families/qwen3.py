"""Qwen3: ChatML; reasoning stands between `<think>` and `</think>`, and the template drops it from earlier turns.

A closed conversation gets an empty reasoning block before its last answer, the generation prompt does not: what is
served is the generation prompt, so answers are taught right after it.
"""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "Qwen3",
    model_types=("qwen3", "qwen3_moe"),
    marks=("<|im_start|>", "<tool_response>", "enable_thinking"),
    turn_tokens=("<|im_start|>", "<|im_end|>"),
    stop_tokens=("<|im_end|>", "<|endoftext|>"),
    notes=("models.families.reasoning_dropped",),
)
