"""Chat: the turns of a conversation → the assistant's next turn, in free text.

`system, user, assistant, user` → the counsellor's answer. The recipe's instruction is the system turn of conversations
that bring none, in training, evaluation and serving alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from dadeum.core.examples import Turn
from dadeum.core.task import Chat

ROLES = frozenset({"system", "user", "assistant"})


def prompt(task: Chat, turns: Sequence[Turn]) -> list[Turn]:
    """What the model is given before it answers: the turns, under the task's instruction where they have none."""
    if task.instruction is None or (turns and turns[0]["role"] == "system"):
        return list(turns)
    return [{"role": "system", "content": task.instruction}, *turns]


def completion(answer: str) -> list[Turn]:
    """The answer that is taught."""
    return [{"role": "assistant", "content": answer}]


def plain_text(turns: Sequence[Turn]) -> str:
    """All that is said before the answer, without the system turn: what duplicates and baselines are compared by."""
    said = [turn["content"] for turn in turns if turn["role"] != "system"]
    return said[0] if len(said) == 1 else "\n".join(said)


def misplaced(turns: Sequence[Turn], at: int) -> str:
    """What is wrong with the turn's place in the conversation; empty when nothing is."""
    role = turns[at]["role"]
    before = next((turn["role"] for turn in reversed(turns[:at]) if turn["role"] != "system"), "assistant")
    if role not in ROLES:
        return "unknown_role"
    if role == "system":
        return "" if at == 0 else "system_not_first"
    if role == before:
        return "not_alternating"
    return "last_not_assistant" if at == len(turns) - 1 and role != "assistant" else ""
