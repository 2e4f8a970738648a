"""A model behind an OpenAI-compatible endpoint, asked several things at a time; a failure is a result, never a crash.

The `openai` package waits and tries again on 429 (as Retry-After says), 5xx and timeouts. What one endpoint does not
know (a JSON schema, a seed) is left out from then on. The key is read from the environment and written nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from dadeum.core.errors import MissingExtra

TIMEOUT_S = 120.0
"""Of one attempt: a long answer rated by a model on a busy machine."""
ATTEMPTS = 5
AT_ONCE = 4
MAX_REPLY_TOKENS = 2000
"""Room for a model that thinks aloud first."""
FAILURES_IN_A_ROW = 5
"""Unreachable or refused so often one after the other: the rest is not asked."""
_DETAIL_CHARACTERS = 300


@dataclass(frozen=True)
class Reply:
    """What came back: a text, or why none did."""

    text: str | None
    detail: str = ""
    asked: bool = True
    """False where asking was given up before."""


def shown_url(url: str) -> str:
    """The address without user name, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Question(Protocol):
    """One thing to ask."""

    @property
    def kind(self) -> str:
        """Name of the schema."""
        ...

    @property
    def system_turn(self) -> str: ...

    @property
    def material(self) -> str:
        """The user's turn."""
        ...

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the reply, for endpoints that hold a model to one."""
        ...


class Endpoint:
    """One address and model; `ask` yields replies as they come."""

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key_env: str,
        seed: int,
        missing: MissingExtra,
        timeout_s: float = TIMEOUT_S,
        attempts: int = ATTEMPTS,
        *,
        temperature: float = 0.0,
    ) -> None:
        """`missing` is raised where the package `openai` is not installed. Above 0, `temperature` varies replies."""
        try:
            import openai
        except ImportError as error:
            raise missing from error
        self._openai = openai
        self._model = model
        self._seed = seed
        self._temperature = temperature
        self._key = os.environ.get(api_key_env, "")
        # Local servers want no key, the package wants one: any word does.
        self._client = openai.OpenAI(
            base_url=base_url, api_key=self._key or "none", timeout=timeout_s, max_retries=attempts - 1
        )
        self._level = 0
        self._failed_in_a_row = 0
        self._lock = Lock()
        self._given_up = Event()

    def ask(self, questions: Sequence[Question]) -> Iterator[tuple[int, Reply]]:
        """(index of the question, reply), in the order in which they are done."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = {pool.submit(self._ask_one, question): index for index, question in enumerate(questions)}
            try:
                for done in as_completed(waiting):
                    yield waiting[done], done.result()
            finally:
                # An interrupted command does not wait for questions that nobody will read.
                self._given_up.set()
        self._given_up.clear()

    def close(self) -> None:
        self._client.close()

    def _ask_one(self, question: Question) -> Reply:
        if self._given_up.is_set():
            return Reply(None, asked=False)
        try:
            text = self._complete(question)
        except self._openai.APIConnectionError as error:
            return self._failed(error, counts=True)
        except self._openai.APIStatusError as error:
            refused = error.status_code in (401, 403, 404)
            return self._failed(error, counts=refused or error.status_code == 429 or error.status_code >= 500)
        except (self._openai.OpenAIError, ValueError) as error:
            return self._failed(error, counts=False)
        with self._lock:
            self._failed_in_a_row = 0
        return Reply(text)

    def _complete(self, question: Question) -> str:
        """The reply, asked with as much as this endpoint knows."""
        turns: Any = [
            {"role": "system", "content": question.system_turn},
            {"role": "user", "content": question.material},
        ]
        levels = self._levels(question)
        level = self._level
        while True:
            try:
                found = self._client.chat.completions.create(model=self._model, messages=turns, **levels[level])
            except (self._openai.BadRequestError, self._openai.UnprocessableEntityError):
                if level + 1 == len(levels):
                    raise
                level += 1
                continue
            with self._lock:
                # Only what has worked is remembered: a 400 may also be about this one text.
                self._level = max(self._level, level)
            return _content(found)

    def _levels(self, question: Question) -> list[dict[str, Any]]:
        """Arguments from most to least: schema and seed, seed, nothing."""
        plain = {"temperature": self._temperature, "seed": self._seed, "max_tokens": MAX_REPLY_TOKENS}
        schema = {"name": question.kind, "strict": True, "schema": question.schema}
        return [plain | {"response_format": {"type": "json_schema", "json_schema": schema}}, plain, {}]

    def _failed(self, error: Exception, counts: bool) -> Reply:
        with self._lock:
            self._failed_in_a_row = self._failed_in_a_row + 1 if counts else 0
            if self._failed_in_a_row >= FAILURES_IN_A_ROW:
                self._given_up.set()
        said = " ".join(f"{type(error).__name__}: {error}".split())
        # Some servers repeat the key in their complaint.
        said = said.replace(self._key, "***") if self._key else said
        return Reply(None, said[:_DETAIL_CHARACTERS])


def _content(found: Any) -> str:
    """The text of a completion; servers that only speak something alike may leave parts out."""
    choices = getattr(found, "choices", None) or []
    message = getattr(choices[0], "message", None) if choices else None
    content = getattr(message, "content", None)
    return content if isinstance(content, str) else ""
