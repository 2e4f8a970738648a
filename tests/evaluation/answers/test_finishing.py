"""Finishing steps: applied to what models wrote, each measured on its own, and what was written before is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.finishing import finish
from dadeum.core.run import read_json, read_jsonl
from dadeum.evaluation.answers import finishing
from dadeum.evaluation.answers.evaluate import evaluate, score_answers
from dadeum.evaluation.answers.facts import read_samples, read_scores
from dadeum.evaluation.answers.report import write_report
from dadeum.evaluation.answers.rows import read_rows

STEPS = ("drop_repeats", "drop_unfinished", "unify_speech_level")


@pytest.fixture
def made(tmp_path: Path, chat_world: Any, engines: Any) -> tuple[Any, Any]:
    recipe = chat_world.recipe_with(generation={"finish": STEPS, "max_new_tokens": 300}, task={"handoff": None})
    return recipe, chat_world.make_run(recipe, tmp_path / "run")


def by_hand(before: list[float | None], after: list[float | None]) -> float:
    both = [(old, new) for old, new in zip(before, after, strict=True) if old is not None and new is not None]
    return float(np.mean([new - old for old, new in both]))


def test_each_step_is_measured_against_the_one_before(made: tuple[Any, Any]) -> None:
    recipe, run = made
    scores = evaluate(recipe, run)
    assert [found.step for found in scores.finishing] == list(STEPS)
    looping = [sample for sample in read_samples(run) if "tuned" in sample.raw]
    repeats = scores.finishing[0]
    assert repeats.num_changed == len(looping) > 0
    assert repeats.differences["repetition"].value < 0
    assert {"chrf", "repetition", "length_ratio"} <= set(repeats.differences)
    assert "loss" not in repeats.differences
    for idle in scores.finishing[1:]:
        assert idle.num_changed == 0
        assert all(found.value == found.low == found.high == 0 for found in idle.differences.values())
        assert {found.outcome for found in idle.differences.values()} == {"as_good"}


def test_the_gain_is_the_difference_to_an_evaluation_without_the_step(
    tmp_path: Path, chat_world: Any, engines: Any
) -> None:
    quiet: dict[str, Any] = {"task": {"handoff": None}}
    plain = chat_world.recipe_with(generation={"max_new_tokens": 300}, **quiet)
    steps = chat_world.recipe_with(generation={"finish": ["drop_repeats"], "max_new_tokens": 300}, **quiet)
    runs = [chat_world.make_run(recipe, tmp_path / name) for recipe, name in ((plain, "plain"), (steps, "steps"))]
    before, after = evaluate(plain, runs[0]), evaluate(steps, runs[1])
    assert before.finishing == []
    figures = [[sample.metrics["tuned"] for sample in read_samples(run)] for run in runs]
    for metric in ("repetition", "chrf"):
        wanted = by_hand(*[[row[metric] for row in rows] for rows in figures])
        assert after.finishing[0].differences[metric].value == pytest.approx(wanted)
    assert after.systems["tuned"].metrics["loss"] == before.systems["tuned"].metrics["loss"]


def test_what_was_written_is_kept_where_it_was_changed(made: tuple[Any, Any]) -> None:
    recipe, run = made
    evaluate(recipe, run)
    samples = read_samples(run)
    for sample in samples:
        for name, raw in sample.raw.items():
            assert name in finishing.OF_MODELS
            assert raw != sample.answers[name]
            level = finishing.wanted_level(recipe, read_rows(recipe, run))
            assert finish(raw, STEPS, level) == sample.answers[name]
    assert any("tuned" not in sample.raw for sample in samples)
    assert all(set(sample.answers) > set(sample.raw) for sample in samples)


def test_the_untuned_model_is_finished_too_and_stored_as_it_wrote(made: tuple[Any, Any], engines: Any) -> None:
    recipe, run = made
    evaluate(recipe, run)
    stored = read_json(run.scores_path.parent / "base_answers.json")["answers"]
    assert any(sample.raw.get("base_model") in stored for sample in read_samples(run))
    num = len(engines.loaded)
    evaluate(recipe.model_copy(update={"generation": recipe.generation.model_copy(update={"finish": ()})}), run)
    assert engines.loaded[num:] == [run.adapter_folder(recipe)]
    assert [row["answers"]["base_model"] for row in read_jsonl(run.samples_path)] == stored


def test_settings_and_seed_stand_in_the_scores(made: tuple[Any, Any]) -> None:
    recipe, run = made
    evaluate(recipe, run)
    scores = read_scores(run)
    assert scores is not None
    assert scores.generation == recipe.generation
    assert scores.seed == recipe.seed


def test_the_level_is_the_recipes_or_the_commonest_that_was_taught(made: tuple[Any, Any], chat_world: Any) -> None:
    recipe, run = made
    rows = read_rows(recipe, run)
    assert finishing.wanted_level(recipe, rows) == "haeyo"
    asked = chat_world.recipe_with(task={"speech_level": "hapsyo"})
    assert finishing.wanted_level(asked, rows) == "hapsyo"


def test_given_answers_are_scored_as_they_are(made: tuple[Any, Any], engines: Any) -> None:
    recipe, run = made
    rows = read_rows(recipe, run)
    answers = ["네. " + "되풀이해서 말씀드릴게요. " * 2 for _ in rows.answered]
    scores = score_answers(recipe, run, answers)
    assert [sample.answers["tuned"] for sample in read_samples(run)] == answers
    assert scores.finishing == []
    assert "loss" not in scores.systems["tuned"].metrics
    assert engines.loaded == [None]
    with pytest.raises(ValueError, match="rows"):
        score_answers(recipe, run, answers[1:])


def test_the_report_shows_the_steps_only_where_there_are_any(
    made: tuple[Any, Any], tmp_path: Path, chat_world: Any
) -> None:
    recipe, run = made
    evaluate(recipe, run)
    page, markdown = write_report(recipe, run).read_text(), (run.folder / "report.md").read_text()
    for told in (page, markdown):
        assert "되풀이한 문장 지우기" in told
        assert "마무리 단계의 효과" in told
    assert "What the finishing steps gain" in page
    plain = chat_world.recipe_with(task={"handoff": None})
    other = chat_world.make_run(plain, tmp_path / "other")
    evaluate(plain, other)
    assert "마무리 단계의 효과" not in write_report(plain, other).read_text()
    assert "마무리 단계의 효과" not in (other.folder / "report.md").read_text()
