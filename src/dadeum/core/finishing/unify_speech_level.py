"""Every sentence in one speech level: the recipe's, or the commonest of the training answers."""

from __future__ import annotations

from dadeum.core.korean_levels import in_level
from dadeum.core.speech import Level


def apply(text: str, level: Level | None = None) -> str:
    """What cannot be changed safely stays, and so does everything where no level is wanted."""
    return text if level is None else in_level(text, level)
