"""How a step tells how far it is, without knowing who listens (terminal, studio, nobody)."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""(what is being done, items done, items in all); called often, must be cheap."""


def silent(stage: str, done: int, total: int) -> None:
    """Nobody listens."""


def counter(progress: Progress, stage: str, total: int) -> Callable[[int], None]:
    """Called with how many items are newly done; tells `progress` how many are done in all."""
    done = 0

    def count(newly: int) -> None:
        nonlocal done
        done += newly
        progress(stage, done, total)

    progress(stage, 0, total)
    return count
