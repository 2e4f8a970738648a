"""Qwen2.5: ChatML; its template writes a default system turn where a conversation has none."""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "Qwen2.5",
    model_types=("qwen2", "qwen2_moe"),
    marks=("<|im_start|>", "<tool_response>", "You are Qwen"),
    turn_tokens=("<|im_start|>", "<|im_end|>"),
    stop_tokens=("<|im_end|>", "<|endoftext|>"),
    notes=("models.families.default_system",),
)
