from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dadeum.data.corpus import Given, read_corpus
from tests.data.formats.conftest import ReadRows, only

TURNS = [
    {"role": "system", "content": "상담사입니다."},
    {"role": "user", "content": "안녕하세요"},
    {"role": "assistant", "content": "네, 반갑습니다."},
    {"role": "user", "content": "진로가 고민입니다."},
    {"role": "assistant", "content": "어떤 점이 고민이신가요?"},
]
GOOD = {"messages": TURNS}


@pytest.mark.parametrize("column", ["messages", "conversations", "Conversation", "dialog", "대화"])
def test_a_conversation_is_read_turn_by_turn(read_rows: ReadRows, column: str) -> None:
    corpus = read_rows([{column: TURNS}])
    example = only(corpus)
    assert corpus.task == "chat" and corpus.files[0].format == "messages"
    assert (example.prompt, example.completion, example.rejected) == (TURNS[:4], TURNS[4:], [])
    assert example.text == "안녕하세요\n네, 반갑습니다.\n진로가 고민입니다."
    assert example.id == example.group == "rows:1" and example.origin == example.source == "rows"
    assert corpus.files[0].columns == {"messages": column}


def test_sharegpt_speaks_of_human_and_gpt(read_rows: ReadRows) -> None:
    turns = [
        {"from": "system", "value": "규칙"}, {"from": "human", "value": "질문"}, {"from": "gpt", "value": "대답"},
    ]  # fmt: skip
    example = only(read_rows([{"id": "a1", "conversations": turns}]))
    assert [turn["role"] for turn in example.prompt + example.completion] == ["system", "user", "assistant"]
    assert example.extra == {"id": "a1"}


def test_a_system_column_comes_first(read_rows: ReadRows) -> None:
    example = only(read_rows([{"system": "규칙", "messages": TURNS[1:3]}]))
    assert example.prompt[0] == {"role": "system", "content": "규칙"}


@pytest.mark.parametrize("write", [json.dumps, repr])
def test_a_conversation_may_be_written_in_a_cell(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "rows.csv"
    cell = write(TURNS).replace('"', '""')
    path.write_text(f'no,messages\n7,"{cell}"\n', encoding="utf-8")
    example = only(read_corpus([Given(path)]))
    assert example.prompt + example.completion == TURNS
    assert example.extra == {"id": "7"}


def test_parquet_holds_lists(tmp_path: Path) -> None:
    pq.write_table(pa.table({"messages": [TURNS]}), tmp_path / "rows.parquet")
    corpus = read_corpus([Given(tmp_path / "rows.parquet")])
    assert only(corpus).completion == TURNS[4:]
    assert (corpus.files[0].container, corpus.files[0].encoding) == ("parquet", None)


def test_a_conversation_without_a_last_answer_is_kept_for_the_check_of_roles(read_rows: ReadRows) -> None:
    corpus = read_rows([GOOD, {"messages": TURNS[:2]}])
    assert corpus.splits["train"][1].completion == []
    assert corpus.splits["train"][1].prompt == TURNS[:2]


@pytest.mark.parametrize(
    ("cell", "reason", "detail"),
    [
        (7, "wrong_type", "messages: number"),
        (None, "missing_field", "messages"),
        ([], "missing_field", "messages: []"),
        (["안녕"], "wrong_type", "messages[1]: text"),
        ([{"role": "user", "content": 3}], "wrong_type", "messages[1].content: number"),
        ([{"role": "user", "content": None}], "wrong_type", "messages[1].content: null"),
        ([{"role": "user", "content": [{"type": "text"}]}], "wrong_type", "messages[1].content: list"),
        ([{"role": "user"}], "missing_field", "messages[1].content"),
        ([{"content": "안녕"}], "missing_field", "messages[1].role"),
        ([TURNS[1], {"role": "tool", "content": "42"}], "unknown_role", "messages[2].role: tool"),
        ([{"role": "assistant", "content": "", "tool_calls": [{"id": 1}]}], "unknown_role", "messages[1]: tool_calls"),
        ("[{", "broken_json", "messages: Expecting property name enclosed in double quotes"),
    ],
)
def test_a_row_that_is_no_conversation_is_listed(read_rows: ReadRows, cell: Any, reason: str, detail: str) -> None:
    corpus = read_rows([GOOD, GOOD, {"messages": cell, "id": 1}])
    (unread,) = corpus.unread
    assert (unread.id, unread.reason, unread.detail) == ("rows:3", reason, detail)
    assert (corpus.files[0].num_rows, corpus.files[0].num_unread) == (3, 1)
    assert len(corpus.splits["train"]) == 2


def test_one_object_is_kept_of_what_repeats(read_rows: ReadRows) -> None:
    first, second = read_rows([GOOD, GOOD]).splits["train"]
    assert first.prompt[0]["content"] is second.prompt[0]["content"]
    assert first.prompt[0]["role"] is second.prompt[0]["role"]
