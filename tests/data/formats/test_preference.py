from __future__ import annotations

import pytest

from dadeum.core.errors import DataError
from tests.data.formats.conftest import ReadRows, only

ASK = {"role": "user", "content": "질문"}
GOOD, BAD = {"role": "assistant", "content": "좋은 답"}, {"role": "assistant", "content": "나쁜 답"}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "질문", "chosen": "좋은 답", "rejected": "나쁜 답"},
        {"question": "질문", "chosen": "좋은 답", "rejected": "나쁜 답"},
        {"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD]},
        {"chosen": [ASK, GOOD], "rejected": [ASK, BAD]},
        {"prompt": "질문", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]},
    ],
)
def test_pairs_come_in_many_shapes(read_rows: ReadRows, row: dict[str, object]) -> None:
    corpus = read_rows([row | {"score": 4.5}])
    example = only(corpus)
    assert (corpus.task, corpus.files[0].format) == ("prefer", "preference")
    assert (example.prompt, example.completion, example.rejected) == ([ASK], [GOOD], [BAD])
    assert example.text == "질문" and example.extra == {"score": "4.5"}


def test_a_column_of_messages_beside_the_pair_does_not_win(read_rows: ReadRows) -> None:
    row = {"prompt": "질문", "chosen": [ASK, GOOD], "rejected": [ASK, BAD], "messages": [ASK, GOOD]}
    assert read_rows([row]).task == "prefer"


def test_equal_answers_keep_their_last_turn(read_rows: ReadRows) -> None:
    example = only(read_rows([{"chosen": [ASK, GOOD], "rejected": [ASK, GOOD]}]))
    assert (example.completion, example.rejected) == ([GOOD], [GOOD])


def test_texts_need_a_prompt(read_rows: ReadRows) -> None:
    with pytest.raises(DataError) as raised:
        read_rows([{"chosen": "좋은 답", "rejected": "나쁜 답"}])
    assert raised.value.key == "data.unknown_shape"


def test_a_missing_answer_is_listed(read_rows: ReadRows) -> None:
    good = {"prompt": "질문", "chosen": "좋은 답", "rejected": "나쁜 답"}
    corpus = read_rows([good, {"prompt": "질문", "chosen": "좋은 답"}])
    assert [(row.reason, row.detail) for row in corpus.unread] == [("missing_field", "rejected")]


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ({"chosen": [ASK, GOOD], "rejected": [{"role": "user", "content": "질문 "}, BAD]}, "chosen[1]: user"),
        ({"prompt": "질문", "chosen": "좋은 답", "rejected": [ASK, BAD]}, "rejected[1]: user"),
        ({"chosen": [ASK, GOOD, ASK, GOOD], "rejected": [ASK, GOOD, GOOD, BAD]}, "chosen[3]: user"),
        ({"prompt": "질문", "chosen": [ASK, GOOD], "rejected": [ASK]}, "chosen[1]: user"),
    ],
)
def test_answers_to_different_prompts_are_no_pair(read_rows: ReadRows, row: dict[str, object], detail: str) -> None:
    corpus = read_rows([{"prompt": "질문", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}, row])
    assert [(found.reason, found.detail) for found in corpus.unread] == [("unequal_prompts", detail)]
