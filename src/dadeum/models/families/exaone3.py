"""EXAONE 3.0 and 3.5: `[|user|]` turns end with a newline alone, system and assistant turns with `[|endofturn|]`.

The template writes an empty system turn where a conversation has none.
"""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "EXAONE 3.5",
    model_types=("exaone",),
    marks=("[|endofturn|]",),
    turn_tokens=("[|system|]", "[|user|]", "[|assistant|]", "[|endofturn|]"),
    stop_tokens=("[|endofturn|]",),
)
