"""What routes and engines hand each other: an answer that is wanted, its pieces, and how it ended.

An engine computes tokens; texts come from it decoded, because a Hangul syllable may lie in several tokens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from dadeum.core.examples import Turn

if TYPE_CHECKING:
    from dadeum.gateway.catalogue import Catalogue, ServedModel

Reason = Literal["stop", "length", "cancelled", "timeout", "error"]


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen. Greedy unless `temperature` is above 0."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int | None = None
    seed: int | None = None
    """The same seed, prompt and settings give the same answer, whoever else is in the batch; None: drawn anew."""
    stops: tuple[str, ...] = ()
    """Texts that end an answer and do not stand in it."""
    logprobs: int | None = None
    """How many likeliest tokens are told per place; 0 tells the chosen one only, None nothing."""
    json_schema: str | None = None
    """The answer must be JSON of this schema (a JSON text), or any JSON object for "{}"."""
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0


@dataclass(frozen=True)
class Ask:
    """One answer that is wanted."""

    id: str
    """Of the request; in the log and in every response."""
    model: ServedModel
    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    seconds: float | None = None
    """Time left until it is too late; counted from submission."""


@dataclass(frozen=True)
class TokenLogprob:
    token: str
    bytes: tuple[int, ...]
    logprob: float
    top: tuple[tuple[str, tuple[int, ...], float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """Text that can be shown: never half a syllable, never the beginning of a stop text."""

    text: str
    num_tokens: int
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class Ended:
    reason: Reason
    prompt_tokens: int
    new_tokens: int
    cached_tokens: int = 0
    """Of the prompt, those whose keys and values were there already."""
    waited_s: float = 0.0
    first_token_s: float | None = None
    """From submission; None where none came."""
    total_s: float = 0.0
    detail: str = ""
    """Of an error, for the log."""


@dataclass(frozen=True)
class Stats:
    """What is going on now, for /metrics, /readyz and admission."""

    running: int
    waiting: int
    waiting_tokens: int
    accepting: bool
    """False while draining and when the worker has died."""
    cache_share: float = 0.0
    """Of the room for keys and values."""


class Overloaded(Exception):
    """Refused at the door; `retry_after_s` is a guess from what is going on."""

    def __init__(self, reason: Literal["requests", "tokens", "draining"], retry_after_s: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Engine(Protocol):
    """One contract for the models in this process and those at a server of vLLM; the same tests run against both."""

    catalogue: Catalogue

    def submit(self, ask: Ask) -> AsyncIterator[Piece | Ended]:
        """Raises Overloaded at once; ends with exactly one Ended. Leaving the iterator cancels the answer."""
        ...

    async def decide(
        self, model: ServedModel, prompts: Sequence[Sequence[Turn]], candidates: Sequence[Sequence[str]]
    ) -> list[np.ndarray]:
        """Natural-log probabilities of each prompt's candidates (whole answers), in one forward pass each."""
        ...

    async def embed(self, model: ServedModel, texts: Sequence[str], kind: Literal["query", "chunk"]) -> np.ndarray:
        """Unit vectors, (texts, dimension)."""
        ...

    def prompt_ids(self, model: ServedModel, turns: Sequence[Turn]) -> tuple[int, ...]:
        """As training rendered it; control tokens in people's text are letters."""
        ...

    def text_ids(self, model: ServedModel, text: str) -> tuple[int, ...]:
        """Of a text as it stands, without a template; control tokens in it are letters."""
        ...

    def vocabulary(self, model: ServedModel) -> int:
        """Token ids are below it."""
        ...

    def check_schema(self, model: ServedModel, json_schema: str) -> None:
        """DataError for a schema that answers cannot be held to; compiling it here saves the first answer the time."""
        ...

    def window(self, model: ServedModel) -> int:
        """Tokens that prompt and answer may have together; of an encoder-decoder each of them."""
        ...

    def answer_room(self, model: ServedModel, num_prompt: int) -> int:
        """Tokens that a prompt of so many leaves for the answer; 0 or less where it is too long itself."""
        ...

    async def load(self, folder: str) -> ServedModel:
        """A run or adapter more, while others are being answered; ModelError where it does not fit."""
        ...

    async def unload(self, version: str) -> None:
        """Running answers of it are finished first."""
        ...

    def stats(self) -> Stats: ...

    async def drain(self, seconds: float) -> None:
        """Take nothing more, finish what runs; what is not done after `seconds` ends as cancelled."""
        ...
