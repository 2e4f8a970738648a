"""Every answer that is taught as JSON is JSON, and has the label's key where the task has one."""

from __future__ import annotations

import json
import re
from collections import Counter

from dadeum.core.examples import answer_of
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.core.task import Decide
from dadeum.data.context import Context, listed, short

CODE = "DA103"
NAME = "broken_json"

_FENCE = re.compile(r"```json[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE)
_ABRIDGED = re.compile(r"\.\.\.|…|//|/\*|<[^<>\n]+>")
"""An example with parts left out or explained, as documents show it, is not JSON and does not mean to be."""


BLOCK_SHARE = 0.05
"""Share of rows from which a file without a recipe teaches broken JSON rather than has a few slips."""


def check(context: Context) -> list[Finding]:
    found = []
    kinds: Counter[str] = Counter()
    for row, (_, example) in enumerate(context.placed):
        answer = answer_of(example)
        broken = _broken_decision(context, context.decision, row, answer) if context.decision else _looks_broken(answer)
        if broken:
            kinds[broken] += 1
            found.append(Hit(row, found={"answer": short(answer)}))
    severity: Severity = "block" if len(found) > BLOCK_SHARE * context.num_rows else "warn"
    return context.finding(CODE, NAME, severity, found, {"problems": listed(kinds)})


def _broken_decision(context: Context, task: Decide, row: int, answer: str) -> str:
    parsed, key = context.parsed[row], task.label_key
    if not parsed.json_valid:
        return "not_json"
    return f"no '{key}'" if parsed.label is None and key not in json.loads(answer) else ""


def _looks_broken(answer: str) -> str:
    """An answer that begins as JSON and does not end as it, or has such a ```json fence; fences left open count."""
    start = answer.lstrip()
    if start.startswith(('{"', '{ "', "{\n", '["', "[{")) and not _is_json(start):
        return "not_json"
    if "```json" not in answer.lower():
        return ""
    if answer.count("```") % 2 == 1:
        return "open_fence"
    fences = (fence[1] for fence in _FENCE.finditer(answer))
    return "not_json" if any(not _is_json(fence) and not _ABRIDGED.search(fence) for fence in fences) else ""


def _is_json(text: str) -> bool:
    """One value, or a line each (JSONL)."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        lines = [line for line in text.splitlines() if line.strip()]
        return len(lines) > 1 and all(line.lstrip().startswith("{") and _is_json(line) for line in lines)
    return True
