"""What is read is used or left out with a reason; the model's own answers make pairs too."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from dadeum.core.errors import DataError
from dadeum.core.generation import Generation
from dadeum.core.run import read_jsonl
from dadeum.core.stages import Pairs
from dadeum.models.engines import Written
from dadeum.training.preferences import sampled
from dadeum.training.preferences.build import build_pairs, split
from dadeum.training.preferences.kept import Preference
from tests.tiny import work_on
from tests.training.preferences.judged_files import recipe, row, stage, write_jsonl, write_run


def work(tiny_llama, folder, **pairs):
    made = recipe(tiny_llama, stages=[stage("dpo", **pairs)])
    write_run(folder / "run")
    return work_on(made, folder / "stage")


def test_read_is_used_plus_left_out(tiny_llama, tmp_path, caplog):
    def rated(prompt, better, worse):
        return {"prompt": prompt, "chosen": better, "rejected": worse}

    rows = [rated(f"질문 {number}", "좋은 답", "나쁜 답") for number in range(10)] + [
        rated("질문 1", "좋은  답", "나쁜 답"),
        rated("질문 2", "같음", "같 음"),
        rated("반대", "가", "나"),
        rated("반대", "나", "가"),
        rated("헤어졌어요", "가", "나"),
        rated("길다", "가" * 400, "나"),
    ]
    made = work(tiny_llama, tmp_path, path=str(write_jsonl(tmp_path / "p.jsonl", rows)))
    with caplog.at_level(logging.WARNING):
        found = build_pairs(made)
    assert found.counts == {
        "read": 16, "used": 10, "validation": 1, "left_out_contradiction": 2, "left_out_duplicate": 1,
        "left_out_equal": 1, "left_out_held_out": 1, "left_out_too_long": 1,
    }  # fmt: skip
    assert found.counts["read"] == len(found.train) + len(found.validation) + len(
        read_jsonl(made.folder / "left_out.jsonl")
    )
    assert "16개 가운데 10개" in caplog.text
    assert "검증·시험 분할에 있어" in caplog.text
    (tmp_path / "p.jsonl").unlink()  # a stage that goes on takes what was built
    assert build_pairs(made) == found


def test_gaps_below_the_limit_add_up(tiny_llama, tmp_path):
    ratings = [0.1, 0.2, 0.5, 0.52, 0.9]
    rows = [{"prompt": "질문", "answer": f"답 {rating}", "rating": rating} for rating in ratings]
    path = str(write_jsonl(tmp_path / "p.jsonl", rows))
    found = build_pairs(work(tiny_llama, tmp_path, path=path, min_gap=0.15))
    assert found.counts == {"read": 10, "used": 8, "validation": 0, "left_out_close": 2}
    assert min(pair.gap for pair in found.train) >= 0.15


def test_nothing_left_and_nothing_there_are_told(tiny_llama, tmp_path):
    path = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "질문", "chosen": "가", "rejected": "가"}])
    with pytest.raises(DataError, match="1개 가운데"):
        build_pairs(work(tiny_llama, tmp_path, path=str(path)))
    with pytest.raises(DataError, match=r"absent\.jsonl"):
        build_pairs(work(tiny_llama, tmp_path / "other", path="absent.jsonl"))


def test_groups_stay_together_and_the_seed_decides():
    pairs = [Preference(str(i), "file", f"g{i % 5}", [], f"a{i}", "b", "", None) for i in range(20)]
    train, validation = split(pairs, 0.2, seed=1)
    assert len(validation) == 4
    assert not {pair.group for pair in train} & {pair.group for pair in validation}
    assert split(pairs, 0.2, seed=1) == (train, validation)
    assert len({str(split(pairs, 0.2, seed=seed)) for seed in range(5)}) > 1
    assert split(pairs[:1], 0.5, seed=1) == (pairs[:1], [])


def test_the_reference_wins_against_the_worst_answer():
    example = row(0, "날씨 어때요?", "오늘은 맑고 바람이 붑니다.")
    written = [Written("오늘은 맑습니다.", True), Written("고양이가 잡니다.", True), Written("오늘은 맑고 바람", False)]
    better, worse, why, gap = sampled.pair_of(example, written, Pairs(sampled=3))
    assert (better, worse, gap) == ("오늘은 맑고 바람이 붑니다.", "고양이가 잡니다.", 1.0)
    assert why == "reference 1.000 > 0.000"
    better, worse, _, gap = sampled.pair_of(example, written, Pairs(sampled=3, better="best"))
    assert (better, worse) == ("오늘은 맑습니다.", "고양이가 잡니다.")  # the cut one is nearer, but never ended
    assert 0 < gap < 1
    assert sampled.pair_of(example, [Written(better, True)] * 2, Pairs(sampled=2, better="best")) == "equal"
    assert sampled.pair_of(example, [Written("끝없", False)], Pairs(sampled=1)) != "unfinished"
    assert sampled.pair_of(example, [Written("끝없", False)], Pairs(sampled=2, better="best")) == "unfinished"


def test_sampling_draws_whatever_the_recipe_writes_with():
    drawn = sampled.sampling(Generation(beams=4, finish=("drop_repeats",), no_repeat_ngram=3))
    assert (drawn.temperature, drawn.beams, drawn.finish, drawn.no_repeat_ngram) == (1.0, 1, (), 3)
    assert sampled.sampling(Generation(temperature=0.7)).temperature == 0.7


def test_the_stages_own_answers_become_pairs(tiny_llama, tmp_path):
    made = work(tiny_llama, tmp_path, sampled=2, rows=2)
    told = []
    found = build_pairs(work_on(made.recipe, made.folder, progress=lambda *args: told.append(args)))
    pairs = [*found.train, *found.validation]
    assert found.counts["read"] == 2
    taught = {"train:0": "네, 안녕하세요.", "train:1": "맑습니다.", "train:2": "국수요."}
    assert [pair.chosen for pair in pairs] == [taught[pair.id] for pair in pairs]
    assert all(pair.rejected != pair.chosen and pair.source == "sampled" for pair in pairs)
    assert told[-1] == ("train.preferences.sampling", 2, 2)
    again = build_pairs(work_on(made.recipe, tmp_path / "again"))
    assert again == found


def test_rows_are_drawn_with_the_seed():
    rows = [row(number, "a", "b") for number in range(20)]
    drawn = sampled.chosen_rows(rows, 5, seed=3)
    assert len(drawn) == 5
    assert drawn == sampled.chosen_rows(rows, 5, seed=3) != sampled.chosen_rows(rows, 5, seed=4)
    counted = Counter(one.id for seed in range(200) for one in sampled.chosen_rows(rows, 5, seed))
    assert len(counted) == 20
