"""A judge on localhost that speaks /v1/chat/completions: deterministic, with a bias and bad days to order.

It knows how good an answer is by a number in it: "[3]" is worth 3. Its replies follow from the question alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], Any]
"""Status, headers, body: a JSON value, or text that is sent as it is."""


@dataclass
class FakeJudge:
    """What the judge is like; `requests` is what it was sent."""

    first_is_better_by: float = 0.0
    """Added to the worth of the answer shown first."""
    again_differs_by: int = 0
    """Added to ratings when the criteria come in reverse."""
    bad_day: Callable[[int, dict[str, Any]], Reply | None] = lambda number, request: None
    """(number of the request from 0, body) → another reply than the judge's; None for the judge's own."""
    wrap: Callable[[str], str] = lambda text: text
    """What stands around its JSON."""
    slow_s: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def answer(self, request: dict[str, Any]) -> str:
        material = json.loads(request["messages"][1]["content"])
        if "answer" in material:
            told = request["messages"][0]["content"]
            criteria = re.findall(r"^\[(\w+)\]", told, re.MULTILINE)
            again = self.again_differs_by if criteria == sorted(criteria, reverse=True) else 0
            rating = max(0, min(5, round(worth(material["answer"])) + again))
            return self.wrap(json.dumps(dict.fromkeys(criteria, rating)))
        difference = worth(material["answer_A"]) + self.first_is_better_by - worth(material["answer_B"])
        better = "tie" if difference == 0 else "A" if difference > 0 else "B"
        return self.wrap(json.dumps({"better": better}))


def worth(answer: str) -> float:
    found = re.search(r"\[([\d.]+)\]", answer)
    return float(found[1]) if found else int(hashlib.sha256(answer.encode()).hexdigest(), 16) % 6


@contextmanager
def serving(judge: FakeJudge) -> Iterator[FakeJudge]:
    """The judge at `judge.url` for as long as the block lasts."""

    class Ears(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body are two packets; the second waited 40 ms for the first

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with judge.lock:
                number = len(judge.requests)
                judge.requests.append(request | {"path": self.path})
                judge.headers.append({name.lower(): value for name, value in self.headers.items()})
            time.sleep(judge.slow_s)
            status, headers, body = judge.bad_day(number, request) or (200, {}, completion(judge.answer(request)))
            sent = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hung up is part of the tests."""

    server = Quiet(("127.0.0.1", 0), Ears)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    judge.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield judge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def completion(text: str) -> dict[str, Any]:
    return {
        "id": "c", "object": "chat.completion", "created": 0, "model": "fake",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
    }  # fmt: skip


def failure(status: int, message: str = "no", **headers: str) -> Reply:
    return status, headers, {"error": {"message": message, "type": "x"}}
