"""Questions that a model is examined with: a file of them, or dadeum's own where nobody gives any.

Strict: what cannot be read is refused by file, place and reason, and no row is skipped. An answer at the end of a
conversation is left out, since the model is to give it, and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from dadeum.core.errors import DataError
from dadeum.core.examples import Turn
from dadeum.core.measured import Notice
from dadeum.core.messages import Message
from dadeum.core.task import Chat, Task
from dadeum.starts.prompt_rows import Row, rows_of
from dadeum.tasks import chat

_ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant"}
"""ShareGPT's names; ours stand for themselves."""


@dataclass(frozen=True)
class Asked:
    """Prompts, each ending with a user turn, and what there is to say of how they came about."""

    prompts: list[list[Turn]]
    notices: list[Notice] = field(default_factory=list)


def read_prompts(path: Path) -> list[list[Turn]]:
    """Of JSONL, JSON, CSV, TSV, parquet (a run's split too) or text with a question a line.

    DataError says what is wrong in which line.
    """
    return read_asked(path).prompts


def read_asked(path: Path) -> Asked:
    """The same, and how many answers at the ends of conversations were left out."""
    prompts, num_left_out = [], 0
    for place, row in rows_of(path, "question"):
        turns = _turns(path, place, row)
        asked = turns
        while asked and asked[-1]["role"] == "assistant":
            asked = asked[:-1]
        num_left_out += len(asked) < len(turns)
        if not asked or asked[-1]["role"] != "user":
            raise _bad(path, place, "asks_nothing")
        prompts.append(asked)
    left_out = Notice(key="starts.prompts.left_out", values={"num": num_left_out})
    return Asked(prompts, [left_out] if num_left_out else [])


def read_answers(path: Path) -> list[str]:
    """Training answers of such a file: the last turn of a conversation, or a column of answers."""
    return [_answer(path, place, row) for place, row in rows_of(path, "answer")]


def shipped_prompts(num: int | None = None) -> list[list[Turn]]:
    """dadeum's own 72, category by category; `num` of them evenly, so that these are of many kinds too."""
    questions = [question for asked in shipped_questions().values() for question in asked]
    least = min(len(questions), num or len(questions))
    chosen = [questions[place * len(questions) // least] for place in range(least)]
    return [[{"role": "user", "content": question}] for question in chosen]


@cache
def shipped_questions() -> Mapping[str, tuple[str, ...]]:
    """Category → its questions, as they stand in the file."""
    return {category: tuple(questions) for category, questions in _yaml("prompts.yaml").items()}


def for_task(asked: Asked, task: Task) -> Asked:
    """Under the system turn that a chat was trained with, where they bring none.

    Of other tasks it is said that the form of training (instruction, chunks) is missing.
    """
    if not isinstance(task, Chat):
        return Asked(asked.prompts, [*asked.notices, Notice(key="starts.prompts.bare", values={"task": task.type})])
    if task.instruction is None or all(prompt[0]["role"] == "system" for prompt in asked.prompts):
        return asked
    under = [chat.prompt(task, prompt) for prompt in asked.prompts]
    return Asked(under, [*asked.notices, Notice(key="starts.prompts.system")])


# -- rows ------------------------------------------------------------------------------------------
def _turns(path: Path, place: str, row: Row) -> list[Turn]:
    """A conversation, or a question (with its input, under its system turn)."""
    if isinstance(found := _first(row, "conversation"), list):
        return _conversation(path, place, found)
    question = _text(path, place, _first(row, "question"))
    if question is None:
        reason = "no_column" if found is None else "no_list"
        raise _bad(path, place, reason, columns=", ".join(row) or "-", known=_known("conversation", "question"))
    beside = _text(path, place, _first(row, "beside"))
    system = _text(path, place, _first(row, "system"))
    above: list[Turn] = [{"role": "system", "content": system}] if system else []
    return [*above, {"role": "user", "content": "\n\n".join(part for part in (question, beside) if part)}]


def _conversation(path: Path, place: str, found: list[Any]) -> list[Turn]:
    turns: list[Turn] = []
    for number, one in enumerate(found, start=1):
        role = one.get("role", one.get("from")) if isinstance(one, dict) else None
        content = one.get("content", one.get("value")) if isinstance(one, dict) else None
        if not isinstance(role, str) or not isinstance(content, str) or not content.strip():
            raise _bad(path, place, "no_turn", number=number)
        turns.append({"role": _ROLES.get(role, role), "content": content})
    for at, turn in enumerate(turns):
        problem = chat.misplaced(turns, at)
        if problem and problem != "last_not_assistant":
            raise _bad(path, place, problem, number=at + 1, role=turn["role"])
    return turns


def _answer(path: Path, place: str, row: Row) -> str:
    found = _first(row, "answer")
    conversation = found if isinstance(found, list) else _first(row, "conversation")
    if isinstance(conversation, list) and conversation:
        last = _conversation(path, place, conversation)[-1] if conversation is not found else conversation[-1]
        found = last.get("content") if isinstance(last, dict) and last.get("role") == "assistant" else None
    answer = _text(path, place, found)
    if answer is None:
        raise _bad(path, place, "no_answer", columns=", ".join(row) or "-", known=_known("conversation", "answer"))
    return answer


def _first(row: Row, kind: str) -> Any:
    """The value of the first column of this kind that the row has; an empty one counts as not there."""
    by_name = {name.casefold(): value for name, value in row.items()}
    values = (by_name.get(name) for name in _yaml("prompt_columns.yaml")[kind])
    return next((value for value in values if value is not None), None)


def _text(path: Path, place: str, value: Any) -> str | None:
    """None where nothing stands there; a value that is no text is refused."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise _bad(path, place, "no_text", kind=type(value).__name__)
    return value.strip() or None


def _known(*kinds: str) -> str:
    return ", ".join(dict.fromkeys(name for kind in kinds for name in _yaml("prompt_columns.yaml")[kind]))


def _bad(path: Path, place: str, reason: str, **values: object) -> DataError:
    why = Message(f"starts.prompts.reason.{reason}", values)
    return DataError("starts.prompts.bad_row", path=path, place=place, reason=why)


@cache
def _yaml(name: str) -> dict[str, list[str]]:
    """A file of this package."""
    found: dict[str, list[str]] = yaml.safe_load(
        resources.files("dadeum.starts").joinpath(name).read_text(encoding="utf-8")
    )
    return found
