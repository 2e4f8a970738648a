"""How a step tells how far it is, without knowing who listens (terminal, studio, nobody)."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""(what is being done, items done, items in all); called often, must be cheap."""


def silent(stage: str, done: int, total: int) -> None:
    """Nobody listens."""
