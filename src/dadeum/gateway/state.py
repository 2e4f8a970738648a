"""What all routes share: `gateway_of(request)`. Each part is made once, by `api/app.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from dadeum.core.messages import Message
from dadeum.gateway.engine.work import Engine
from dadeum.gateway.settings import Settings
from dadeum.gateway.store.entries import Entry, Store

if TYPE_CHECKING:
    from fastapi import Request

    from dadeum.gateway.catalogue import ServedModel


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    key_id: str
    scopes: frozenset[str]
    """Of infer, feedback, admin, metrics."""


@dataclass(frozen=True)
class Assigned:
    """Which version answers, and why."""

    model: ServedModel
    experiment: str = ""
    variant: str = ""
    shadows: tuple[ServedModel, ...] = ()
    """Versions that answer too, unseen."""


class Keys(Protocol):
    """`gateway/keys.py`."""

    def caller(self, authorization: str | None) -> Caller | None:
        """None for a key that is missing, unknown, expired or revoked; every one is compared in the same time."""
        ...

    def admit(self, caller: Caller, tokens: int) -> float:
        """0.0 where the key's rate allows it, else seconds to wait (429)."""
        ...


class Traffic(Protocol):
    """`gateway/variants.py`."""

    def assign(self, asked: str, user: str) -> Assigned | None:
        """None for a model that is not served."""
        ...


class Figures(Protocol):
    """`gateway/figures.py`: Prometheus."""

    def request(self, entry: Entry) -> None: ...

    def refused(self, route: str, status: int, reason: str) -> None: ...

    def page(self) -> tuple[bytes, str]:
        """(text, content type)."""
        ...


@dataclass
class Gateway:
    settings: Settings
    engine: Engine
    store: Store
    keys: Keys
    traffic: Traffic
    figures: Figures
    new_id: Callable[[], str]
    """Of a request: time-ordered and unique."""
    hash_user: Callable[[str], str]
    """Keyed, so that a log cannot be searched for a name; empty for an empty name."""
    checks: list[Callable[[], Message | None]] = field(default_factory=list)
    """What /readyz asks besides engine and log, at most once a second: None, or why it cannot be served yet."""


def gateway_of(request: Request) -> Gateway:
    return cast("Gateway", request.app.state.gateway)
