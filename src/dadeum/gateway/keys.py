"""Who may ask: keys that are shown once and kept as hashes in one file, with scopes, an end and revocation.

The file is read again when it changes, so a key that was revoked on the command line is refused by a server that runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import ipaddress
import json
import logging
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from dadeum.core.errors import RunError
from dadeum.core.section import Section
from dadeum.gateway.rates import Rates
from dadeum.gateway.settings import Limits, Settings
from dadeum.gateway.state import Caller, Keys

log = logging.getLogger(__name__)

SCOPES = ("infer", "feedback", "admin", "metrics")
KEYS_FILE = Path("runs/serve/keys.json")
_BITS = 256
_START = "dk_"
_PREFIX = len(_START) + 8
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_BEARER = re.compile(r"bearer +([\x21-\x7e]+)", re.IGNORECASE)
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

Scope = Literal["infer", "feedback", "admin", "metrics"]


class Key(Section):
    """What is kept of a key; from it nobody can ask anything."""

    prefix: str
    """The key's first characters, to tell keys apart in lists and in the log."""
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    name: str
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def state(self, now: datetime) -> Literal["valid", "expired", "revoked"]:
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


class KeyFile(Section):
    keys: tuple[Key, ...] = ()


class KeyRing:
    """The keys of one file; safe to use from any thread and beside a `dadeum keys` that changes it."""

    def __init__(
        self,
        path: Path = KEYS_FILE,
        limits: Limits | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._now = now
        self._rates = Rates(limits or Limits(), clock)
        self._lock = Lock()
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    # -- asking -------------------------------------------------------------------------------
    def caller(self, authorization: str | None) -> Caller | None:
        """Every key is compared, whichever fits: how long it takes tells nothing."""
        bearer = _BEARER.fullmatch(authorization or "")
        asked = _digest(bearer.group(1) if bearer else "")
        now, found = self._now(), None
        for key in self._current():
            if hmac.compare_digest(key.sha256.encode(), asked.encode()):
                found = key
        if found is None or found.state(now) != "valid":
            return None
        return Caller(found.prefix, frozenset(found.scopes))

    def admit(self, caller: Caller, tokens: int) -> float:
        return self._rates.take(caller.key_id, tokens)

    def valid(self) -> list[Key]:
        """Those that let somebody in now."""
        return [key for key in self.read() if key.state(self._now()) == "valid"]

    # -- changing -----------------------------------------------------------------------------
    def create(self, name: str, scopes: Sequence[str], days: int | None = None) -> tuple[str, Key]:
        """The key itself, which is kept nowhere, and what is kept of it."""
        if not _NAME.fullmatch(name):
            raise RunError("gateway.safety.key_name", name=name[:80])
        if unknown := [scope for scope in scopes if scope not in SCOPES]:
            raise RunError("gateway.safety.key_scope", scope=unknown[0], known=", ".join(SCOPES))
        if not scopes:
            raise RunError("gateway.safety.key_no_scope", known=", ".join(SCOPES))
        now = self._now()
        try:
            expires = now + timedelta(days=days) if days is not None else None
        except OverflowError as error:
            raise RunError("gateway.safety.key_days", days=days) from error
        if days is not None and days < 1:
            raise RunError("gateway.safety.key_days", days=days)
        with self._changing():
            known = self.read()
            secret = _new_secret({key.prefix for key in known})
            ordered = tuple(scope for scope in SCOPES if scope in scopes)
            key = Key.model_validate(
                {"prefix": secret[:_PREFIX], "sha256": _digest(secret), "name": name, "scopes": ordered}
                | {"created": now, "expires": expires}
            )
            self._write((*known, key))
        return secret, key

    def revoke(self, prefix: str) -> Key:
        """The key of this prefix lets nobody in any more; it stays in the list, because the log names it."""
        with self._changing():
            known = self.read()
            found = [key for key in known if key.prefix == prefix]
            if not found:
                raise RunError("gateway.safety.no_key_of", prefix=prefix[:_PREFIX], path=self.path)
            gone = found[0].model_copy(update={"revoked": found[0].revoked or self._now()})
            self._write(tuple(gone if key.prefix == prefix else key for key in known))
        return gone

    # -- the file -----------------------------------------------------------------------------
    def read(self) -> tuple[Key, ...]:
        """RunError where the file is damaged, or anybody else could write a key into it."""
        try:
            mode = self.path.stat().st_mode
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise RunError("gateway.safety.keys_damaged", path=self.path, detail=error.strerror) from error
        if mode & _OTHERS_MAY_WRITE:
            raise RunError("gateway.safety.keys_open", path=self.path)
        try:
            return KeyFile.model_validate_json(raw).keys
        except ValidationError as error:
            detail = error.errors(include_input=False)[0]["msg"]
            raise RunError("gateway.safety.keys_damaged", path=self.path, detail=detail) from error

    def _current(self) -> tuple[Key, ...]:
        """As the file stands now. A file that is gone or damaged lets nobody in: better closed than open."""
        seen = _stamp(self.path)  # before reading: what is written meanwhile is seen the next time
        with self._lock:
            if seen != self._seen:
                try:
                    self._keys = self.read()
                except RunError as error:
                    log.error(str(error))
                    self._keys = ()
                self._seen = seen
            return self._keys

    def _write(self, keys: tuple[Key, ...]) -> None:
        """Never readable by others, never half written."""
        content = json.dumps(KeyFile(keys=keys).model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            raise RunError("gateway.safety.keys_not_written", path=self.path, detail=error.strerror) from error
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One at a time, also between processes: two keys made at once must both be there."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise RunError("gateway.safety.keys_not_written", path=self.path, detail=error.strerror) from error
        with os.fdopen(handle) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Everybody:
    """Without keys, on this machine only (`refuse_open` sees to that): everybody may do everything, at one rate."""

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = Rates(limits or Limits(), clock)

    def caller(self, authorization: str | None) -> Caller | None:
        return Caller("", frozenset(SCOPES))

    def admit(self, caller: Caller, tokens: int) -> float:
        return self._rates.take(caller.key_id, tokens)


def keys_for(settings: Settings, path: Path = KEYS_FILE) -> Keys:
    """What `dadeum serve` hands to the gateway."""
    return KeyRing(path, settings.limits) if settings.require_key else Everybody(settings.limits)


def refuse_open(settings: Settings, path: Path = KEYS_FILE) -> None:
    """RunError where other machines would reach a gateway that asks for no key, or that has none to ask for.

    On a loopback address a gateway may start before its first key: nobody gets in until there is one.
    """
    if settings.require_key:
        if not KeyRing(path).valid() and not is_loopback(settings.host):
            raise RunError("gateway.safety.open_host", host=settings.host, path=path)
    elif not is_loopback(settings.host):
        raise RunError("gateway.safety.keyless_host", host=settings.host)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it; a name other than localhost may lead anywhere."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _digest(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _new_secret(prefixes: set[str]) -> str:
    while (secret := _START + secrets.token_urlsafe(_BITS // 8))[:_PREFIX] in prefixes:
        continue
    return secret


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Changes whenever the file is replaced or written."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns, found.st_size
