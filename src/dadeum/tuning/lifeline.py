"""How the processes of a search end: workers at their parent's word, or when it is gone, and never by Ctrl-C directly.

A terminal sends Ctrl-C to all of them at once; a worker that is hit while it imports would print a traceback, and one
that is hit twice would not get to write down what it was doing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import NoReturn

GOODBYE_S = 10.0
"""How long a worker may take to write down what it was doing."""


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started inside never hear it; our own comes through after the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_over = threading.Event()


def is_over() -> bool:
    """Whether this worker was told to end; asked at every step of a training.

    The exception that a signal raises is lost where a callback of the garbage collection happens to run.
    """
    return _over.is_set()


def end_with_parent() -> None:
    """In a worker: the parent's word, or its death, is a KeyboardInterrupt here. Once: the trial is marked in peace."""

    def asked(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _over.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, asked)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is None:
            return
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GOODBYE_S)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def end_all(workers: Iterable[BaseProcess]) -> None:
    """Ask them to end, wait, then kill what is left. Whoever cannot wait presses Ctrl-C again."""
    running = [worker for worker in workers if worker.is_alive()]
    for worker in running:
        worker.terminate()
    deadline = time.monotonic() + GOODBYE_S
    try:
        for worker in running:
            worker.join(max(0.0, deadline - time.monotonic()))
    finally:
        for worker in running:
            if worker.is_alive():
                worker.kill()
            worker.join()
