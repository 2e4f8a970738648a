"""What a model is asked, and drafts out of what it replies."""

from __future__ import annotations

import pytest

from dadeum.data.builders.asking import Asking, Draft, read_drafts
from dadeum.documents.chunks import Chunk


def chunk(text: str) -> Chunk:
    return Chunk("d#1", "안내서", text, 1, 1, 10)


def test_a_chunk_with_braces_is_asked_as_it_stands() -> None:
    asking = Asking(chunk("양식은 {text}와 {number}와 {document}입니다."), 3)
    assert "양식은 {text}와 {number}와 {document}입니다." in asking.material
    assert "3개" in asking.material
    assert "안내서" in asking.material
    assert [turn["role"] for turn in asking.turns] == ["system", "user"]


def test_an_english_chunk_is_asked_in_english() -> None:
    assert Asking(chunk("The library closes on Mondays."), 2).material.startswith("Write 2 questions.")
    assert not Asking(chunk("도서관은 Wi-Fi가 됩니다."), 2).material.startswith("Write")


ONE = Draft("몇 시에 여나요?", "9시입니다.", "easy")
ROW = '{"question": "몇 시에  여나요?", "answer": "9시입니다.", "difficulty": "Easy"}'


@pytest.mark.parametrize(
    "reply",
    [
        f'{{"questions": [{ROW}]}}',
        f'```json\n{{"questions": [{ROW}]}}\n```',
        f'<think>{{"questions": []}}</think> 여기 있습니다. {{"questions": [{ROW}]}} 도움이 되었기를!',
        f"[{ROW}]",
        ROW,
    ],
)
def test_drafts_are_found_in_what_stands_around_them(reply: str) -> None:
    assert read_drafts(reply) == [ONE]


@pytest.mark.parametrize("reply", ["", "질문 1: 몇 시에 여나요?", '{"questions": "없음"}', "{" * 3000, '{"a": 1}'])
def test_what_holds_no_drafts_is_unreadable(reply: str) -> None:
    assert read_drafts(reply) is None


def test_an_empty_list_is_an_answer_and_odd_values_are_empty() -> None:
    assert read_drafts('{"questions": []}') == []
    assert read_drafts('{"questions": [{"question": 3, "difficulty": "super"}, "x"]}') == [Draft("", "", "")]
