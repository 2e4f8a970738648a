"""EXAONE 4: every turn ends with `[|endofturn|]`; prompt and earlier answers carry an empty reasoning block."""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "EXAONE 4",
    model_types=("exaone4",),
    marks=("[|endofturn|]", "[|user|]", "[|tool|]"),
    turn_tokens=("[|system|]", "[|user|]", "[|assistant|]", "[|tool|]", "[|endofturn|]"),
    stop_tokens=("[|endofturn|]",),
    notes=("models.families.reasoning_dropped",),
)
