"""The parent of a search: starts workers, replaces those that die, tells how far it is, and reads what came of it."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess

import optuna

from dadeum.core.errors import RunError
from dadeum.core.tune import Tune
from dadeum.models.threads import num_cores
from dadeum.tuning.lifeline import deaf_to_ctrl_c, end_all
from dadeum.tuning.study import Book
from dadeum.tuning.worker import AGAIN, Orders, is_failing, tell_dead, work

_DEATHS = 5
"""Workers that may die of themselves before the search gives up."""
_POLL_S = 0.5


@dataclass(frozen=True)
class State:
    """How far a search is."""

    complete: int
    pruned: int
    failed: int
    running: int
    trials: int
    best: float | None
    """Of the first objective."""
    best_number: int | None
    seconds_left: float | None
    """An estimate from the trials that have ended; None before the first."""


Told = Callable[[State], None]


def supervise(study: optuna.Study, orders: Orders, tune: Tune, workers: int, told: Told) -> int:
    """Run workers until each has ended by itself; how many had to be replaced. RunError when they keep dying."""
    deaths = 0
    with _workers(orders, workers) as running:
        while running:
            told(state_of(study, tune, workers, orders.deadline))
            time.sleep(_POLL_S)
            for index, process in list(running.items()):
                if process.is_alive():
                    continue
                del running[index]
                if process.exitcode == 0:
                    continue
                if process.exitcode == AGAIN:
                    running[index] = _start(replace(orders, index=index), workers)
                    continue
                deaths += 1
                tell_dead(study, _name(process))
                if deaths > _DEATHS or _never_worked(study, orders):
                    log = orders.folder / "workers" / f"{index}.log"
                    raise RunError("tune.workers_die", deaths=deaths, code=process.exitcode, log=log)
                running[index] = _start(replace(orders, index=index), workers)
    told(state_of(study, tune, workers, orders.deadline))
    return deaths


def _never_worked(study: optuna.Study, orders: Orders) -> bool:
    """A worker that dies before its first trial does so for a reason that a second one would meet too."""
    return not Book.of(study).counted


def _name(process: BaseProcess) -> str:
    import socket

    return f"{socket.gethostname()}:{process.pid}"


def _start(orders: Orders, workers: int) -> BaseProcess:
    # Not forked: torch and CUDA do not survive that. Not a daemon: such may not have data loaders of their own.
    process = multiprocessing.get_context("spawn").Process(target=work, args=(orders,))
    with _share_of_machine(orders.index, workers), deaf_to_ctrl_c():
        process.start()
    return process


@contextmanager
def _share_of_machine(index: int, workers: int) -> Iterator[None]:
    """What a process that starts here takes for the whole machine; what the user has set stays.

    Two trainings that each take all cores slow each other down far more than by half.
    """
    import torch

    given: dict[str, str] = {}
    if workers > 1:
        given["OMP_NUM_THREADS"] = str(max(1, num_cores() // workers))
        if (devices := torch.cuda.device_count()) > 1:
            given["CUDA_VISIBLE_DEVICES"] = str(index % devices)
    given = {name: value for name, value in given.items() if name not in os.environ}
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            del os.environ[name]


@contextmanager
def _workers(orders: Orders, number: int) -> Iterator[dict[int, BaseProcess]]:
    """They end with the block, whichever way that is left."""
    running: dict[int, BaseProcess] = {}
    try:
        for index in range(number):
            running[index] = _start(replace(orders, index=index), number)
        yield running
    finally:
        end_all(running.values())


def state_of(study: optuna.Study, tune: Tune, workers: int, deadline: float | None) -> State:
    from optuna.trial import TrialState

    counted = Book.of(study).counted
    by_state = {state: [trial for trial in counted if trial.state == state] for state in TrialState}
    complete = by_state[TrialState.COMPLETE]
    sign = -1 if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else 1
    best = min(complete, key=lambda trial: sign * trial.values[0], default=None)
    ended = [trial for trial in counted if trial.duration is not None]
    left = None
    if ended:
        each = sum(trial.duration.total_seconds() for trial in ended if trial.duration) / len(ended)
        left = each * max(tune.trials - len(ended), 0) / workers
        if deadline is not None:
            left = min(left, max(deadline - time.time(), 0.0))
    return State(
        complete=len(complete),
        pruned=len(by_state[TrialState.PRUNED]),
        failed=len(by_state[TrialState.FAIL]),
        running=len(by_state[TrialState.RUNNING]),
        trials=tune.trials,
        best=None if best is None else best.values[0],
        best_number=None if best is None else best.number,
        seconds_left=0.0 if is_failing(counted) else left,
    )
