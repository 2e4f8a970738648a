"""What the file says beside the text, as columns of short values: source, origin, parts of the time, lengths, counts.

Numbers with many values are cut into bins of equal size, so that one way of judging serves all columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from dadeum.core.examples import Example

MAX_BINS = 20
"""Values of a number before it is cut into as many bins."""
IDENTITIES = {"id", "document", "speaker", "time", "(1)", "Unnamed: 0", "__index_level_0__"}
"""Extra fields that name a row or are taken apart elsewhere; the last three are pandas' index, as files keep it."""
_ATTACHED = re.compile(r"(?i)attach|files?$|첨부|파일")
_TIME = re.compile(r"(\d{4})\D{1,2}(\d{1,2})\D{1,2}(\d{1,2})(?:\D{1,3}(\d{1,2}):(\d{2}))?")
_DIGITS = re.compile(r"\d{8}(?:\d{4,6})?")


def columns(examples: Sequence[Example]) -> dict[str, list[str]]:
    """Column → one value per example, "" where there is none; columns with a single value are left out."""
    found = {
        "source": [example.source for example in examples],
        "origin": [example.origin or "" for example in examples],
    }
    found |= _times([example.extra.get("time") or "" for example in examples])
    found["attachments"] = [str(_num_attachments(example)) for example in examples]
    found["characters"] = binned([float(len(example.text)) for example in examples])
    names = dict.fromkeys(name for example in examples for name in example.extra)
    for name in names:
        if name not in IDENTITIES and not _ATTACHED.search(name):
            found[name] = _values([example.extra.get(name) or "" for example in examples])
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def _values(values: list[str]) -> list[str]:
    numbers = [_number(value) for value in values]
    if any(number is None for number in numbers) or len(set(numbers)) <= MAX_BINS:
        return values
    return binned([number or 0.0 for number in numbers])


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def binned(numbers: Sequence[float]) -> list[str]:
    """Each number's bin, named by its lower end: `12`; bins hold about equally many numbers."""
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, MAX_BINS + 1)[:-1]))
    return [f"{edges[place]:g}" for place in np.searchsorted(edges, numbers, side="right") - 1]


def _times(times: list[str]) -> dict[str, list[str]]:
    read = [time_of(value) for value in times]
    parts: dict[str, Callable[[datetime], int]] = {
        "hour": lambda time: time.hour,
        "weekday": lambda time: time.weekday(),
        "month": lambda time: time.month,
        "year": lambda time: time.year,
    }
    return {name: ["" if time is None else str(part(time)) for time in read] for name, part in parts.items()}


def time_of(value: str) -> datetime | None:
    """2024-01-31, 2024.1.31 13:05, 20240131130500 and their like; None for what is no time."""
    digits = _DIGITS.fullmatch(value.strip())
    if digits:
        value = re.sub(r"^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})\d*)?$", r"\1-\2-\3 \4:\5", value.strip()).rstrip(" :")
    match = _TIME.search(value)
    if match is None:
        return None
    try:
        return datetime(*(int(number or 0) for number in match.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None


def _num_attachments(example: Example) -> int:
    """From a field of that name, or from the list in a JSON input; 0 where there is neither."""
    beside = [value for name, value in example.extra.items() if _ATTACHED.search(name)]
    if beside:
        return sum(len(value.split("\n")) for value in beside if value.strip())
    asked = example.prompt[-1]["content"] if example.prompt else ""
    if not asked.startswith("{") or "[" not in asked:
        return 0
    try:
        fields = json.loads(asked)
    except (ValueError, RecursionError):
        return 0
    return sum(len(value) for value in fields.values() if isinstance(value, list))
