"""Early stopping on the validation loss or the training loss, and what is kept when it stops."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from dadeum.core.recipe import EarlyStopping


class StopWhenStale(TrainerCallback):
    """Stops after `patience` logged values without one that is `min_delta` below the best that counted.

    Everything is read from the trainer's log, which checkpoints keep: a resumed run stops where an uninterrupted one
    would have. transformers' own callback forgets its count, and knows validation only.
    """

    def __init__(self, settings: EarlyStopping) -> None:
        self.settings = settings

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if self.settings.metric in (logs or {}):
            values = [entry[self.settings.metric] for entry in state.log_history if self.settings.metric in entry]
            control.should_training_stop |= stale(values, self.settings.min_delta) >= self.settings.patience


def stale(values: list[float], min_delta: float) -> int:
    """How many values there were since the last new best."""
    best, since = float("inf"), 0
    for value in values:
        if value < best - min_delta:
            best, since = value, 0
        else:
            since += 1
    return since
