"""What people wrote is masked before it is stored, by the rules of the data checks; names of users become keyed hashes.

A plain hash of a name could be undone by trying names; the key lies beside the database, for its owner only.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from dadeum.core.errors import RunError, first_line
from dadeum.core.personal import mask_personal
from dadeum.gateway.store.entries import Entry, Feedback

_ESCAPED = re.compile(r"(\\[nrt])")
KEY_FILE = "user.key"
_KEY_BYTES = 32
_DIGEST_BYTES = 16
_MODEL_CHARACTERS = 128
"""A model's name as a client sent it may be anything; no name of ours is longer."""


def masked(text: str) -> str:
    """Personal data → its kind. Conversations and fields come as JSON, whose texts are masked one by one.

    Rules look at what stands beside a number; in JSON that would be quotes and the n of an escaped line break.
    """
    if text[:1] in ("{", "["):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            # Cut off or only alike: escaped breaks stay, what stands between them is masked.
            return "".join(mask_personal(part) for part in _ESCAPED.split(text))
        return json.dumps(_masked_value(value), ensure_ascii=False)
    return mask_personal(text)


def _masked_value(value: Any) -> Any:
    if isinstance(value, str):
        return mask_personal(value)
    if isinstance(value, list):
        return [_masked_value(item) for item in value]
    if isinstance(value, dict):
        return {mask_personal(name): _masked_value(item) for name, item in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        hidden = mask_personal(str(value))
        return value if hidden == str(value) else hidden
    return value


@dataclass(frozen=True)
class Masking:
    """How entries look when they are written down."""

    hashed: Callable[[str], str]
    keeps_content: bool

    def entry(self, entry: Entry) -> Entry:
        """Without contents where none are kept: their keyed hashes tell repeated questions from new ones."""
        entry = replace(entry, model=entry.model[:_MODEL_CHARACTERS])
        if self.keeps_content:
            return replace(
                entry,
                question=None if entry.question is None else masked(entry.question),
                answer=None if entry.answer is None else masked(entry.answer),
            )
        hashes = {
            f"{name}_hash": self.hashed(text)
            for name, text in (("question", entry.question), ("answer", entry.answer))
            if text
        }
        return replace(entry, question=None, answer=None, facts={**entry.facts, **hashes})

    def feedback(self, said: Feedback) -> Feedback:
        length = len(said.correction or "")
        if not self.keeps_content:
            return replace(said, correction=None, comment=None, correction_characters=length)
        return replace(
            said,
            correction=None if said.correction is None else masked(said.correction),
            comment=None if said.comment is None else masked(said.comment),
            correction_characters=length,
        )


# -- users ------------------------------------------------------------------------------------------
def hash_with(key: bytes) -> Callable[[str], str]:
    """Name → 32 hexadecimal digits; empty for an empty name."""

    def hashed(name: str) -> str:
        text = name.encode("utf-8", "surrogatepass")
        return blake2b(text, key=key, digest_size=_DIGEST_BYTES).hexdigest() if text else ""

    return hashed


def key_in(folder: Path) -> bytes:
    """The key of `folder`/user.key, made at first. RunError where it is damaged or others may read it."""
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise RunError("gateway.store.open_key", path=path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise RunError("gateway.store.read_only", place=path, detail=first_line(error)) from error
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise RunError("gateway.store.bad_key", path=path)
    return key


def _make(path: Path) -> None:
    """Written beside and linked: whoever comes at the same moment gets the whole key of whoever was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, stat.S_IRUSR | stat.S_IWUSR)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return
    finally:
        beside.unlink()
