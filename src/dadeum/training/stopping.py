"""Early stopping on the validation loss or the training loss, and what is kept when it stops."""

from __future__ import annotations

import logging
from typing import Any

from transformers import TrainerCallback

from dadeum.core.messages import text
from dadeum.core.stages import AnyStage, EarlyStopping

log = logging.getLogger(__name__)


def stopping(stage: AnyStage, has_validation: bool) -> list[TrainerCallback]:
    """Early stopping where there is something to judge by; what cannot be done is said."""
    if stage.early_stopping is None:
        return []
    if not has_validation:
        on_validation = stage.early_stopping.metric == "eval_loss"
        key = "train.stopping.no_validation" if on_validation else "train.stopping.kept_last"
        log.warning(text(key, stage=stage.name))
        if on_validation:
            return []
    return [StopWhenStale(stage.early_stopping)]


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
