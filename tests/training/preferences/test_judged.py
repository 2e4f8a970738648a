"""Three kinds of judgements, told apart by their columns; every row is a pair or left out with a reason."""

from __future__ import annotations

import csv
import json
import logging

import pytest

from dadeum.core.errors import DataError
from dadeum.training.preferences.judged import pairs_of_file
from dadeum.training.preferences.kept import LeftOut, Preference
from dadeum.training.preferences.prompts import Prompts
from tests.training.preferences.judged_files import recipe, row, write_jsonl, write_run


@pytest.fixture
def prompts(tmp_path):
    return Prompts(recipe("none"), write_run(tmp_path / "run"))


def sides(found):
    pairs = [one for one in found if isinstance(one, Preference)]
    return [(pair.chosen, pair.rejected) for pair in pairs], [one.reason for one in found if isinstance(one, LeftOut)]


def test_prompts_may_be_texts_turns_or_ids_of_training_rows(prompts, tmp_path):
    turns = [{"role": "user", "content": "날씨 어때요?"}]
    answers = {"chosen": "맑아요.", "rejected": "몰라."}
    rows = [
        {"prompt": " 날씨\n어때요? ", **answers},
        {"prompt": turns, **answers},
        {"prompt": json.dumps(turns), **answers},
        {"id": "train:1", **answers},
        {"chosen": [*turns, {"role": "assistant", "content": "맑아요."}],
         "rejected": [*turns, {"role": "assistant", "content": "몰라."}]},
        {"prompt": "날씨 어때요?", "chosen": [*turns, {"role": "assistant", "content": "맑아요."}],
         "rejected": [*turns, {"role": "assistant", "content": "몰라."}]},
    ]  # fmt: skip
    expected = row(1, "날씨 어때요?", "맑습니다.")
    for number, one in enumerate(rows):
        found = pairs_of_file(write_jsonl(tmp_path / f"{number}.jsonl", [one]), prompts)
        assert [(pair.prompt, pair.group, pair.chosen) for pair in found] == [(expected.prompt, "train-1", "맑아요.")]


def test_an_unknown_dialogue_gets_the_tasks_prompt(prompts, tmp_path):
    path = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "새 질문", "chosen": "답", "rejected": "헛소리"}])
    [pair] = pairs_of_file(path, prompts)
    assert [turn["content"] for turn in pair.prompt] == ["짧게 답하세요.", "새 질문"]


@pytest.mark.parametrize("given", [{"prompt": "헤어졌어요"}, {"prompt": "내일이  시험이에요"}, {"id": "test:0"}])
def test_rows_of_other_splits_are_never_learnt_from(prompts, tmp_path, given):
    path = write_jsonl(tmp_path / "p.jsonl", [{**given, "chosen": "가", "rejected": "나"}])
    assert sides(pairs_of_file(path, prompts)) == ([], ["held_out"])


def test_bad_rows_are_left_out_by_name(prompts, tmp_path):
    path = write_jsonl(
        tmp_path / "p.jsonl",
        [
            {"prompt": "질문", "chosen": "가", "rejected": "나"},
            {"prompt": "질문", "chosen": "", "rejected": "나"},
            {"prompt": " ", "chosen": "가", "rejected": "나"},
            {"chosen": "가", "rejected": "나"},
            {"id": "train:99", "chosen": "가", "rejected": "나"},
            {"prompt": [{"role": "assistant", "content": "답이 끝"}], "chosen": "가", "rejected": "나"},
            ["no", "row"],
        ],
    )
    path.write_text(path.read_text("utf-8") + "{broken\n", "utf-8")
    pairs, reasons = sides(pairs_of_file(path, prompts))
    assert pairs == [("가", "나")]
    assert sorted(reasons) == ["bad_row", "bad_row", "empty", "no_prompt", "no_prompt", "no_prompt", "unknown_row"]


def test_all_pairs_of_rated_answers_with_their_distance(prompts, tmp_path, caplog):
    rows = [
        ("질문", "좋음", 5),
        ("질문", "보통", 3),
        ("질문", "나쁨", 1),
        ("딴 질문", "혼자", 4),
        ("질문", "글자", "?"),
    ]
    path = tmp_path / "rated.csv"
    with path.open("w", encoding="cp949", newline="") as file:  # as Excel in Korea saves it
        csv.writer(file).writerows([("질문", "답변", "점수"), *rows])
    with caplog.at_level(logging.WARNING):
        found = pairs_of_file(path, prompts)
    assert {(pair.chosen, pair.rejected): pair.gap for pair in found if isinstance(pair, Preference)} == {
        ("좋음", "보통"): 0.5, ("좋음", "나쁨"): 1.0, ("보통", "나쁨"): 0.5,
    }  # fmt: skip
    assert sorted(sides(found)[1]) == ["alone", "bad_row"]
    assert "1에서 5까지" in caplog.text


def test_ratings_within_0_and_1_are_distances_as_they_are(prompts, tmp_path):
    rows = [{"prompt": "질문", "answer": "가", "rating": 0.9}, {"prompt": "질문", "answer": "나", "rating": 0.6},
            {"prompt": "질문", "answer": "가", "rating": 0.7}]  # fmt: skip
    [pair] = pairs_of_file(write_jsonl(tmp_path / "p.jsonl", rows), prompts)
    assert (pair.chosen, pair.rejected) == ("가", "나")
    assert pair.gap == pytest.approx(0.2)  # the mean of 0.9 and 0.7 against 0.6


def test_votes_on_one_pair_are_counted_whichever_side_it_stood_on(prompts, tmp_path):
    def vote(winner, a="가", b="나", prompt="질문"):
        return {"prompt": prompt, "a": a, "b": b, "winner": winner}

    rows = [vote("a"), vote("model_b", "나", "가"), vote("B"), vote("tie"), vote("a", prompt="딴것"),
            vote("b", prompt="딴것"), vote("who?")]  # fmt: skip
    found = pairs_of_file(write_jsonl(tmp_path / "p.jsonl", rows), prompts)
    [pair] = [one for one in found if isinstance(one, Preference)]
    assert (pair.chosen, pair.rejected, pair.why) == ("가", "나", "votes 2.5:1.5")
    assert pair.gap == pytest.approx(0.25)
    assert sorted(sides(found)[1]) == ["bad_row", "tie"]


def test_counted_votes(prompts, tmp_path):
    rows = [{"id": "train:0", "a": "가", "b": "나", "votes_a": 1, "votes_b": 4}]
    [pair] = pairs_of_file(write_jsonl(tmp_path / "p.jsonl", rows), prompts)
    assert (pair.chosen, pair.gap) == ("나", pytest.approx(0.6))


def test_a_file_that_tells_no_better_answer_is_refused_with_its_columns(prompts, tmp_path):
    path = write_jsonl(tmp_path / "p.jsonl", [{"question": "질문", "answer": "답"}])
    with pytest.raises(DataError, match="question, answer"):
        pairs_of_file(path, prompts)
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match=r"p\.csv"):
        pairs_of_file(tmp_path / "p.csv", prompts)
