"""All text checks over all texts of a data set, each distinct text once, through Daft (threads here, Ray elsewhere).

A text check is a file in `checks/` with `find(text) -> spans` in place of `check(context)`.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from dadeum.core.examples import Example, parts
from dadeum.core.findings import Hit, Span
from dadeum.core.plugins import find, names
from dadeum.data.engine import map_texts

CHECKS = "data.checks"
MAX_SPANS = 50
"""Places per text and check: a text that is broken throughout needs no thousand marks."""
_ROLES = {
    "all": {"system", "user", "assistant", "rejected"},
    "answers": {"assistant"},
    "inputs": {"system", "user"},
    "users": {"user"},
}


@dataclass
class _Texts:
    """Every text of every row, equal ones stored once."""

    distinct: dict[str, int] = field(default_factory=dict)
    rows: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    names: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)


def text_checks() -> dict[str, ModuleType]:
    """Name → module of every check that looks at texts one by one."""
    modules = {name: find(CHECKS, name) for name in names(CHECKS)}
    return {name: module for name, module in modules.items() if hasattr(module, "find")}


def scan(examples: Sequence[Example]) -> tuple[dict[str, list[Hit]], dict[str, int]]:
    """(hits by check, in the order of the rows; by check, how many rows have a text that it looks at)."""
    texts = _collect(examples)
    checks = text_checks()
    spans: dict[int, dict[str, list[list[int | str]]]] = {
        number: json.loads(result)
        for number, result in enumerate(map_texts(list(texts.distinct), scan_batch))
        if result is not None
    }
    hits: dict[str, list[Hit]] = {name: [] for name in checks}
    wanted = {name: _ROLES[module.PARTS] for name, module in checks.items()}
    for row, number, part, role in zip(texts.rows, texts.numbers, texts.names, texts.roles, strict=True):
        for name, places in spans.get(number, {}).items():
            if role in wanted[name]:
                hits[name] += _hits(row, part, places)
    looked_at = {
        scope: len({row for row, role in zip(texts.rows, texts.roles, strict=True) if role in roles})
        for scope, roles in _ROLES.items()
    }
    return hits, {name: looked_at[module.PARTS] for name, module in checks.items()}


def scan_batch(texts: Sequence[str]) -> list[str | None]:
    """Per text a JSON object check → [[start, end, found], …], or None when no check has anything to say."""
    finders = [(name, module.find) for name, module in text_checks().items()]
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
            texts.roles.append(part.role)
    return texts


def _hits(row: int, part: str, places: list[list[int | str]]) -> Iterator[Hit]:
    for place in places:
        span = Span(*place)  # type: ignore[arg-type]
        yield Hit(row, part, span.start, span.end, {"found": span.found} if span.found else None)
