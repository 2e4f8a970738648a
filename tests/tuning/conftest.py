"""A search whose trials cost nothing: data of a tiny world, values computed from the settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.run import Run
from dadeum.tuning import worker as worker_module
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.record import Look
from dadeum.tuning.search import begin
from dadeum.tuning.space import defaults
from dadeum.tuning.study import Pace
from dadeum.tuning.trial import Outcome
from dadeum.tuning.worker import Orders, Worker
from tests.tiny import decide_recipe, write_splits

RATE = {"stages.sft.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}}
PACE = Pace(beat_s=1, grace_s=3)


def searched(space: dict[str, Any] | None = None, base: str = "base", **more: Any) -> Any:
    return decide_recipe(base, tune={"space": space or RATE, "objectives": ["eval_loss"], "trials": 4} | more)


def lay_ground(recipe: Any, path: Path) -> SearchFolder:
    """A begun search whose rows lie there, built by nobody."""
    folder = begin(recipe, path)
    write_splits(Run.create(recipe, folder.ground(0)))
    return folder


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Worker]:
    """A worker in this process; `trial(params, look)` stands in for training and returns the loss."""

    def make(
        trial: Callable[..., float] = lambda params, look: params["stages.sft.learning_rate"],
        recipe: Any = None,
        deadline: float | None = None,
    ) -> Worker:
        def run_trial(recipe: Any, ground: Any, folder: Path, objectives: Any, look: Any, progress: Any) -> Outcome:
            progress("train.progress", 0, 1)
            value = trial(defaults(recipe), lambda percent, loss: look(Look(percent=percent, loss=loss)))
            return Outcome((value,), 0.1, 100.0, ())

        monkeypatch.setattr(worker_module, "run_trial", run_trial)
        folder = SearchFolder(tmp_path / "search")
        if not folder.path.exists():
            lay_ground(recipe or searched(), folder.path)
        return Worker(Orders(folder.path, folder.storage_url, "study", 0, deadline, PACE))

    return make
