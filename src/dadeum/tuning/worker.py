"""One worker of a search: trial after trial, in a process of its own, until nothing is left to do.

What the first trial loads (libraries, base, tokens of the rows) the next ones find there. A mistake, also a lack of
memory, ends its trial and no other; a worker that is killed is replaced (supervise.py), and its trial tried again.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from dadeum.core.errors import DadeumError, first_line
from dadeum.core.messages import current_language, text
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import load_recipe
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.ground import Ground
from dadeum.tuning.lifeline import end_with_parent, is_over
from dadeum.tuning.objectives import objectives_of
from dadeum.tuning.record import Look, Objective, Params
from dadeum.tuning.space import changed, num_settings, settings, tune_of
from dadeum.tuning.study import Book, Pace, open_storage, open_study, sampler_of, seed_of, suggested
from dadeum.tuning.trial import Outcome, forget_checkpoints, forget_weights, let_go, run_trial

MISTAKES = (DadeumError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError,
            MemoryError, AssertionError, ImportError)  # fmt: skip
"""What a trial may end with and the search goes on."""
_FAILING = 3
"""So many failures and nothing else: there is a mistake that no setting can heal."""
MOST_COUNTED = 10_000
"""Spaces up to so many settings are listed, to know what is left of them."""
AGAIN = 75
"""Exit code of a worker that wants to go on in a new process."""
End = Literal["trials", "timeout", "exhausted", "failing", "again"]


class Skipped(Exception):
    """A proposal that is not run: it is known already, or others took the last place."""


class Failed(Exception):
    """A trial that ended with a mistake of its own."""


@dataclass(frozen=True)
class Orders:
    """What a worker is told when it starts; travels between processes."""

    folder: Path
    storage: str
    study: str
    index: int
    deadline: float | None = None
    """Seconds since the epoch after which no trial goes on."""
    pace: Pace = field(default_factory=Pace)


def work(orders: Orders) -> None:
    """A process's whole life. What it says goes into a file of the search."""
    from dadeum.models.kept import keeping
    from dadeum.terminal import prepare_models

    log = orders.folder / "workers" / f"{orders.index}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    stream = log.open("a", encoding="utf-8")
    for descriptor in (1, 2):
        os.dup2(stream.fileno(), descriptor)
    try:
        end_with_parent()
        prepare_models()
        with keeping():
            if Worker(orders).run() == "again":
                sys.exit(AGAIN)
    except KeyboardInterrupt:
        sys.exit(130)


class Worker:
    """Draws settings, runs them, writes down what came of it."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.folder = SearchFolder(orders.folder)
        self.recipe: Recipe = load_recipe(self.folder.recipe_path)
        self.tune = tune_of(self.recipe)
        self.objectives: tuple[Objective, ...] = objectives_of(self.recipe)
        self.ground = Ground(self.recipe, self.folder)
        self.storage = open_storage(orders.storage, orders.pace)
        self.study = open_study(self.storage, orders.study, self.recipe, self.objectives, self.ground.digest)
        self.all_settings = list(settings(self.tune)) if num_settings(self.tune) <= MOST_COUNTED else None

    def run(self) -> End:
        """Until the search is over; why it is."""
        while not is_over():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                optuna.storages.fail_stale_trials(self.study)
            book = Book.of(self.study)
            if (end := self._ended(book)) is not None:
                return end
            if len(book.counted) >= self.tune.trials and not book.has_waiting:
                # Others are still at it; what they leave if they die is for us.
                time.sleep(min(1.0, self.orders.pace.beat_s))
                continue
            self.study.sampler = sampler_of(self.recipe, len(book.trials), self.orders.index)
            self.study.optimize(self._objective, n_trials=1, catch=(Failed, Skipped))
            if self._needs_fresh_process:
                return "again"
        raise KeyboardInterrupt

    @property
    def _needs_fresh_process(self) -> bool:
        """Where memory is an objective: on a CPU a process's peak holds what earlier trials left."""
        import torch

        measured = any(one.name == "peak_memory_mb" for one in self.objectives)
        return measured and not torch.cuda.is_available()

    def _ended(self, book: Book) -> End | None:
        if self.is_late:
            return "timeout"
        counted = book.counted
        if is_failing(counted):
            return "failing"
        if book.running or book.has_waiting:
            return None
        if len(counted) >= self.tune.trials:
            return "trials"
        if self.all_settings is not None and not book.untried(self.all_settings):
            return "exhausted"
        return None

    @property
    def is_late(self) -> bool:
        return self.orders.deadline is not None and time.time() >= self.orders.deadline

    # -- one trial ----------------------------------------------------------------------------------
    def _objective(self, trial: optuna.Trial) -> tuple[float, ...]:
        params = suggested(trial, self.tune)
        self._skip_known(trial, params)
        trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
        folder = self.folder.trial(trial.number)
        try:
            outcome = self._run(trial, params, folder)
        except optuna.TrialPruned:
            raise
        except KeyboardInterrupt:
            trial.set_user_attr("interrupted", True)
            raise
        except MISTAKES as error:
            trial.set_user_attr("failed", _reason(error))
            raise Failed(str(error)) from error
        finally:
            (forget_checkpoints if self._weights_serve_others else forget_weights)(folder)
            let_go()
        self._write_down(trial, outcome)
        return outcome.values

    def _skip_known(self, trial: optuna.Trial, params: Params) -> None:
        """A setting is run once; where settings can be counted, one that nobody has tried comes next instead."""
        book = Book.of(self.study)
        if book.is_surplus(trial.number, self.tune.trials):
            trial.set_user_attr("surplus", True)
            raise Skipped
        known = book.same_as(trial.number, params)
        if known is None:
            return
        trial.set_user_attr("duplicate_of", known)
        left = book.untried(self.all_settings) if self.all_settings is not None else []
        if left:
            self.study.enqueue_trial(left[seed_of(self.recipe, "untried", trial.number) % len(left)])
        raise Skipped

    def _run(self, trial: optuna.Trial, params: Params, folder: Path) -> Outcome:
        looks: list[list[float]] = []
        sign = -1 if self.objectives[0].direction == "maximize" else 1

        def look(seen: Look) -> None:
            looks.append([seen.percent, seen.loss])
            trial.set_user_attr("looks", looks)
            if len(self.objectives) > 1:
                return
            trial.report(sign * seen.loss, seen.percent)
            # The recipe's own settings go to the end: what is found must be better than they are.
            if seen.percent < 100 and not trial.user_attrs.get("default") and trial.should_prune():
                raise optuna.TrialPruned

        def in_time(stage: str, done: int, total: int) -> None:
            if is_over():
                raise KeyboardInterrupt
            if self.is_late:
                trial.set_user_attr("out_of_time", True)
                raise optuna.TrialPruned

        recipe = changed(self.recipe, params)
        return run_trial(recipe, self.ground, folder, self.objectives, look, in_time)

    @property
    def _weights_serve_others(self) -> bool:
        """Where the way of writing is searched too, the same weights may be judged again."""
        return any(key.startswith("generation.") for key in self.tune.space)

    def _write_down(self, trial: optuna.Trial, outcome: Outcome) -> None:
        trial.set_user_attr("seconds", round(outcome.seconds, 2))
        trial.set_user_attr("peak_memory_mb", outcome.peak_memory_mb)
        trial.set_user_attr("looks", [[look.percent, look.loss] for look in outcome.looks])
        if outcome.same_training_as is not None:
            trial.set_user_attr("same_training_as", outcome.same_training_as)


def is_failing(counted: list[optuna.trial.FrozenTrial]) -> bool:
    """Whether the first trials have all failed."""
    ended = [trial for trial in counted if trial.state != TrialState.RUNNING]
    return len(ended) >= _FAILING and all(trial.state == TrialState.FAIL for trial in ended)


def _reason(error: BaseException) -> str:
    from dadeum.training.out_of_memory import is_out_of_memory

    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and is_out_of_memory(error)):
        return text("tune.failed.memory", detail=first_line(error))
    if isinstance(error, DadeumError):
        return error.in_language(current_language())
    return first_line(error) or type(error).__name__


def tell_dead(study: optuna.Study, worker: str) -> list[int]:
    """Fail at once what a worker left that is known to be dead, and have it tried again; trial numbers."""
    found = [trial for trial in Book.of(study).running if trial.user_attrs.get("worker") == worker]
    storage: Any = study._storage
    for trial in found:
        try:
            changed_state = storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
        except optuna.exceptions.UpdateFinishedTrialError:
            continue  # it ended in time, or somebody else was faster
        if changed_state:
            storage.get_heartbeat_stale_trial_callback()(study, storage.get_trial(trial._trial_id))
    return [trial.number for trial in found]
