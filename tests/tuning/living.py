"""A parent with a worker that waits for its end, without a search: `python -m tests.tuning.living MARK`."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from pathlib import Path

from dadeum.tuning.lifeline import deaf_to_ctrl_c, end_with_parent


def worker(mark: str) -> None:
    try:
        end_with_parent()
        Path(mark).write_text("begun")
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.3)  # what it was doing takes a while to write down
        Path(mark).write_text("ended in peace")


def main(mark: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=worker, args=(mark,), daemon=True)
    signal.signal(signal.SIGINT, lambda number, frame: None)
    with deaf_to_ctrl_c():
        process.start()
    print(process.pid, flush=True)
    for _ in range(600):
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
