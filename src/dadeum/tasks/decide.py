"""Decide: structured input → a JSON answer whose first value is one of a few labels.

`{"subject": "(광고) 보험료 안내"}` → `{"action": "BLOCK"}`. The label comes first so that one
forward pass scores it; `confidence` is never taught, because a number that a model writes is not a probability.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dadeum.core.examples import Turn
from dadeum.core.task import Decide


@dataclass(frozen=True)
class Parsed:
    """A model's free answer, read back."""

    label: str | None
    """The label, or None when the answer is not usable."""
    json_valid: bool
    """The answer is one JSON object and nothing else."""
    schema_valid: bool
    """json_valid, and the label is one of the task's labels."""


def prompt(task: Decide, fields: Mapping[str, Any]) -> list[Turn]:
    """System turn with the instruction, user turn with the visible fields as JSON; empty fields cost no tokens."""
    visible = {name: fields[name] for name in task.input_fields if fields.get(name)}
    content = json.dumps(visible, ensure_ascii=False)
    return [{"role": "system", "content": task.instruction}, {"role": "user", "content": content}]


def completion(task: Decide, label: str, reason: str | None = None) -> list[Turn]:
    """The answer that is taught."""
    return [{"role": "assistant", "content": answer(task, label, reason)}]


def answer(task: Decide, label: str, reason: str | None = None) -> str:
    """`{"action": "BLOCK"}`, with `"reason"` when there is one."""
    content = {task.label_key: label} | ({"reason": reason} if reason else {})
    return json.dumps(content, ensure_ascii=False)


def candidates(task: Decide) -> list[str]:
    """One complete answer per label, in the order of `task.labels`."""
    return [answer(task, label) for label in task.labels]


def plain_text(task: Decide, fields: Mapping[str, Any]) -> str:
    """The visible fields as lines of text: what baselines see and duplicates are compared by."""
    lines = []
    for name in task.input_fields:
        value = fields.get(name)
        line = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")
        if line:
            lines.append(line)
    return "\n".join(lines)


def parse(task: Decide, generated: str) -> Parsed:
    """Read a free answer; nothing is repaired, so that validity means what a program downstream would see."""
    try:
        value = json.loads(generated.strip())
    except (json.JSONDecodeError, RecursionError):  # a model that repeats "[" nests deeper than Python follows
        return Parsed(None, False, False)
    if not isinstance(value, dict):
        return Parsed(None, False, False)
    label = value.get(task.label_key)
    known = isinstance(label, str) and label in task.labels
    return Parsed(label if known else None, True, known)


def decision(task: Decide, probabilities: Mapping[str, float], generated: str | None = None) -> dict[str, Any]:
    """The answer as a program gets it: label, calibrated probability and, when the task teaches reasons, the reason.

    `probabilities` has one entry per label, most probable wins, the earlier label of a tie. `reason` is None when the
    generated answer is missing, unreadable, or argues for another label than the one that is decided.
    """
    label = max(task.labels, key=lambda name: probabilities[name])
    record: dict[str, Any] = {task.label_key: label, "confidence": probabilities[label]}
    if task.reason_field is not None:
        record["reason"] = _reason(task, label, generated)
    return record


def _reason(task: Decide, label: str, generated: str | None) -> str | None:
    if generated is None or parse(task, generated).label != label:
        return None
    reason = json.loads(generated.strip()).get("reason")
    return reason if isinstance(reason, str) else None
