"""The chat task: which turns the model is given, and what is compared."""

from __future__ import annotations

import pytest

from dadeum.core.examples import Turn
from dadeum.core.task import Chat
from dadeum.tasks import chat

USER: Turn = {"role": "user", "content": "진로가 고민이에요."}
ANSWER: Turn = {"role": "assistant", "content": "어떤 점이 고민이세요?"}
MORE: Turn = {"role": "user", "content": "꿈이 없어요."}
SYSTEM: Turn = {"role": "system", "content": "친절한 상담사입니다."}


def task(instruction: str | None) -> Chat:
    return Chat(type="chat", instruction=instruction)


def test_the_instruction_is_the_system_turn_of_conversations_that_bring_none() -> None:
    given = [USER, ANSWER, MORE]
    assert chat.prompt(task("상담사입니다."), given) == [{"role": "system", "content": "상담사입니다."}, *given]
    assert given == [USER, ANSWER, MORE]


def test_a_system_turn_of_the_conversation_wins() -> None:
    assert chat.prompt(task("상담사입니다."), [SYSTEM, USER]) == [SYSTEM, USER]


def test_without_an_instruction_nothing_is_added() -> None:
    assert chat.prompt(task(None), [USER]) == [USER]


def test_a_message_alone_is_answered_under_the_instruction() -> None:
    assert chat.prompt(task("상담사입니다."), [USER])[0]["role"] == "system"
    assert chat.completion("네.") == [{"role": "assistant", "content": "네."}]


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        ([], ""),
        ([SYSTEM], ""),
        ([SYSTEM, USER], "진로가 고민이에요."),
        ([SYSTEM, USER, ANSWER, MORE], "진로가 고민이에요.\n어떤 점이 고민이세요?\n꿈이 없어요."),
    ],
)
def test_plain_text_is_all_that_was_said_but_the_system_turn(turns: list[Turn], text: str) -> None:
    assert chat.plain_text(turns) == text


@pytest.mark.parametrize(
    ("turns", "problems"),
    [
        ([SYSTEM, USER, ANSWER], ["", "", ""]),
        ([USER, ANSWER, MORE], ["", "", "last_not_assistant"]),
        ([USER, MORE, ANSWER], ["", "not_alternating", ""]),
        ([ANSWER], ["not_alternating"]),
        ([USER, SYSTEM, ANSWER], ["", "system_not_first", ""]),
        ([{"role": "tool", "content": "42"}, ANSWER], ["unknown_role", ""]),
    ],
)
def test_every_turn_knows_its_place(turns: list[Turn], problems: list[str]) -> None:
    assert [chat.misplaced(turns, at) for at in range(len(turns))] == problems
