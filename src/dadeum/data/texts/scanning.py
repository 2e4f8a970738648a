"""All text checks over all texts of a data set, each distinct text once, through Daft (threads here, Ray elsewhere).

A text check is a file in `checks/` with `find(text) -> spans` in place of `check(context)`.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType

from dadeum.core.examples import Example, parts
from dadeum.core.findings import Hit, Span
from dadeum.core.plugins import find, names
from dadeum.data.engine import map_texts

CHECKS = "data.checks"
MAX_SPANS = 50
"""Places per text and check: a text that is broken throughout needs no thousand marks."""
_BITS = {"system": 1, "user": 2, "assistant": 4, "rejected": 8}
_ROLES = {"all": 15, "answers": 4, "inputs": 3, "users": 2}
"""PARTS of a check → roles whose texts it looks at."""

Place = tuple[int, int, str]


@dataclass
class _Texts:
    """Every text of every row, equal ones stored once."""

    distinct: dict[str, int] = field(default_factory=dict)
    rows: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    names: list[str] = field(default_factory=list)
    roles: bytearray = field(default_factory=bytearray)
    """One bit per role, for every text of every row."""

    def as_roles(self) -> bytearray:
        """For every distinct text, the roles in which it stands somewhere."""
        found = bytearray(len(self.distinct))
        for number, role in zip(self.numbers, self.roles, strict=True):
            found[number] |= role
        return found


def text_checks() -> dict[str, ModuleType]:
    """Name → module of every check that looks at texts one by one."""
    modules = {name: find(CHECKS, name) for name in names(CHECKS)}
    return {name: module for name, module in modules.items() if hasattr(module, "find")}


def scan(examples: Sequence[Example]) -> tuple[dict[str, list[Hit]], dict[str, int]]:
    """(hits by check, in the order of the rows; by check, how many rows have a text that it looks at)."""
    texts = _collect(examples)
    wanted = {name: _ROLES[module.PARTS] for name, module in text_checks().items()}
    spans = _spans(texts, wanted)
    hits: dict[str, list[Hit]] = {name: [] for name in wanted}
    for row, number, part, role in zip(texts.rows, texts.numbers, texts.names, texts.roles, strict=True):
        for name, places in spans.get(number, {}).items():
            if role & wanted[name]:
                hits[name] += _hits(row, part, places)
    looked_at = {
        roles: len({row for row, role in zip(texts.rows, texts.roles, strict=True) if role & roles})
        for roles in set(wanted.values())
    }
    return hits, {name: looked_at[roles] for name, roles in wanted.items()}


def _spans(texts: _Texts, wanted: dict[str, int]) -> dict[int, dict[str, list[Place]]]:
    """Number of a text → check → places. A text is given only to the checks that look at one of its roles."""
    roles_of, distinct = texts.as_roles(), list(texts.distinct)
    found: dict[int, dict[str, list[Place]]] = {}
    for roles in sorted(set(roles_of)):
        numbers = [number for number, bits in enumerate(roles_of) if bits == roles]
        checks = tuple(name for name, bits in wanted.items() if bits & roles)
        results = map_texts([distinct[number] for number in numbers], partial(scan_batch, checks=checks))
        found |= {number: json.loads(told) for number, told in zip(numbers, results, strict=True) if told is not None}
    return found


def scan_batch(texts: Sequence[str], checks: Sequence[str]) -> list[str | None]:
    """Per text a JSON object check → [[start, end, found], …], or None when none of the checks has anything to say."""
    finders = [(name, find(CHECKS, name).find) for name in checks]
    results: list[str | None] = []
    for text in texts:
        found = {name: spans[:MAX_SPANS] for name, finder in finders if (spans := finder(text))}
        results.append(json.dumps(found) if found else None)
    return results


def _collect(examples: Sequence[Example]) -> _Texts:
    texts = _Texts()
    for row, example in enumerate(examples):
        for part in parts(example):
            texts.rows.append(row)
            texts.numbers.append(texts.distinct.setdefault(part.text, len(texts.distinct)))
            texts.names.append(part.name)
            # A role that `roles` will speak of is looked at as an input.
            texts.roles.append(_BITS.get(part.role, _BITS["user"]))
    return texts


def _hits(row: int, part: str, places: list[Place]) -> Iterator[Hit]:
    for place in places:
        span = Span(*place)
        yield Hit(row, part, span.start, span.end, {"found": span.found} if span.found else None)
