"""Lists of messages, in ChatML's words (role, content) or ShareGPT's (from, value), as lists or written as JSON."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Sequence
from typing import Any

from dadeum.core.examples import Turn
from dadeum.data.formats.base import Layout, Unread, assistant, text_in, type_name, user

ROLES = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "시스템": "system",
    "사용자": "user",
    "내담자": "user",
    "상담사": "assistant",
    "상담원": "assistant",
    "챗봇": "assistant",
}
"""Role as files write it → role of a Turn. Tool calls and their results are not trained yet, so they are no role."""
_TOOL_KEYS = ("tool_calls", "function_call")
_MIN_TURN_LIKE = 0.5
"""Share of cells that must be lists of messages: a few broken rows do not make it another format."""


def turns_in(cell: Any, column: str) -> list[Turn]:
    """The cell's messages, nothing repaired. Raises Unread, naming the message and what is wrong with it."""
    if isinstance(cell, str):
        cell = _written(cell, column)
    if cell is None:
        raise Unread("missing_field", column)
    if not isinstance(cell, list | tuple):
        raise Unread("wrong_type", f"{column}: {type_name(cell)}")
    if not cell:
        raise Unread("missing_field", f"{column}: []")
    return [_turn(message, column, number) for number, message in enumerate(cell, start=1)]


def _turn(message: Any, column: str, number: int) -> Turn:
    if type(message) is not dict:
        raise Unread("wrong_type", f"{column}[{number}]: {type_name(message)}")
    role_key, content_key = ("role", "content") if "role" in message else ("from", "value")
    written = message.get(role_key)
    role = ROLES.get(written) if isinstance(written, str) else None
    if role is None:
        if role_key not in message:
            raise Unread("missing_field", f"{column}[{number}].role")
        written = text_in(written, f"{column}[{number}].{role_key}")
        raise Unread("unknown_role", f"{column}[{number}].{role_key}: {written[:40]}")
    if len(message) > 2 and (calls := next((key for key in _TOOL_KEYS if message.get(key)), "")):
        raise Unread("unknown_role", f"{column}[{number}]: {calls}")
    content = message.get(content_key)
    if type(content) is not str:
        if content_key not in message:
            raise Unread("missing_field", f"{column}[{number}].{content_key}")
        raise Unread("wrong_type", f"{column}[{number}].{content_key}: {type_name(content)}")
    return {"role": role, "content": content}


def _written(cell: str, column: str) -> Any:
    """A list as JSON, or as pandas writes it."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError) as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    try:
        return ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise Unread("broken_json", f"{column}: {problem}") from None


def are_turn_lists(cells: Iterable[Any]) -> bool:
    """Whether most cells are lists of messages, or such lists written as text."""
    like = [_looks_like_turns(cell) for cell in cells]
    return bool(like) and sum(like) > _MIN_TURN_LIKE * len(like)


def _looks_like_turns(cell: Any) -> bool:
    if isinstance(cell, str):
        start = cell.lstrip()[:200]
        return start.startswith("[") and any(
            f"{mark}{key}{mark}" in start for key in ("role", "from") for mark in "\"'"
        )
    return (
        isinstance(cell, list) and bool(cell) and isinstance(cell[0], dict) and bool({"role", "from"} & cell[0].keys())
    )


def split_answer(turns: list[Turn]) -> tuple[list[Turn], list[Turn]]:
    """(all before the last turn, the last turn if the assistant speaks it)."""
    return (turns[:-1], turns[-1:]) if turns[-1]["role"] == "assistant" else (turns, [])


def history_in(cells: Sequence[Any], layout: Layout) -> list[Turn]:
    """`[["question", "answer"], …]` of the field `history` as turns; none where a row or the file has no such field."""
    at = layout.at.get("history")
    pairs = cells[at] if at is not None else None
    if not pairs:
        return []
    column = layout.columns["history"][0]
    if not isinstance(pairs, list):
        raise Unread("wrong_type", f"{column}: {type_name(pairs)}")
    turns: list[Turn] = []
    for number, pair in enumerate(pairs, start=1):
        where = f"{column}[{number}]"
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise Unread("wrong_type", f"{where}: {type_name(pair)}")
        turns += [*user(text_in(pair[0], where)), *assistant(text_in(pair[1], where))]
    return turns
