"""Formats with one text for the input and one for the answer."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dadeum.core.errors import DataError
from tests.data.formats.conftest import ReadRows, only

USER, ASSISTANT = {"role": "user", "content": "질문"}, {"role": "assistant", "content": "대답"}


@pytest.mark.parametrize(
    ("row", "name", "task"),
    [
        ({"instruction": "질문", "output": "대답"}, "alpaca", "chat"),
        ({"지시문": "질문", "응답": "대답"}, "alpaca", "chat"),
        ({"instruction": "질문", "input": "", "response": "대답"}, "alpaca", "chat"),
        ({"instruction": "질문", "input": None, "output": "대답"}, "alpaca", "chat"),
        ({"prompt": "질문", "completion": "대답"}, "prompt_completion", "chat"),
        ({"prompt": [USER], "completion": [ASSISTANT]}, "prompt_completion", "chat"),
        ({"input": "질문", "output": "대답"}, "prompt_completion", "chat"),
        ({"question": "질문", "answer": "대답"}, "question_answer", "answer"),
        ({"Q": "질문", "A": "대답"}, "question_answer", "answer"),
        ({"질문": "질문", "답변": "대답"}, "question_answer", "answer"),
        ({"질의": "질문", "응답": "대답"}, "question_answer", "answer"),
        ({"dialogue": "질문", "summary": "대답"}, "dialogue_summary", "summarize"),
        ({"대화": "질문", "요약": "대답"}, "dialogue_summary", "summarize"),
        ({"document": "질문", "summary": "대답"}, "dialogue_summary", "summarize"),
        ({"passage": "질문", "summary": "대답"}, "dialogue_summary", "summarize"),
    ],
)
def test_names_of_columns_tell_the_format(read_rows: ReadRows, row: dict[str, Any], name: str, task: str) -> None:
    corpus = read_rows([row])
    example = only(corpus)
    assert (corpus.files[0].format, corpus.task) == (name, task)
    assert (example.prompt, example.completion) == ([USER], [ASSISTANT])
    assert (example.text, example.label, example.rejected, example.extra) == ("질문", "", [], {})


def test_alpaca_has_an_input_a_system_prompt_and_a_history(read_rows: ReadRows) -> None:
    row = {"instruction": "요약해", "input": "긴 글", "output": "짧은 글", "system": "규칙", "history": [["ㄱ", "ㄴ"]]}
    example = only(read_rows([row]))
    assert [(turn["role"], turn["content"]) for turn in example.prompt] == [
        ("system", "규칙"), ("user", "ㄱ"), ("assistant", "ㄴ"), ("user", "요약해\n긴 글"),
    ]  # fmt: skip


def test_squad_keeps_its_other_answers_beside_the_row(read_rows: ReadRows) -> None:
    rows = [
        {"context": "지문", "question": "누구?", "answers": {"text": texts, "answer_start": [0]}, "title": "제목"}
        for texts in (["홍길동", "길동", "홍길동"], [], [3])
    ]
    corpus = read_rows(rows)
    example = only(corpus)
    assert (example.text, example.completion[0]["content"]) == ("지문\n누구?", "홍길동")
    assert example.extra == {"title": "제목", "answers": "길동"}
    assert [(row.reason, row.detail) for row in corpus.unread] == [
        ("missing_field", "answers.text: []"), ("wrong_type", "answers.text: number"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"output": 3}, "wrong_type", "output: number"),
        ({"output": math.nan}, "wrong_type", "output: NaN"),
        ({"output": ["가"]}, "wrong_type", "output: list"),
        ({"output": True}, "wrong_type", "output: boolean"),
        ({"output": {"가": 1}}, "wrong_type", "output: object"),
        ({"output": None}, "missing_field", "output"),
        ({"input": math.nan}, "wrong_type", "input: NaN"),
        ({"history": "ㄱ"}, "wrong_type", "history: text"),
        ({"history": [["ㄱ"]]}, "wrong_type", "history[1]: list"),
    ],
)
def test_other_types_than_text_are_listed(
    read_rows: ReadRows, change: dict[str, Any], reason: str, detail: str
) -> None:
    good = {"instruction": "가", "input": "", "output": "나", "history": []}
    corpus = read_rows([good, good | change])
    assert [(row.id, row.reason, row.detail) for row in corpus.unread] == [("rows:2", reason, detail)]


def test_a_missing_key_is_a_missing_field(read_rows: ReadRows) -> None:
    corpus = read_rows([{"prompt": "가", "completion": "나"}, {"prompt": "가"}])
    assert [(row.reason, row.detail) for row in corpus.unread] == [("missing_field", "completion")]
    assert corpus.unread[0].original == '{"prompt": "가"}'


def test_context_stands_above_the_question_and_documents_beside_it(read_rows: ReadRows) -> None:
    row = {
        "question": "얼마인가요?", "answer": "만 원", "context": "값은 만 원이다.", "relevant_chunks": ["d1", "d2"],
        "domain": "복지", "difficulty": 2,
    }  # fmt: skip
    example = only(read_rows([row]))
    assert example.text == "값은 만 원이다.\n얼마인가요?"
    assert example.extra == {"document": "d1\nd2", "domain": "복지", "difficulty": "2"}


def test_a_label_beside_question_and_answer_makes_no_decision(read_rows: ReadRows) -> None:
    rows = [{"Q": f"질문 {number}", "A": f"대답 {number}", "label": number % 2} for number in range(30)]
    corpus = read_rows(rows)
    assert corpus.task == "answer"
    assert {example.label for example in corpus.splits["train"]} == {""}
    assert corpus.splits["train"][1].extra == {"label": "1"}
    assert read_rows(rows, "chat").task == "chat"
    assert read_rows(rows, "decide").splits["train"][1].label == "1"


def test_a_task_that_the_format_cannot_be_used_for_is_refused(read_rows: ReadRows) -> None:
    with pytest.raises(DataError, match="summarize") as raised:
        read_rows([{"question": "가", "answer": "나"}], "summarize")
    assert raised.value.key == "data.task_not_possible"


def test_half_a_pair_is_not_read_as_text(read_rows: ReadRows) -> None:
    with pytest.raises(DataError, match="instuction, output") as raised:
        read_rows([{"instuction": "가 나 다", "output": "라 마 바"}])
    assert raised.value.key == "data.unknown_shape"
    assert "빠졌거나 내용이 맞지 않는 열은 instruction" in raised.value.in_language("ko")
    assert read_rows([{"instuction": "가 나 다", "output": "라 마 바"}], "text").task == "text"
    with pytest.raises(DataError, match="instuction, otput"):
        read_rows([{"instuction": "가 나 다", "otput": "라 마 바"}])


def test_a_label_that_repeats_the_completion_is_a_decision(read_rows: ReadRows) -> None:
    rows = [{"prompt": "광고입니다", "completion": "스팸", "label": "스팸"}]
    assert only(read_rows(rows)).label == "스팸"
    assert only(read_rows(rows, "chat")).extra == {"label": "스팸"}
    assert only(read_rows([rows[0] | {"label": "1"}])).label == ""


def test_a_column_may_name_the_task(read_rows: ReadRows) -> None:
    assert read_rows([{"prompt": "가", "completion": "나", "task": "summarize"}]).task == "summarize"
    other = read_rows([{"prompt": "가", "completion": "나", "task": "문장 분류"}])
    assert other.task == "chat" and only(other).extra == {"task": "문장 분류"}
    assert read_rows([{"prompt": "가", "completion": "나", "task": "summarize"}], "chat").task == "chat"
