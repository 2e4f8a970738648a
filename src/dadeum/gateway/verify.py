"""Deploy check: a run's own test rows through HTTP, held against what `evaluate` wrote down about them.

Labels, probabilities and texts must come back as they stand in evaluation/samples.jsonl, and the figures of the replies
must be those of scores.json: what was judged is what is served. Nothing of it is logged or counted.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from dadeum.core.messages import Message
from dadeum.core.progress import Progress, silent
from dadeum.core.task import Decide
from dadeum.evaluation.decide.calibration import reliability
from dadeum.evaluation.decide.scorers import accuracy_of_counts, confusion, macro_f1_of_counts
from dadeum.gateway.catalogue import ServedModel, served
from dadeum.gateway.replay import Replay, Row, rows_of
from dadeum.gateway.state import Assigned, Caller, Gateway
from dadeum.gateway.store.entries import Entry, Feedback

TOLERANCE = {"fp32": 1e-4, "half": 1e-3}
"""Of a probability; in half precision rows of another batch are rounded otherwise."""
SHOWN = 3
_AT_ONCE = 4
_TRIES = 5
_LONGEST_WAIT_S = 20.0


@dataclass(frozen=True)
class Difference:
    """One row, or one figure, that came back otherwise."""

    id: str
    what: str
    """label, probability, text, status, or the name of a figure."""
    offline: str
    online: str

    def message(self) -> Message:
        return Message("gateway.verify.difference", vars(self))


@dataclass(frozen=True)
class Verified:
    version: str
    num_rows: int
    """That were replayed."""
    num_different: int
    """Rows and figures."""
    differences: tuple[Difference, ...] = ()
    """The first three."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Why rows could not be replayed → how many."""
    largest: float = 0.0
    """Largest difference of a probability."""

    @property
    def passed(self) -> bool:
        return self.num_different == 0

    def messages(self) -> list[Message]:
        """What to tell people, the outcome first."""
        key = ("same" if self.num_rows else "nothing") if self.passed else "different"
        values = {"version": self.version, "num": self.num_rows, "different": self.num_different}
        told = [Message(f"gateway.verify.{key}", values)]
        told += [one.message() for one in self.differences]
        return told + [Message(f"gateway.verify.skipped.{why}", {"num": num}) for why, num in self.skipped.items()]


def verify(folder: str | Path, base_url: str, key: str, progress: Progress = silent) -> Verified:
    """The run in `folder` as the server at `base_url` (up to the port) answers for it."""

    async def work() -> Verified:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=300.0) as client:
            return await verified(served(Path(folder)), client, None, progress)

    return asyncio.run(work())


async def verify_served(
    gateway: Gateway, model: ServedModel, replay: Replay | None = None, progress: Progress = silent
) -> Verified:
    """The same before a server listens: all of its routes, in this process, without its log, keys and variants."""
    async with _in_process(gateway) as client:
        return await verified(model, client, replay, progress)


async def verified(
    model: ServedModel, client: httpx.AsyncClient, replay: Replay | None = None, progress: Progress = silent
) -> Verified:
    """RunError for a run that was not evaluated since it was trained, or whose test rows are others by now."""
    rows, skipped, figures = await asyncio.to_thread(rows_of, model) if replay is None else replay
    limit, done = asyncio.Semaphore(_AT_ONCE), 0

    async def one(row: Row) -> Any:
        nonlocal done
        async with limit:
            found = await _reply(client, row)
        done += 1
        progress("gateway.verify.progress", done, len(rows))
        return found

    replies = await asyncio.gather(*(one(row) for row in rows))
    tolerance = TOLERANCE["fp32" if model.recipe.model.precision == "fp32" else "half"]
    found = [difference for row, reply in zip(rows, replies, strict=True)
             if (difference := _compared(row, reply, tolerance))]  # fmt: skip
    found += _figures(model, rows, replies, figures, tolerance)
    largest = max((_distance(row, reply) for row, reply in zip(rows, replies, strict=True)), default=0.0)
    return Verified(model.version, len(rows), len(found), tuple(found[:SHOWN]), skipped, largest)


# -- over HTTP ------------------------------------------------------------------------------------
async def _reply(client: httpx.AsyncClient, row: Row) -> Any:
    """What the route answered, or its refusal as `{"status": …, "error": …}`; a server that is full is asked again."""
    for _ in range(_TRIES):
        response = await client.post(row.route, json=row.body)
        if response.status_code not in (429, 503):
            break
        await asyncio.sleep(min(_LONGEST_WAIT_S, float(response.headers.get("retry-after", 1))))
    try:
        found = response.json()
    except ValueError:
        found = {}
    return found if response.status_code == 200 else {"status": response.status_code} | dict(found)


@asynccontextmanager
async def _in_process(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    from dadeum.gateway.api.app import create_app

    key = secrets.token_urlsafe()
    parts: dict[str, Any] = {
        "store": _NoLog(), "keys": _OneKey(key), "figures": _NoFigures(), "traffic": _Straight(gateway),
    }  # fmt: skip
    app = create_app(replace(gateway, **parts))
    hosts = getattr(gateway.settings, "hosts", None) or ("127.0.0.1",)
    transport = httpx.ASGITransport(app)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{hosts[0]}", headers=headers) as client:
        yield client


class _NoLog:
    def record(self, entry: Entry) -> None: ...

    def say(self, feedback: Feedback) -> bool:
        return False

    def ready(self) -> bool:
        return True


@dataclass(frozen=True)
class _OneKey:
    key: str

    def caller(self, authorization: str | None) -> Caller | None:
        is_ours = secrets.compare_digest((authorization or "").encode(), f"Bearer {self.key}".encode())
        return Caller("verify", frozenset({"infer"})) if is_ours else None

    def admit(self, caller: Caller, tokens: int) -> float:
        return 0.0


class _NoFigures:
    def request(self, entry: Entry) -> None: ...

    def refused(self, route: str, status: int, reason: str) -> None: ...


@dataclass(frozen=True)
class _Straight:
    """Versions by their name, whatever experiment is on."""

    gateway: Gateway

    def assign(self, asked: str, user: str) -> Assigned | None:
        found = self.gateway.engine.catalogue.find(asked)
        return Assigned(found) if found else None


# -- the same? ------------------------------------------------------------------------------------
def _compared(row: Row, reply: Any, tolerance: float) -> Difference | None:
    if "status" in reply:
        said = (reply.get("error") or {}).get("message", "")
        return Difference(row.id, "status", "200", f"{reply['status']} {said}")
    if row.probabilities is None:
        online = row.text_of(reply)
        return None if online == row.expected else Difference(row.id, "text", _quoted(row.expected), _quoted(online))
    if (label := reply.get(row.label_key)) != row.expected:
        return Difference(row.id, "label", row.expected, str(label))
    if (distance := _distance(row, reply)) > tolerance:
        now = {name: reply["probabilities"].get(name) for name in row.probabilities}
        return Difference(row.id, "probability", str(row.probabilities), f"{now} ({distance:.2g})")
    return None


def _distance(row: Row, reply: Any) -> float:
    """Largest difference of a probability; 0 for texts and refusals."""
    if row.probabilities is None or "probabilities" not in reply:
        return 0.0
    told: dict[str, float] = reply["probabilities"]
    return max(abs(share - told.get(name, 0.0)) for name, share in row.probabilities.items())


def _quoted(said: str) -> str:
    return repr(said if len(said) <= 80 else said[:80] + "…")


def _figures(
    model: ServedModel, rows: Sequence[Row], replies: Sequence[Any], offline: dict[str, float], tolerance: float
) -> list[Difference]:
    """Figures of decisions from the replies alone; those of texts are functions of texts that were compared."""
    task = model.recipe.task
    if not isinstance(task, Decide) or not offline or any("probabilities" not in reply for reply in replies):
        return []
    gold = np.array([task.labels.index(row.gold) for row in rows])
    said = np.array([[reply["probabilities"][label] for label in task.labels] for reply in replies])
    predicted = said.argmax(1)
    table = confusion(gold, predicted, len(task.labels))
    cells = np.argwhere(table > 0)
    counts = table[tuple(cells.T)][None]
    found = reliability(said, gold)
    online = {
        "accuracy": float(accuracy_of_counts(counts, *cells.T)[0]),
        "macro_f1": float(macro_f1_of_counts(counts, cells[:, 0], cells[:, 1], len(task.labels))[0]),
        "brier": found.brier,
    }
    # A difference of rounding in a probability may move the Brier score by as much, and no label.
    return [
        Difference("scores.json", name, f"{offline[name]:.6f}", f"{online[name]:.6f}")
        for name in online
        if name in offline and abs(online[name] - offline[name]) > (4 * tolerance if name == "brier" else 1e-9)
    ]
