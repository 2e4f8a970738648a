from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dadeum.tuning.lifeline import end_all
from tests.tuning import living


def wait_for(is_there: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not is_there() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_there()


@contextmanager
def parent(mark: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.tuning.living", str(mark)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert wait_for(mark.exists)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_worker_ends_when_its_parent_is_killed_and_writes_down_what_it_did(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with parent(mark) as process:
        process.kill()
        assert wait_for(lambda: mark.read_text() == "ended in peace")


def test_ctrl_c_in_the_terminal_reaches_the_parent_only(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with parent(mark) as process:
        for _ in range(3):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.1)
        time.sleep(0.5)
        assert mark.read_text() == "begun"


def test_a_worker_that_is_asked_twice_ends_in_peace_all_the_same(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    process = multiprocessing.get_context("spawn").Process(target=living.worker, args=(str(mark),), daemon=True)
    process.start()
    assert wait_for(mark.exists)
    process.terminate()
    time.sleep(0.1)
    started = time.monotonic()
    end_all([process])
    assert not process.is_alive()
    assert time.monotonic() - started < 5
    assert mark.read_text() == "ended in peace"
