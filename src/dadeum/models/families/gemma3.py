"""Gemma 2 and 3: the assistant's role is `model`, turns must alternate, texts are trimmed.

Gemma 3 puts the system text into the first user turn itself, Gemma 2 refuses it and the renderer does the same.
The 4B and larger models take pictures too: transformers 5.23 trains them on text without `token_type_ids`.
"""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "Gemma",
    model_types=("gemma", "gemma2", "gemma3", "gemma3_text"),
    marks=("<start_of_turn>", "<end_of_turn>"),
    turn_tokens=("<start_of_turn>", "<end_of_turn>"),
    stop_tokens=("<end_of_turn>", "<eos>"),
    notes=("models.families.system_in_user_turn",),
)
