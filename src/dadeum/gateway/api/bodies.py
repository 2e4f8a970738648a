"""JSON that means the same to everybody: what parsers read differently, or choke on, is refused before a route sees it.

Python's parser takes NaN, two values of one name (the last one wins), half a surrogate pair and any depth.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from dadeum.gateway.api.faults import Fault

MAX_DEPTH = 64
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(rb"[\[\]{}]")
_RARE = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_NEST = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def check_json(body: bytes) -> None:
    """Raises Fault 400 with what is wrong; nothing is returned, the route reads the bytes itself."""
    try:
        written = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Fault(400, "gateway.safety.not_utf8", code="bad_body", at=error.start) from None
    if _deeper_than(body, MAX_DEPTH):
        raise Fault(400, "gateway.safety.too_deep", code="bad_body", most=MAX_DEPTH)
    try:
        value = json.loads(written, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_one_value_each)
    except (ValueError, RecursionError):
        # ValueError also of a number with more digits than Python reads.
        raise Fault(400, "gateway.api.bad_body", code="bad_body") from None
    if _RARE.search(body):
        _check_letters(_texts(value))


def _deeper_than(body: bytes, most: int) -> bool:
    if body.count(b"[") + body.count(b"{") <= most:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += _NEST[bracket.group()]
        if depth > most:
            return True
    return False


def _no_constant(name: str) -> float:
    raise Fault(400, "gateway.safety.not_a_number", code="bad_body", number=name)


def _finite(written: str) -> float:
    if not math.isfinite(number := float(written)):
        raise Fault(400, "gateway.safety.not_a_number", code="bad_body", number=written[:20])
    return number


def _one_value_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Fault(400, "gateway.safety.twice", code="bad_body", name=_shown(name))
        found[name] = value
    return found


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case list() as items:
                waiting += items
            case dict() as items:
                waiting += [*items.keys(), *items.values()]


def _check_letters(texts: Iterable[str]) -> None:
    for text in texts:
        if "\x00" in text:  # PostgreSQL cannot keep it
            raise Fault(400, "gateway.safety.nul", code="bad_body")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Fault(400, "gateway.safety.half_letter", code="bad_body") from None


def _shown(name: str) -> str:
    """Safe to say again: no half letters, no control characters, not long."""
    plain = name.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "?" for letter in plain)[:40]
