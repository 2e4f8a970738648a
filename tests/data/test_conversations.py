"""Sources of a chat recipe: every shape of conversation, by `map` or by content, and what is wrong with the rest."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import DataError
from dadeum.core.examples import Turn
from dadeum.core.recipe import Source
from dadeum.data.conversations import read_conversations
from dadeum.data.reading.mapping import SourceRows


def say(role: str, content: str) -> Turn:
    return {"role": role, "content": content}


SYSTEM, USER, ANSWER = say("system", "상담사입니다."), say("user", "꿈이 없어요."), say("assistant", "천천히 찾아요.")
TALK = [SYSTEM, USER, ANSWER]


def written(folder: Path, rows: Sequence[Any], name: str = "talks.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, **source: Any) -> SourceRows:
    return read_conversations(Source.model_validate({"path": str(path), **source}), seed=1)


def turns_of(rows: SourceRows) -> list[Turn]:
    """Prompt and completion of the one row."""
    (example,) = rows.examples
    return [*example.prompt, *example.completion]


# -- shapes -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"messages": TALK}, TALK),
        (
            {"conversations": [{"from": "human", "value": "꿈이 없어요."}, {"from": "gpt", "value": "천천히 찾아요."}]},
            [USER, ANSWER],
        ),
        ({"messages": [say("사용자", "꿈이 없어요."), say("상담사", "천천히 찾아요.")]}, [USER, ANSWER]),
        ({"messages": [say("내담자", "꿈이 없어요."), say("챗봇", "천천히 찾아요.")]}, [USER, ANSWER]),
        ({"instruction": "꿈이 없어요.", "output": "천천히 찾아요."}, [USER, ANSWER]),
        ({"prompt": "꿈이 없어요.", "completion": "천천히 찾아요."}, [USER, ANSWER]),
        ({"prompt": [USER], "completion": [ANSWER]}, [USER, ANSWER]),
        ({"Q": "꿈이 없어요.", "A": "천천히 찾아요.", "label": 0}, [USER, ANSWER]),
        ({"messages": json.dumps(TALK, ensure_ascii=False)}, TALK),
        (
            {"question": "꿈이 없어요.", "answer": "천천히 찾아요.", "history": [["안녕하세요", "반가워요."]]},
            [say("user", "안녕하세요"), say("assistant", "반가워요."), USER, ANSWER],
        ),
    ],
    ids=["chatml", "sharegpt", "roles", "bot", "alpaca", "pairs", "trl", "q and a", "json text", "history"],
)  # fmt: skip
def test_every_shape_of_conversation_is_read_by_its_content(tmp_path: Path, row: Any, turns: list[Turn]) -> None:
    rows = read(written(tmp_path, [row]))
    assert turns_of(rows) == turns
    assert rows.field_map.guessed
    assert rows.rows == []


def test_a_completion_of_several_turns_leaves_only_the_last_as_the_answer(tmp_path: Path) -> None:
    more = [say("user", "그래도요."), say("assistant", "같이 찾아요.")]
    (example,) = read(written(tmp_path, [{"prompt": [USER], "completion": [ANSWER, *more]}])).examples
    assert example.prompt == [USER, ANSWER, more[0]]
    assert example.completion == [more[1]]


def test_csv_in_cp949_is_read_and_its_numeric_label_stays_a_fact(tmp_path: Path) -> None:
    path = tmp_path / "chat.csv"
    with path.open("w", encoding="cp949", newline="") as file:
        csv.writer(file).writerows([["Q", "A", "label"], ["꿈이 없어요.", "천천히 찾아요.", "2"]])
    rows = read(path)
    (example,) = rows.examples
    assert (rows.encoding, rows.format) == ("cp949", "csv")
    assert example.label == ""
    assert example.extra == {"label": "2"}


def test_a_conversation_of_several_exchanges_teaches_its_last_answer(tmp_path: Path) -> None:
    talk = [*TALK, say("user", "어떻게요?"), say("assistant", "하나씩 적어 봐요.")]
    (example,) = read(written(tmp_path, [{"messages": talk}])).examples
    assert example.completion == [talk[-1]]
    assert example.text == "꿈이 없어요.\n천천히 찾아요.\n어떻게요?"


# -- map ----------------------------------------------------------------------------------------------
def test_a_map_names_the_columns(tmp_path: Path) -> None:
    row = {"고민": "꿈이 없어요.", "조언": "천천히 찾아요.", "역할": "상담사입니다.", "게시판": "중2", "쓸모": "높음"}
    mapping = {"question": "고민", "answer": "조언", "system": "역할", "origin": "게시판"}
    rows = read(written(tmp_path, [row]), map=mapping)
    assert turns_of(rows) == TALK
    assert rows.examples[0].origin == "중2"
    assert rows.examples[0].extra == {"쓸모": "높음", "origin": "중2"}
    assert rows.field_map.columns == mapping
    assert not rows.field_map.guessed


def test_a_map_picks_the_column_where_two_would_do(tmp_path: Path) -> None:
    row = {"messages": TALK, "대화": [USER, say("assistant", "다른 답이에요.")]}
    assert turns_of(read(written(tmp_path, [row]), map={"messages": "대화"}))[-1]["content"] == "다른 답이에요."


@pytest.mark.parametrize(
    ("mapping", "key", "told"),
    [
        ({"massages": "talk"}, "data.chat.unknown_field", "'messages'"),
        ({"label": "talk"}, "data.chat.unknown_field", "messages, system"),
        ({"messages": "talks"}, "data.missing_column", "'talk'"),
        ({"question": "talk"}, "data.chat.half_a_pair", "question"),
        ({"messages": "talk", "answer": "talk"}, "data.chat.half_a_pair", "messages, answer"),
        ({"origin": "talk"}, "data.chat.half_a_pair", "origin"),
    ],
)
def test_a_wrong_map_is_refused_and_says_what_there_is(
    tmp_path: Path, mapping: dict[str, str], key: str, told: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(written(tmp_path, [{"talk": TALK}]), map=mapping)
    assert caught.value.key == key
    assert told in str(caught.value)
    assert told in caught.value.in_language("en")


@pytest.mark.parametrize("labels", [{"label": "GOOD"}, {"label_values": {"0": "GOOD"}}])
def test_a_label_is_refused_because_a_conversation_has_none(tmp_path: Path, labels: dict[str, Any]) -> None:
    with pytest.raises(DataError) as caught:
        read(written(tmp_path, [{"messages": TALK}]), **labels)
    assert caught.value.key == "data.chat.label"
    assert next(iter(labels)) in str(caught.value)


# -- wrong input ----------------------------------------------------------------------------------------
def test_a_table_without_answers_gets_a_map_to_paste(tmp_path: Path) -> None:
    path = tmp_path / "questions.csv"
    path.write_text("Q,label\n꿈이 없어요,0\n무엇을 할까요,1\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.key == "data.chat.no_turns"
    assert 'map: {question: Q, answer: "?"}' in str(caught.value)


BAD = {
    "no list": ({"messages": 3}, "wrong_type", "messages: number"),
    "text": ({"messages": "꿈이 없어요."}, "broken_json", "messages: Expecting value"),
    "role": ({"messages": [say("tool", "42"), ANSWER]}, "unknown_role", "messages[1].role: tool"),
    "no role": ({"messages": [{"content": "꿈이 없어요."}]}, "missing_field", "messages[1].role"),
    "user last": ({"messages": [USER, ANSWER, USER]}, "no_answer", "3: user"),
    "system alone": ({"messages": [SYSTEM]}, "no_answer", "1: system"),
    "twice": ({"messages": [USER, USER, ANSWER]}, "turn_order", "2: user (not_alternating)"),
    "no question": ({"messages": [SYSTEM, ANSWER]}, "turn_order", "2: assistant (not_alternating)"),
    "late system": ({"messages": [USER, SYSTEM, ANSWER]}, "turn_order", "2: system (system_not_first)"),
}


@pytest.mark.parametrize(("row", "reason", "detail"), BAD.values(), ids=BAD)
def test_rows_that_are_no_conversation_stop_or_are_listed_with_their_reason(
    tmp_path: Path, row: Any, reason: str, detail: str
) -> None:
    path = written(tmp_path, [{"messages": TALK}, row, {"messages": [USER, ANSWER]}])
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.key == f"data.bad_rows.{reason}"
    for language in ("ko", "en"):
        assert "talks.jsonl" in caught.value.in_language(language)
        assert detail in caught.value.in_language(language)
        assert "2" in caught.value.in_language(language)
    rows = read(path, on_bad_rows="drop")
    (removed,) = rows.removed
    assert (removed.id, removed.reason, removed.kind) == ("talks:2", reason, "unread")
    assert removed.detail.startswith(detail)
    assert json.loads(removed.original) == row
    assert len(rows.examples) + len(rows.removed) == rows.num_rows == 3


def test_several_kinds_of_bad_rows_are_counted_in_one_error(tmp_path: Path) -> None:
    rows = [{"messages": [USER]}, {"messages": TALK}, {"messages": [USER, USER, ANSWER]}, {"messages": [USER]}]
    with pytest.raises(DataError) as caught:
        read(written(tmp_path, rows))
    assert caught.value.key == "data.bad_rows.several"
    assert "no_answer 2, turn_order 1" in str(caught.value)
    assert "1, 3, 4" in str(caught.value)


def test_a_column_called_messages_without_any_list_says_so_for_its_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(written(tmp_path, [{"messages": {"role": "user"}}, {"messages": {"role": "user"}}]))
    assert caught.value.key == "data.bad_rows.wrong_type"
    assert "messages: object" in str(caught.value)


# -- sample and what is left aside -------------------------------------------------------------------------
def test_a_sample_is_drawn_by_seed_and_the_rest_is_listed_whole(tmp_path: Path) -> None:
    path = written(tmp_path, [{"messages": [say("user", f"고민 {n}"), ANSWER], "topic": "진로"} for n in range(20)])
    first, again = (read(path, sample=6) for _ in range(2))
    assert [example.id for example in first.examples] == [example.id for example in again.examples]
    assert len(first.examples) == 6
    assert {row.reason for row in first.removed} == {"not_sampled"}
    assert len(first.removed) == 14
    original = json.loads(first.removed[0].original)
    assert original["topic"] == "진로"
    assert read(written(tmp_path, [original], "back.jsonl")).examples[0].text == first.removed[0].text


def test_a_column_of_splits_is_not_followed_and_that_is_told(tmp_path: Path) -> None:
    rows = read(written(tmp_path, [{"messages": TALK, "split": split} for split in ("train", "test", "test")]))
    assert len(rows.examples) == 3
    (note,) = rows.notes
    assert note.key == "data.chat.split_ignored"
    assert "'split'" in str(note)


def test_values_too_long_to_be_facts_are_told(tmp_path: Path) -> None:
    rows = read(written(tmp_path, [{"messages": TALK, "log": "가" * 3000}]))
    assert rows.examples[0].extra == {}
    assert [note.key for note in rows.notes] == ["data.note.long_values"]
