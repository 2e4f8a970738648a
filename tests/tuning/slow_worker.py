"""A worker in a process of its own whose trials only wait: `python -m tests.tuning.slow_worker FOLDER URL INDEX S`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from dadeum.tuning import worker
from dadeum.tuning.trial import Outcome
from dadeum.tuning.worker import Orders, Worker
from tests.tuning.conftest import PACE


def main(folder: str, url: str, index: str, seconds: str) -> None:
    def run_trial(recipe: Any, ground: Any, folder: Path, objectives: Any, look: Any, progress: Any) -> Outcome:
        print("begun", flush=True)
        time.sleep(float(seconds))
        return Outcome((recipe.stages[0].learning_rate,), float(seconds), 1.0, ())

    worker.run_trial = run_trial
    print(Worker(Orders(Path(folder), url, "shared", int(index), None, PACE)).run())


if __name__ == "__main__":
    main(*sys.argv[1:])
