from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import RunError
from dadeum.core.run import read_json, write_json
from dadeum.evaluation.answers.compare import AnswersComparison
from dadeum.evaluation.compare import compare, describe
from dadeum.evaluation.evaluate import evaluate

ALONE: dict[str, Any] = {"evaluate": {"baselines": ()}, "task": {"handoff": None}}


@pytest.fixture
def two(tmp_path: Path, chat_world: Any, engines: Any) -> tuple[Any, Any]:
    """A run that babbles and one that counsels, on the same rows."""
    recipe = chat_world.recipe_with(**ALONE)
    second = chat_world.make_run(recipe, tmp_path / "second")
    evaluate(recipe, second)
    engines.tuned = engines.base
    first = chat_world.make_run(recipe, tmp_path / "first")
    evaluate(recipe, first)
    return first, second


def test_the_second_run_is_better_row_by_row(two: tuple[Any, Any]) -> None:
    found = compare(*two)
    assert isinstance(found, AnswersComparison)
    assert (found.num_rows, found.outcome) == (30, "better")
    assert found.num_groups < 30
    scores = [read_json(run.scores_path)["systems"]["tuned"]["metrics"]["chrf"]["value"] for run in two]
    assert found.differences["chrf"].value == pytest.approx(scores[1] - scores[0])
    assert found.differences["chrf"].low > 0
    assert found.differences["perplexity"].value < 0
    assert found.differences["perplexity"].outcome == "better"
    assert "speech_level" in found.not_both  # babble holds no Korean sentence
    back = compare(*two[::-1])
    assert (back.outcome, back.differences["chrf"].value) == ("worse", -found.differences["chrf"].value)


def test_a_run_does_not_differ_from_itself(two: tuple[Any, Any]) -> None:
    found = compare(two[0], two[0])
    assert found.outcome == "as_good"
    assert {(one.low, one.high) for one in found.differences.values()} == {(0, 0)}


@pytest.mark.parametrize(
    ("language", "conclusion"), [("ko", "뒤 실행이 더 낫습니다"), ("en", "The second run is better")]
)
def test_a_comparison_in_words(two: tuple[Any, Any], language: str, conclusion: str) -> None:
    first, *lines, last = describe(compare(*two), language)
    assert "30" in first
    assert any(line.startswith("chrF: ") and "→" in line for line in lines)
    assert last.startswith(conclusion)


def test_other_rows_are_refused(tmp_path: Path, two: tuple[Any, Any], chat_world: Any, engines: Any) -> None:
    recipe = chat_world.recipe_with(**ALONE)
    rows = [replace(chat_world.row(recipe, number), id=f"other:{number}") for number in range(7)]
    other = chat_world.make_run(recipe, tmp_path / "other", {"test": rows})
    evaluate(recipe, other)
    with pytest.raises(RunError) as caught:
        compare(two[0], other)
    assert caught.value.key == "evaluate.compare.different_rows"
    again = chat_world.recipe_with(**(ALONE | {"evaluate": {"baselines": (), "generate_rows": 9}}))
    evaluate(again, two[1])
    with pytest.raises(RunError) as caught:
        compare(*two)
    assert caught.value.key == "evaluate.compare.different_answers"


def test_other_tasks_are_refused(two: tuple[Any, Any]) -> None:
    write_json(two[1].scores_path, read_json(two[1].scores_path) | {"task": "decide"})
    with pytest.raises(RunError, match="decide"):
        compare(*two)


def test_lost_samples_are_noticed(two: tuple[Any, Any]) -> None:
    lines = two[1].samples_path.read_text(encoding="utf-8").splitlines(keepends=True)
    two[1].samples_path.write_text("".join(lines[:9]), encoding="utf-8")
    with pytest.raises(RunError) as caught:
        compare(*two)
    assert caught.value.key == "evaluate.compare.samples_incomplete"
