"""kill -9 while it writes: whatever was told to be written is in the database."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from dadeum.gateway.store.log import SqlStore
from tests.gateway.store.databases import settings

_WRITES = """
import sys, threading
from pathlib import Path
from tests.gateway.store.databases import entry, settings
from dadeum.gateway.store.log import SqlStore
store = SqlStore(settings(sys.argv[1], keep_content=True), Path(sys.argv[2]))
def write(writer):
    for number in range(100_000):
        name = f"w{writer}-{number:06}"
        store.record(entry(name, answer="답 " * 200))
        sys.stdout.write(name + "\\n")
        sys.stdout.flush()
for writer in range(4):
    threading.Thread(target=write, args=(writer,)).start()
"""
_SEED = 7


def test_killed_while_writing_and_read_it_loses_nothing_that_was_told(database, tmp_path):
    """Four writers, a reader beside, the process killed in the midst; the next one goes on with the same file."""
    draws = random.Random(_SEED)
    SqlStore(settings(database), tmp_path).close()
    reader = SqlStore.reading(database)
    done = threading.Event()
    read: list[int] = []

    def look():
        while not done.wait(0.02):
            read.append(sum(1 for _ in reader.entries()))

    looking = threading.Thread(target=look)
    looking.start()
    started = subprocess.Popen(
        [sys.executable, "-c", _WRITES, database, str(tmp_path)], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE
    )
    told = [started.stdout.readline()]  # it writes now
    threading.Timer(draws.uniform(0.2, 0.6), started.kill).start()
    told += started.stdout.readlines()
    started.wait(20)
    time.sleep(0.1)
    done.set()
    looking.join()
    names = {line.decode().strip() for line in told if line.endswith(b"\n")}
    assert started.returncode == -9
    assert len(names) > 10
    assert read == sorted(read)
    again = SqlStore(settings(database), tmp_path)
    found = [one.request_id for one in again.entries()]
    assert names <= set(found)
    assert len(found) == len(set(found))
    assert again.ready()
    again.close()
    reader.close()
