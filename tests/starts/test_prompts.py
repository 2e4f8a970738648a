from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from dadeum.core.errors import DataError
from dadeum.core.examples import Example, to_table
from dadeum.core.task import Chat, Summarize
from dadeum.data.builders.korean_sft_rows import conversations
from dadeum.data.builders.made_topics import shingles, topics
from dadeum.starts.examine import evenly
from dadeum.starts.prompts import (
    Asked,
    for_task,
    read_answers,
    read_asked,
    read_prompts,
    shipped_prompts,
    shipped_questions,
)

USER = {"role": "user", "content": "왜 그래?"}
ANSWER = {"role": "assistant", "content": "그냥요."}
SYSTEM = {"role": "system", "content": "짧게."}
NEAR = 0.4
"""Shared 3-grams (Jaccard): the likest pair has 0.29, two texts about SQL."""


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"messages": [SYSTEM, USER, ANSWER]}, [SYSTEM, USER]),
        ({"messages": [USER, ANSWER, {**USER, "content": "정말?"}]}, [USER, ANSWER, {**USER, "content": "정말?"}]),
        ({"conversations": [{"from": "human", "value": "왜 그래?"}, {"from": "gpt", "value": "그냥요."}]}, [USER]),
        ({"prompt": "왜 그래?"}, [USER]),
        ({"prompt": [SYSTEM, USER], "completion": [ANSWER]}, [SYSTEM, USER]),
        ({"Question": "왜 그래?", "system": "짧게."}, [SYSTEM, USER]),
        ({"질문": "왜 그래?", "답변": "그냥요."}, [USER]),
        (
            {"instruction": "줄여 줘.", "input": "긴 글", "output": "글"},
            [{"role": "user", "content": "줄여 줘.\n\n긴 글"}],
        ),
        ({"instruction": "왜 그래?", "input": ""}, [USER]),
    ],
)
def test_every_common_shape_becomes_a_prompt_without_its_answer(tmp_path, row, turns):
    assert read_prompts(jsonl(tmp_path / "q.jsonl", row)) == [turns]
    (tmp_path / "q.json").write_text(json.dumps([row, row]), encoding="utf-8")
    assert read_prompts(tmp_path / "q.json") == [turns, turns]


def test_answers_that_are_left_out_are_counted(tmp_path):
    asked = read_asked(jsonl(tmp_path / "q.jsonl", {"messages": [USER, ANSWER]}, {"messages": [USER]}))
    assert asked.prompts == [[USER], [USER]]
    assert [(notice.key, notice.values) for notice in asked.notices] == [("starts.prompts.left_out", {"num": 1})]


def test_tables_and_plain_text_are_read(tmp_path):
    (tmp_path / "q.csv").write_text('번호,question\r\n1,왜 그래?\r\n2,"쉼표, 있는\n두 줄"\r\n', encoding="utf-8-sig")
    assert [prompt[-1]["content"] for prompt in read_prompts(tmp_path / "q.csv")] == ["왜 그래?", "쉼표, 있는\n두 줄"]
    (tmp_path / "q.tsv").write_text("prompt\tid\n왜, 그래?\t1\n", encoding="utf-8")
    assert read_prompts(tmp_path / "q.tsv") == [[{"role": "user", "content": "왜, 그래?"}]]
    (tmp_path / "q.txt").write_text("왜 그래?\n\n어디 가?\u2028지금\n", encoding="utf-8")
    assert [prompt[0]["content"] for prompt in read_prompts(tmp_path / "q.txt")] == ["왜 그래?", "어디 가?\u2028지금"]


def test_a_split_of_a_run_is_read(tmp_path):
    import pyarrow.parquet as pq

    example = Example("a:1", "a", "a", "a", "왜 그래?", [SYSTEM, USER], [ANSWER], "", extra={"note": "x"})
    pq.write_table(to_table([example]), tmp_path / "test.parquet")
    assert read_prompts(tmp_path / "test.parquet") == [[SYSTEM, USER]]
    assert read_answers(tmp_path / "test.parquet") == ["그냥요."]


@pytest.mark.parametrize(
    ("name", "content", "key", "told"),
    [
        ("q.jsonl", '{"prompt": "왜?"}\n{"prompt": \n', "no_json", "q.jsonl의 2번째"),
        ("q.jsonl", '["왜?"]\n', "no_object", "list"),
        ("q.jsonl", '{"text": "왜?", "id": 1}\n', "bad_row", "text, id"),
        ("q.jsonl", '{"prompt": 3}\n', "bad_row", "int"),
        ("q.jsonl", '{"prompt": "  "}\n', "bad_row", "1번째"),
        ("q.jsonl", '\n{"messages": [{"role": "assistant", "content": "네."}]}\n', "bad_row", "2번째"),
        ("q.jsonl", '{"messages": []}\n', "bad_row", "사용자의 말"),
        ("q.jsonl", '{"messages": [{"role": "user", "content": ""}]}\n', "bad_row", "1번째 차례"),
        ("q.jsonl", '{"messages": [{"role": "tool", "content": "3"}]}\n', "bad_row", "tool"),
        ("q.jsonl", '{"messages": "[{}]"}\n', "bad_row", "JSONL"),
        (
            "q.jsonl",
            '{"messages": [{"role": "user", "content": "가"}, {"role": "user", "content": "나"}]}\n',
            "bad_row",
            "번갈아",
        ),
        ("q.csv", "제목,내용\n가,나\n", "bad_row", "제목, 내용"),
        ("q.csv", "prompt\n가,나\n", "too_many_cells", "2번째"),
        ("q.csv", 'prompt\n"가\n', "no_csv", "따옴표"),
        ("q.csv", "prompt\n", "empty_file", "20개 이상"),
        ("q.txt", "\n \n", "empty_file", "하나도"),
        ("q.parquet", "no parquet", "no_parquet", "parquet"),
        ("q.xlsx", "x", "unknown_file", ".jsonl"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, name, content, key, told):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_prompts(tmp_path / name)
    assert error.value.key == f"starts.prompts.{key}"
    assert told in error.value.in_language("ko")
    assert str(tmp_path / name) in error.value.in_language("en")


def test_another_encoding_is_refused_at_its_byte(tmp_path):
    (tmp_path / "q.txt").write_bytes("a왜?".encode("cp949"))
    with pytest.raises(DataError, match="UTF-8") as error:
        read_prompts(tmp_path / "q.txt")
    assert error.value.values["byte"] == 1


def test_training_answers_are_read_and_their_absence_is_refused(tmp_path):
    rows = [{"messages": [USER, ANSWER]}, {"prompt": "왜?", "completion": "몰라요."}, {"질문": "왜?", "답변": "네."}]
    assert read_answers(jsonl(tmp_path / "a.jsonl", *rows)) == ["그냥요.", "몰라요.", "네."]
    (tmp_path / "a.txt").write_text("그냥요.\n", encoding="utf-8")
    assert read_answers(tmp_path / "a.txt") == ["그냥요."]
    for row in ({"messages": [USER]}, {"prompt": "왜?"}):
        with pytest.raises(DataError) as error:
            read_answers(jsonl(tmp_path / "b.jsonl", row))
        assert error.value.key == "starts.prompts.bad_row"


def test_prompts_take_the_form_of_training_or_it_is_said_that_they_do_not():
    asked = Asked([[USER], [SYSTEM, USER]])
    under = for_task(asked, Chat(type="chat", instruction="친절하게."))
    assert under.prompts == [[{"role": "system", "content": "친절하게."}, USER], [SYSTEM, USER]]
    assert [notice.key for notice in under.notices] == ["starts.prompts.system"]
    assert for_task(asked, Chat(type="chat")) is asked
    other = for_task(asked, Summarize(type="summarize", instruction="줄여라."))
    assert other.prompts == asked.prompts
    assert [notice.key for notice in other.notices] == ["starts.prompts.bare"]


# -- our own ---------------------------------------------------------------------------------------
def test_there_are_six_questions_of_each_category_and_each_ends_with_the_user():
    questions = shipped_questions()
    assert {category: len(asked) for category, asked in questions.items()} == dict.fromkeys(conversations(), 6)
    prompts = shipped_prompts()
    assert len(prompts) == len({prompt[0]["content"] for prompt in prompts}) == 72
    assert shipped_prompts(100) == prompts


@pytest.mark.parametrize("num", [6, 12, 20, 24, 40, 64])
def test_whichever_part_of_them_is_asked_is_of_all_kinds(num):
    category_of = {question: name for name, asked in shipped_questions().items() for question in asked}
    for part in (evenly(shipped_prompts(), num), shipped_prompts(num)):
        assert len(part) == num
        counts = Counter(category_of[prompt[0]["content"]] for prompt in part)
        assert len(counts) == min(num, 12)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_no_question_is_a_near_copy_of_what_is_made_for_training_or_of_another():
    asked = [prompt[0]["content"] for prompt in shipped_prompts()]
    made = [turn for rows in conversations().values() for row in rows for turn in row.turns[::2]]
    made += [ask for topic in topics() for ask in topic.asks]
    known = [shingles(text) for text in made]
    near = []
    for at, question in enumerate(asked):
        grams = shingles(question)
        others = known + [shingles(other) for other in asked[:at]]
        near += [question for other in others if len(grams & other) >= NEAR * len(grams | other)]
    assert near == []


def test_questions_do_not_begin_alike():
    starts = [re.split(r"\s", prompt[0]["content"])[0] for prompt in shipped_prompts()]
    commonest = max(starts.count(start) for start in starts)
    assert commonest <= 4


def test_the_questions_come_with_the_package():
    folder = Path(__file__).parents[2] / "src" / "dadeum" / "starts"
    assert yaml.safe_load((folder / "prompts.yaml").read_text(encoding="utf-8"))
