from collections.abc import Callable
from typing import Any

import pytest

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_json, write_json
from dadeum.evaluation.decide.facts import read_facts, read_scores
from dadeum.evaluation.decide.scores import Scores
from dadeum.evaluation.decide.verdict import Verdict, judge, kind_of, three_lines

MakeRun = Callable[..., tuple[Recipe, Run]]
STRONG, WEAK = {"tuned": 0.97, "tfidf": 0.85, "base_model": 0.5}, {"tuned": 0.8, "tfidf": 0.97, "base_model": 0.5}


def judged(made: tuple[Recipe, Run]) -> Verdict:
    return judge(read_facts(*made))


def change(run: Run, **changes: Any) -> Scores:
    """Other fields in scores.json."""
    write_json(run.scores_path, read_json(run.scores_path) | changes)
    scores = read_scores(run)
    assert scores is not None
    return scores


@pytest.mark.parametrize(
    ("verdict", "right", "korean", "english"),
    [
        ("better", STRONG, "뚜렷하게 낫습니다", "clearly better"),
        ("as_good", {"tuned": 0.95, "tfidf": 0.95}, "LLM이 필요하지 않습니다", "You do not need an LLM"),
        ("worse", WEAK, "그것을 쓰세요", "is better. Use it"),
        ("no_baseline", {"tuned": 0.95}, "판단할 수 없습니다", "nobody can say"),
    ],
)
def test_every_verdict_has_its_sentence(
    make_run: MakeRun, verdict: str, right: dict[str, float], korean: str, english: str
) -> None:
    found = judged(make_run(verdict=verdict, right=right))
    assert found.kind == verdict
    assert korean in found.headline.ko
    assert english in found.headline.en


def test_a_baseline_as_good_says_what_an_llm_might_still_add_and_what_the_test_can_tell(make_run: MakeRun) -> None:
    said = " ".join(sentence.ko for sentence in judged(make_run(right={"tuned": 0.95, "tfidf": 0.95})).reading)
    assert "그것이 필요할 때만 LLM을 쓰고" in said
    assert "작은 차이는 가려낼 수 없습니다" in said


def test_a_model_that_repeats_one_label_is_called_that(make_run: MakeRun) -> None:
    found = judged(make_run(verdict="as_good", right={"tuned": 0.5, "majority": 0.0}))
    assert found.kind == "as_majority"
    assert "가장 흔한 라벨" in found.headline.ko


def test_a_model_with_one_answer_is_told_from_one_that_errs(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=40)
    systems = read_json(run.scores_path)["systems"]
    assert "(이)라고만" not in " ".join(sentence.ko for sentence in judged((recipe, run)).reading)
    change(run, systems=systems | {"tuned": systems["majority"]})
    said = " ".join(sentence.ko for sentence in judged((recipe, run)).reading)
    assert "시험 데이터 40건 모두에 BLOCK(이)라고만 답했습니다" in said


def test_a_test_of_one_label_decides_nothing_however_high_the_score(make_run: MakeRun) -> None:
    found = judged(make_run(verdict="better", right=STRONG, one_label=True))
    assert found.kind == "one_label"
    assert "아무것도 판단할 수 없습니다" in found.headline.ko
    assert "McNemar" not in " ".join(sentence.ko for sentence in found.reading)


def test_no_scores_no_verdict(make_run: MakeRun) -> None:
    recipe, run = make_run()
    run.scores_path.unlink()
    found = judged((recipe, run))
    assert found.kind == "not_measured"
    assert found.figures == []


def test_three_figures_with_their_counts(make_run: MakeRun) -> None:
    found = judged(make_run(num_test=100))
    assert [figure.role for figure in found.figures] == ["before", "after", "baseline"]
    assert [figure.system for figure in found.figures] == ["base_model", "tuned", "tfidf"]
    for figure in found.figures:
        assert figure.total == 100
        assert figure.right / figure.total == pytest.approx(figure.accuracy.value)


def test_the_difference_is_told_with_rows_interval_and_p(make_run: MakeRun) -> None:
    recipe, run = make_run(verdict="better", right=STRONG)
    scores = read_scores(run)
    assert scores is not None
    tfidf = next(item for item in scores.comparisons if item.baseline == "tfidf")
    said = judged((recipe, run)).reading[0].ko
    assert f"미세조정한 모델만 맞힌 행이 {tfidf.only_tuned_right}건" in said
    assert f"기준선만 맞힌 행이 {tfidf.only_baseline_right}건" in said
    assert "95% 구간 +" in said


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ({"tuned": 0.95, "base_model": 0.5}, "효과가 있었습니다"),
        ({"tuned": 0.6, "base_model": 0.95}, "오히려 나빠졌습니다"),
        ({"tuned": 0.9, "base_model": 0.9}, "효과는 확인되지 않았습니다"),
    ],
)
def test_what_tuning_itself_changed(make_run: MakeRun, right: dict[str, float], words: str) -> None:
    assert words in judged(make_run(verdict="no_baseline", right=right)).reading[-1].ko


def test_accuracy_on_held_out_origins_is_told_when_they_are_a_part_of_the_test(make_run: MakeRun) -> None:
    recipe, run = make_run()
    origins = {"accounting.example.ac.kr": {"num_rows": 100, "tuned": 0.9, "tfidf": 0.7}, "우편함": {"num_rows": 300}}
    change(run, by_origin=origins)
    said = " ".join(sentence.ko for sentence in judged((recipe, run)).reading)
    assert "시험 데이터 100건만 보면 정확도는 미세조정한 모델이 90.0%, TF-IDF 기준선이 70.0%" in said


def test_limits_are_named(make_run: MakeRun) -> None:
    said = " ".join(sentence.ko for sentence in judged(make_run(num_test=60)).cautions)
    assert "60건뿐" in said
    assert "accounting.example.ac.kr" in said
    assert "synthetic_mail.csv" in said
    assert "영어로 학습한 작은 모델" in said


def test_limits_that_do_not_hold_are_not_named(make_run: MakeRun) -> None:
    said = " ".join(c.ko for c in judged(make_run(base="org/korean-model", source="mail.csv", hold_out=())).cautions)
    assert "영어로" not in said
    assert "지어낸" not in said
    assert "같은 출처에서" in said


def test_notices_of_evaluate_stand_among_the_limits(make_run: MakeRun) -> None:
    recipe, run = make_run()
    change(run, warnings=[{"key": "page.units.rows", "values": {"num": 7}}, {"key": "no.such.key", "values": {"n": 3}}])
    said = [sentence.ko for sentence in judged((recipe, run)).cautions]
    assert "7건" in said
    assert "no.such.key (n=3)" in said


def test_exactly_three_lines_whatever_was_measured(make_run: MakeRun) -> None:
    _, run = make_run(num_test=100)
    scores = read_scores(run)
    assert scores is not None
    before, after, baseline = three_lines(scores)
    assert before.ko.startswith("미세조정 전: 시험 데이터 100건 중 ")
    assert "95% 구간" in after.ko
    assert baseline.en.startswith("Baseline (TF-IDF + logistic regression): ")


def test_three_lines_say_what_was_not_measured(make_run: MakeRun) -> None:
    _, run = make_run(verdict="no_baseline", right={"tuned": 0.9})
    scores = read_scores(run)
    assert scores is not None
    before, _, baseline = three_lines(scores)
    assert "재지 않았습니다" in before.ko
    assert "not measured" in baseline.en


def test_the_kind_follows_scores_json(make_run: MakeRun) -> None:
    _, run = make_run(right=STRONG)
    assert kind_of(change(run, verdict="worse")) == "worse"
