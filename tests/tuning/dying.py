"""Workers as `supervise` starts them, whose first trials take the process along or whose trials cost nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from dadeum.tuning import worker
from dadeum.tuning.trial import Outcome
from dadeum.tuning.worker import Orders, Worker


def dies_once(orders: Orders) -> None:
    """As the kernel ends a process that wants too much memory, in the second trial."""
    mark = orders.folder / "has_died"

    def run_trial(recipe: Any, ground: Any, folder: Path, objectives: Any, look: Any, progress: Any) -> Outcome:
        if folder.name == "1" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome((recipe.stages[0].learning_rate,), 0.1, 1.0, ())

    worker.run_trial = run_trial
    Worker(orders).run()


def dies_at_once(orders: Orders) -> None:
    os._exit(3)


def waits(orders: Orders) -> None:
    """In its second trial, for somebody to press Ctrl-C."""
    import time

    from dadeum.tuning.lifeline import end_with_parent

    end_with_parent()

    def run_trial(recipe: Any, ground: Any, folder: Path, objectives: Any, look: Any, progress: Any) -> Outcome:
        if folder.name == "1":
            time.sleep(60)
        return Outcome((recipe.stages[0].learning_rate,), 0.1, 1.0, ())

    worker.run_trial = run_trial
    Worker(orders).run()
