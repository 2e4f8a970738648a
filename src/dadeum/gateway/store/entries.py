"""What the log holds of a request and of what people said about it: the shapes that routes write and monitoring reads.

Contents are masked before they come here, and absent unless the settings keep them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

Rating = Literal["up", "down"]


@dataclass(frozen=True)
class Entry:
    """One request that was answered, or refused after it was let in."""

    request_id: str
    time: datetime
    """Of arrival, UTC."""
    route: str
    """Path template, such as /v1/chat/completions."""
    key_id: str
    """Prefix of the key, never the key; empty without keys."""
    user: str
    """Keyed hash of the user that the request named; empty where none was."""
    model: str
    """Name that was asked for."""
    version: str
    """What answered."""
    task: str
    status: int
    """HTTP status; of a stream the one it ended with (499: the client left, 504: too late)."""
    reason: str
    """stop, length, cancelled, timeout, error; decided and embedded for those routes."""
    prompt_tokens: int = 0
    new_tokens: int = 0
    cached_tokens: int = 0
    waited_s: float = 0.0
    first_token_s: float | None = None
    """None of decisions and vectors, and where the answer ended before its first token."""
    total_s: float = 0.0
    experiment: str = ""
    variant: str = ""
    shadow_of: str = ""
    """Request whose answer people saw, where this one was written for comparison only."""
    label: str = ""
    """Of a decision."""
    confidence: float | None = None
    """Calibrated probability of that label."""
    input_characters: int = 0
    output_characters: int = 0
    question: str | None = None
    """What was asked: a text, a conversation as JSON of its turns, or the fields of a decision as JSON."""
    answer: str | None = None
    facts: dict[str, str | float | int] = field(default_factory=dict)
    """What else monitoring wants to know: label mass, number of citations, refusal."""


@dataclass(frozen=True)
class Feedback:
    """What somebody said about an answer."""

    request_id: str
    time: datetime
    rating: Rating | None = None
    label: str | None = None
    """The right label of a decision."""
    correction: str | None = None
    """The right answer; masked."""
    comment: str | None = None
    key_id: str = ""
    correction_characters: int = 0
    """Of the correction, also where its text is not kept; the store counts them."""


class Store(Protocol):
    """`gateway/store/log.py` does it with SQLAlchemy; all methods may be called from any thread."""

    def record(self, entry: Entry) -> None:
        """Written down for good when it returns: it is called before the last byte of an answer leaves."""
        ...

    def say(self, feedback: Feedback) -> bool:
        """False where there is no such request."""
        ...

    def find(self, request_id: str) -> Entry | None: ...

    def entries(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[Entry]:
        """Oldest first, in parts: a month of requests is never in memory at once."""
        ...

    def feedback(self, request_ids: Sequence[str] | None = None) -> Iterator[Feedback]: ...

    def ready(self) -> bool:
        """Whether something could be written now."""
        ...

    def forget(self, user: str) -> int:
        """Delete everything of one user (its hash); how many requests that were."""
        ...

    def close(self) -> None: ...
