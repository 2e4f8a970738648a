"""What a gateway allows: one place for every limit, so that a route, a test and the documentation say the same."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dadeum.core.section import Section

Count = Annotated[int, Field(ge=1)]


class Limits(Section):
    """What one request may ask for, and how much may wait."""

    body_bytes: Count = 1_000_000
    """Larger bodies are refused (413) before they are read to their end."""
    messages: Count = 256
    characters: Count = 200_000
    """Of all messages together, before anything is split into tokens."""
    prompt_tokens: Count = 8192
    """Also never more than the model's own window leaves."""
    new_tokens: Count = 2048
    choices: Count = 8
    """`n`."""
    stops: Count = 4
    schema_bytes: Count = 20_000
    schema_depth: Count = 12
    questions: Count = 64
    """Of a decision request."""
    options: Count = 255
    """Of one question."""
    inputs: Count = 256
    """Texts of an embedding request."""
    waiting_requests: Count = 64
    """Requests that wait or run; more are refused (503) with Retry-After."""
    waiting_tokens: Count = 65_536
    """Prompt and new tokens of these, as asked for."""
    running: Count = 16
    """Rows that one step of the engine computes together."""
    request_seconds: Annotated[float, Field(gt=0)] = 120.0
    """From arrival to the last token; an answer that is not ready by then ends with 504."""
    drain_seconds: Annotated[float, Field(ge=0)] = 20.0
    """How long running answers may go on once the server was told to stop."""
    requests_per_minute: Count = 600
    """Per key; beyond it 429 with Retry-After."""
    tokens_per_minute: Count = 200_000
    adapters: Count = 32
    """That may be loaded at once."""
    connections: Count = 2048
    """Open at once; for one more, the one that has waited longest without sending a request is closed."""
    header_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How long a client may take for the head of a request."""
    body_seconds: Annotated[float, Field(gt=0)] = 20.0
    """And for its body (408)."""
    write_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a client may leave an answer unread before it counts as gone."""
    idle_seconds: Count = 10
    """How long a connection stays open between two requests."""


class Settings(Section):
    """Everything that `dadeum serve` is told."""

    host: str = "127.0.0.1"
    """Any other than a loopback address is refused without keys."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """0: any free one, which is told."""
    database: str = "sqlite:///runs/serve/requests.db"
    """SQLAlchemy URL of the request log."""
    keep_days: Count = 30
    """Older requests are deleted; feedback goes with its request."""
    keep_content: bool = False
    """Write down masked questions and answers beside the figures; off, only lengths, labels and hashes are kept."""
    upstream: str | None = None
    """Address of a vLLM server up to `/v1`; None: the models run in this process."""
    upstream_key_env: str = "VLLM_API_KEY"
    """Environment variable that holds its key."""
    require_key: bool = True
    """Every route but /livez and /readyz wants a key. Off only on a loopback address."""
    hosts: tuple[str, ...] = ()
    """Names that clients may call this gateway by; empty: any, but only this machine's own where no key is wanted."""
    limits: Limits = Limits()
