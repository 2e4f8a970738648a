"""Steps on written answers, one per file: `apply(text, level=None)`, text in, text out, always the same.

What they may do is named in the recipe (`generation.finish`); what they gained is measured one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

from dadeum.core.plugins import find
from dadeum.core.speech import Level


def finish(text: str, steps: Sequence[str], level: Level | None = None) -> str:
    """`text` after all steps, in this order; `level` is the speech level that answers are to hold."""
    for step in steps:
        text = find("core.finishing", step).apply(text, level)
    return text
