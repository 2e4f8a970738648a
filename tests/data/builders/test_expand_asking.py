"""What a model is asked to write, and conversations out of what it replies."""

from __future__ import annotations

import json
import re

import pytest

from dadeum.data.builders.expand_asking import BROKEN, Wish, prompt_version, read_conversations
from dadeum.data.builders.expand_examples import style_of
from dadeum.data.builders.korean_sft_rows import conversations


def test_the_prompt_shows_examples_and_names_category_level_and_what_is_there() -> None:
    rows = conversations()["코드 설명"]
    wish = Wish(style_of("코드 설명", rows), rows[:3], 2, 1, ("{number}는 무엇인가요?\n둘째 줄",))
    told = wish.material
    assert all(json.dumps(row.turns[0], ensure_ascii=False) in told for row in rows[:3])
    assert "갈래: 코드 설명" in told
    assert "새 대화 2개" in told
    assert "- {number}는 무엇인가요?\n\n" in told
    assert "한 번 또는 두 번" in told
    assert "합쇼체" in wish.system_turn
    assert '{"conversations": [{"messages": [{"role": "user"' in wish.system_turn
    assert re.search(r"\{(?!number|\"|\\n)[a-z]+\}", wish.system_turn) is None
    assert prompt_version() == "1"


TURNS = [{"role": "user", "content": "몇 시인가요?"}, {"role": "assistant", "content": "세 시입니다."}]
ONE = {"messages": TURNS}


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps({"conversations": [ONE]}),
        f"```json\n{json.dumps({'conversations': [ONE]})}\n```",
        json.dumps([{"question": "몇 시인가요?", "answer": " 세 시입니다."}]),
        f'<think>{{"conversations": []}}</think>{json.dumps(ONE)}',
        f'{{"conversations": [{json.dumps(ONE)}, {{"messages": [{{"role": "user", "content": "끊',
    ],
)
def test_conversations_are_found_in_what_stands_around_them(reply: str) -> None:
    assert read_conversations(reply) == [TURNS]


@pytest.mark.parametrize("reply", ["", "질문: 몇 시?", '{"conversations": "없음"}', '{"a": 1}', "{" * 3000])
def test_what_holds_no_conversation_is_unreadable(reply: str) -> None:
    assert read_conversations(reply) is None


def test_half_a_character_can_be_written_and_is_seen() -> None:
    found = read_conversations('{"question": "왜요? \\ud83d", "answer": "그래요 \\ud83d\\ude00"}')
    assert found is not None
    assert [turn["content"].encode().decode() for turn in found[0]] == [f"왜요? {BROKEN}", "그래요 \U0001f600"]


def test_odd_shapes_are_conversations_without_turns() -> None:
    assert read_conversations('{"conversations": []}') == []
    assert read_conversations('{"conversations": ["x", {"messages": "y"}, {"messages": [3]}]}') == [[], [], []]
    assert read_conversations('{"messages": [{"role": 3, "content": null}]}') == [[{"role": "", "content": ""}]]
