"""`dadeum serve` as people start it: a process of its own, a key, the openai client, and the end of it."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from dadeum.core.run import Run, read_jsonl, write_jsonl
from dadeum.gateway.keys import KeyRing
from tests.tiny import evaluated_decider

PATIENCE_S = 120


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("served")
    return evaluated_decider(root)


def command(run: Run, place: Path, *options: str) -> list[str]:
    files = ["--keys", str(place / "keys.json"), "--database", f"sqlite:///{place}/requests.db"]
    return [sys.executable, "-m", "dadeum", "serve", str(run.folder), *files, *options]


class Server:
    """The process, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.lines = process, queue.Queue[str]()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def until(self, said: str) -> str:
        """The line with these words; everything that was said where it never comes."""
        seen, end = [], time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            line = self.lines.get(timeout=PATIENCE_S)
            seen.append(line)
            if re.search(said, line):
                return line
            if not line:
                break
        raise AssertionError(f"{said!r} was never said:\n{''.join(seen)}")


@contextmanager
def started(run: Run, place: Path, *options: str) -> Iterator[Server]:
    process = subprocess.Popen(
        command(run, place, "--port", "0", *options), cwd=place, text=True, env=os.environ | {"DADEUM_LANG": "en"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Server(process)
    finally:
        process.kill()
        process.wait()


def test_a_run_is_served_verified_and_called_by_openai_s_own_client(run: Run, tmp_path: Path) -> None:
    from openai import OpenAI

    with started(run, tmp_path, "--verify") as server:
        address = re.search(r"http://\S+?(?=\.?\s)", server.until("Listening at"))
        assert address
        server.until("keys create")
        server.until("Ready")
        assert httpx.get(f"{address[0]}/readyz").status_code == 200
        assert httpx.get(f"{address[0]}/v1/models").status_code == 401
        secret, _ = KeyRing(tmp_path / "keys.json").create("me", ("infer", "feedback"))
        client = OpenAI(base_url=f"{address[0]}/v1", api_key=secret)
        names = {model.id for model in client.models.list()}
        assert "mail" in " ".join(names) or len(names) >= 1
        row = json.loads(json.dumps({"subject": "무료 상담 안내"}))
        headers = {"Authorization": f"Bearer {secret}"}
        decided = httpx.post(f"{address[0]}/v1/tasks/decide", json=row, headers=headers)
        assert decided.status_code == 200, decided.text
        assert decided.json()["action"] in ("BLOCK", "ALLOW")
        assert 0 < decided.json()["confidence"] <= 1
        said = httpx.post(
            f"{address[0]}/v1/feedback", headers=headers,
            json={"request_id": decided.json()["request_id"], "label": "BLOCK"},
        )  # fmt: skip
        assert said.status_code == 200, said.text
        server.process.send_signal(signal.SIGINT)
        server.until("service has stopped")
        assert server.process.wait(PATIENCE_S) == 0


def test_a_run_that_answers_otherwise_than_it_was_judged_is_not_opened(run: Run, tmp_path: Path) -> None:
    kept = read_jsonl(run.samples_path)
    changed = [
        row | {"probabilities": {name: 1 - value for name, value in row["probabilities"].items()}}
        if "probabilities" in row else row | {"confidence": 0.5}
        for row in kept
    ]  # fmt: skip
    try:
        write_jsonl(run.samples_path, changed)
        with started(run, tmp_path, "--verify") as server:
            server.until("not opened")
            assert server.process.wait(PATIENCE_S) == 1
    finally:
        write_jsonl(run.samples_path, kept)


def test_what_cannot_be_opened_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dadeum: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DADEUM_LANG", "en")

    def refused(*options: str) -> str:
        code, out, err = dadeum(*command(run, tmp_path, *options)[3:])
        assert code == 2, out + err
        return out + err

    assert "key" in refused("--host", "0.0.0.0", "--port", "0")
    kept = run.samples_path.rename(run.folder / "kept.jsonl")
    try:
        not_evaluated = refused("--verify", "--port", "0")
    finally:
        kept.rename(run.samples_path)
    assert "dadeum evaluate" in not_evaluated and "Traceback" not in not_evaluated
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in refused("--port", port)
