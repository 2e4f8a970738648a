"""Summarize: a dialogue (or document) → its summary, in free text.

The instruction form of a prompt is `### Instruction`, `### Input`, `### Response`; the chat form asks in the user's
turn. An encoder-decoder reads instruction and dialogue as one text, or the dialogue alone where the instruction is
empty.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from dadeum.core.examples import Example, Turn, answer_of
from dadeum.core.task import Summarize

REFERENCES = "references"
"""Key of `Example.extra`: further summaries of the same dialogue, as a JSON list."""
_BETWEEN = "\n\n"


def prompt(task: Summarize, dialogue: str, form: Literal["chat", "instruction"]) -> list[Turn]:
    """What the model is given before it answers."""
    if form == "instruction":
        asked: list[Turn] = [{"role": "system", "content": task.instruction}] if task.instruction else []
        return [*asked, {"role": "user", "content": dialogue}]
    system: list[Turn] = [{"role": "system", "content": task.system}] if task.system else []
    return [*system, {"role": "user", "content": _asked(task.instruction, dialogue)}]


def completion(summary: str) -> list[Turn]:
    """The summary that is taught."""
    return [{"role": "assistant", "content": summary}]


def ask_otherwise(task: Summarize, example: Example, instruction: str) -> Example:
    """The same row under another instruction, whichever form it has and however its input was cut."""
    turns: list[Turn] = []
    for turn in example.prompt:
        content = turn["content"]
        if turn["role"] == "system" and content == task.instruction:
            content = instruction
        elif turn["role"] == "user" and task.instruction and content.startswith(task.instruction + _BETWEEN):
            content = _asked(instruction, content[len(task.instruction + _BETWEEN) :])
        turns.append({"role": turn["role"], "content": content})
    return replace(example, prompt=turns)


def source_text(turns: Sequence[Turn]) -> str:
    """The prompt as an encoder reads it: all turns as one text."""
    return _BETWEEN.join(turn["content"] for turn in turns)


def references(example: Example) -> list[str]:
    """All summaries that people wrote of this row, the one that is taught first."""
    return [answer_of(example), *further_references(example)]


def further_references(example: Example) -> list[str]:
    """Those that are not taught; none where the file says something else under that name."""
    try:
        found = json.loads(example.extra.get(REFERENCES, "[]"))
    except (ValueError, RecursionError):
        return []
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def _asked(instruction: str, dialogue: str) -> str:
    return f"{instruction}{_BETWEEN}{dialogue}" if instruction else dialogue
