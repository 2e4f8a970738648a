"""SmolLM2: ChatML on Llama; its template writes a default system turn where a conversation has none."""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "SmolLM2",
    marks=("<|im_start|>", "<|im_end|>", "SmolLM"),
    turn_tokens=("<|im_start|>", "<|im_end|>"),
    stop_tokens=("<|im_end|>", "<|endoftext|>"),
    notes=("models.families.default_system",),
)
