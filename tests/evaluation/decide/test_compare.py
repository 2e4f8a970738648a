from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dadeum.core.errors import RunError
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, write_json, write_jsonl
from dadeum.evaluation.compare import compare, describe
from dadeum.evaluation.decide.compare import RunComparison, judge_pair
from dadeum.evaluation.decide.scorers import Answers, Resampling, score_system
from dadeum.evaluation.decide.scores import Sample, Scores

LABELS = ("BLOCK", "ALLOW")
RECIPE = Recipe.model_validate(
    {
        "name": "r",
        "task": {"type": "decide", "instruction": "?", "labels": list(LABELS), "input_fields": ["subject"]},
        "model": {"base": "b", "adapter": {"type": "none"}},
        "data": {"sources": [{"path": "x.csv"}]},
        "stages": [{"name": "sft", "method": "sft"}],
    }
)


def judged_run(
    folder: Path, gold: str, predicted: str, test_hash: str = "same", labels: tuple[str, ...] = LABELS
) -> Run:
    """A run whose evaluation gave the label indices `predicted` for rows of the labels `gold`."""
    run = Run.create(RECIPE, folder)
    truth, said = (np.array([int(digit) for digit in digits]) for digits in (gold, predicted))
    scores = Scores(
        task="decide", labels=list(labels), positive=labels[0],
        num_rows={"train": 0, "validation": 0, "test": len(gold)},
        systems={"tuned": score_system(labels, truth, Answers(said), Resampling(1, 200))}, calibration=None,
        generation=None, comparisons=[], gates=[], verdict="no_baseline", test_hash=test_hash,
    )  # fmt: skip
    write_json(run.scores_path, scores.model_dump(mode="json"))
    write_jsonl(
        run.samples_path,
        (
            Sample(
                id=f"s:{row}", source="s", origin="s", text="", label=labels[int(g)], predicted=labels[int(p)],
                probabilities={}, confidence=1.0, baselines={},
            ).model_dump(mode="json")
            for row, (g, p) in enumerate(zip(gold, predicted, strict=True))
        ),
    )  # fmt: skip
    return run


# -- two systems ----------------------------------------------------------------------------------
def test_a_pair_by_hand() -> None:
    gold = np.zeros(20, dtype=int)
    first = np.array([0] * 8 + [1] * 2 + [0] * 10)
    second = np.array([1] * 8 + [0] * 2 + [0] * 10)
    found = judge_pair(gold, first, second, 2, Resampling(1, 500))
    assert (found.test.only_first, found.test.only_second) == (8, 2)
    assert found.test.p_value == pytest.approx(0.109375)
    assert found.accuracy_difference.value == pytest.approx(6 / 20)
    assert found.outcome == "as_good"


@pytest.mark.parametrize(
    ("wins", "losses", "outcome"), [(6, 0, "better"), (0, 6, "worse"), (5, 0, "as_good"), (0, 0, "as_good")]
)
def test_outcomes_need_six_rows_of_one_kind(wins: int, losses: int, outcome: str) -> None:
    gold = np.zeros(30, dtype=int)
    first = np.array([0] * wins + [1] * losses + [0] * (30 - wins - losses))
    second = np.array([1] * wins + [0] * losses + [0] * (30 - wins - losses))
    found = judge_pair(gold, first, second, 2, Resampling(1, 200))
    assert found.outcome == outcome
    comparison = found.as_comparison("tfidf")
    assert (comparison.baseline, comparison.only_tuned_right, comparison.only_baseline_right) == ("tfidf", wins, losses)
    assert comparison.p_value == found.test.p_value


# -- two runs -------------------------------------------------------------------------------------
def test_the_second_run_is_judged_against_the_first(tmp_path: Path) -> None:
    gold = "0" * 20 + "1" * 20
    first = judged_run(tmp_path / "a", gold, "1" * 8 + "0" * 12 + "1" * 20)
    second = judged_run(tmp_path / "b", gold, "0" * 20 + "1" * 19 + "0")
    found = compare(first, second)
    assert found.num_rows == 40
    assert found.fixed == [f"s:{row}" for row in range(8)]
    assert found.broken == ["s:39"]
    assert found.p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert found.outcome == "better"
    assert found.accuracy_difference.value == pytest.approx(7 / 40)
    assert [part.value for part in found.accuracy] == pytest.approx([32 / 40, 39 / 40])
    assert found.macro_f1_difference.value == pytest.approx(found.macro_f1[1].value - found.macro_f1[0].value)
    assert found.accuracy_difference.low > 0
    back = compare(second, first)
    assert (back.outcome, back.fixed, back.broken) == ("worse", found.broken, found.fixed)
    assert back.accuracy_difference.value == pytest.approx(-found.accuracy_difference.value)


def test_a_run_is_as_good_as_itself(tmp_path: Path) -> None:
    run = judged_run(tmp_path / "a", "0011", "0101")
    found = compare(run, run)
    assert (found.outcome, found.p_value, found.fixed, found.broken) == ("as_good", 1.0, [], [])
    assert (found.accuracy_difference.low, found.accuracy_difference.high) == (0, 0)


def test_labels_may_stand_in_another_order(tmp_path: Path) -> None:
    first = judged_run(tmp_path / "a", "0011", "0011")
    second = judged_run(tmp_path / "b", "1100", "1100", labels=("ALLOW", "BLOCK"))
    assert compare(first, second).outcome == "as_good"
    assert compare(first, second).accuracy_difference.value == 0


def test_runs_with_different_test_rows_are_refused(tmp_path: Path) -> None:
    first = judged_run(tmp_path / "a", "01", "01")
    second = judged_run(tmp_path / "b", "011", "011", test_hash="other")
    with pytest.raises(RunError) as caught:
        compare(first, second)
    assert caught.value.key == "evaluate.compare.different_rows"
    assert (caught.value.values["num_first"], caught.value.values["num_second"]) == (2, 3)


def test_runs_with_different_labels_are_refused(tmp_path: Path) -> None:
    first = judged_run(tmp_path / "a", "01", "01")
    second = judged_run(tmp_path / "b", "01", "01", labels=("BLOCK", "PASS"))
    with pytest.raises(RunError, match="PASS"):
        compare(first, second)


def test_a_run_without_evaluation_is_refused(tmp_path: Path) -> None:
    first = judged_run(tmp_path / "a", "01", "01")
    with pytest.raises(RunError, match="dadeum evaluate"):
        compare(first, Run.create(RECIPE, tmp_path / "b"))


def test_samples_that_do_not_match_the_scores_are_refused(tmp_path: Path) -> None:
    first = judged_run(tmp_path / "a", "0101", "0101")
    second = judged_run(tmp_path / "b", "0101", "0101")
    lines = second.samples_path.read_text(encoding="utf-8").splitlines(keepends=True)
    second.samples_path.write_text("".join(lines[:3]), encoding="utf-8")
    with pytest.raises(RunError) as caught:
        compare(first, second)
    assert caught.value.key == "evaluate.compare.samples_incomplete"
    assert (caught.value.values["found"], caught.value.values["expected"]) == (3, 4)


@pytest.mark.parametrize(
    ("language", "conclusion"), [("ko", "뒤 실행이 더 낫습니다"), ("en", "The second run is better")]
)
def test_a_comparison_in_words(tmp_path: Path, language: str, conclusion: str) -> None:
    gold = "0" * 20 + "1" * 20
    found = compare(
        judged_run(tmp_path / "a", gold, "1" * 10 + "0" * 10 + "1" * 20), judged_run(tmp_path / "b", gold, gold)
    )
    assert isinstance(found, RunComparison)
    accuracy, macro_f1, rows, last = describe(found, language)
    assert "75.0%" in accuracy
    assert "100.0%" in accuracy
    assert "+25.0" in accuracy
    assert "1.000" in macro_f1
    assert "10" in rows
    assert last.startswith(conclusion)
