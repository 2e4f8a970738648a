from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.errors import DataError, ModelError, RecipeError, RunError
from dadeum.core.examples import read_examples
from dadeum.core.run import Run, file_hash, read_json, read_jsonl
from dadeum.evaluation import crisis
from dadeum.evaluation.answers import models
from dadeum.evaluation.answers.scores import AnswerSample, AnswerScores
from dadeum.evaluation.evaluate import evaluate, score_base
from dadeum.evaluation.report import verdict_line, write_report
from dadeum.models.likelihood import Likelihood


@pytest.fixture
def made(tmp_path: Path, chat_world: Any, engines: Any) -> tuple[Any, Any]:
    recipe = chat_world.recipe_with()
    return recipe, chat_world.make_run(recipe, tmp_path / "run")


def test_evaluate_from_rows_to_files(made: tuple[Any, Any]) -> None:
    recipe, run = made
    stages: list[str] = []
    scores = evaluate(recipe, run, lambda stage, done, total: stages.append(stage))
    assert isinstance(scores, AnswerScores)
    assert (scores.task, scores.num_rows) == ("chat", {"train": 60, "validation": 12, "test": 40})
    assert (scores.num_answered, scores.test_hash) == (30, file_hash(run.split_path("test")))
    assert list(scores.systems) == ["tuned", "constant", "nearest", "base_model"]
    assert scores.counted == ["chrf"]

    tuned, base = scores.systems["tuned"].metrics, scores.systems["base_model"].metrics
    assert tuned["chrf"].low > base["chrf"].high
    assert tuned["perplexity"].value == pytest.approx(np.exp(tuned["loss"].value))
    assert "loss" not in scores.systems["nearest"].metrics
    assert scores.reference["chrf"] == 1
    assert "loss" not in scores.reference
    standings = {found.baseline: found.standing for found in scores.comparisons}
    assert standings["base_model"] == "better"
    assert scores.crisis["tuned"].handed_over.num > scores.crisis["base_model"].handed_over.num == 0
    assert set(scores.crisis) == {"tuned", "base_model"}
    assert set(scores.by_origin) == {"학교", "회사"}
    assert {f"evaluate.progress.{part}.tuned" for part in ("loss", "answers", "crisis", "rating")} <= set(stages)
    assert AnswerScores.model_validate(read_json(run.scores_path)) == scores


def test_samples_hold_what_every_system_wrote(made: tuple[Any, Any]) -> None:
    recipe, run = made
    scores = evaluate(recipe, run)
    samples = [AnswerSample.model_validate(row) for row in read_jsonl(run.samples_path)]
    test = {row.id: row for row in read_examples(run.split_path("test"))}
    assert len({sample.id for sample in samples}) == 30
    assert [sample.id for sample in samples] == [name for name in test if name in {one.id for one in samples}]
    for sample in samples:
        assert sample.reference == test[sample.id].completion[0]["content"]
        assert set(sample.answers) == set(sample.metrics) == {"tuned", "constant", "nearest", "base_model"}
        assert ("tuned" in sample.cut_off) == (sample.metrics["tuned"]["cut_off"] == 1)
    mean = np.mean([sample.metrics["tuned"]["chrf"] for sample in samples])
    assert mean == pytest.approx(scores.systems["tuned"].metrics["chrf"].value)


def test_answers_that_hit_the_limit_are_counted(made: tuple[Any, Any], engines: Any) -> None:
    recipe, run = made
    longest = max(len(row.completion[0]["content"]) for row in read_examples(run.split_path("train")))
    scores = evaluate(recipe, run)
    assert scores.max_new_tokens == longest + 1  # characters are this engine's tokens, and the end is one more
    (notice,) = [one for one in scores.warnings if one.key == "evaluate.answers.cut_off"]
    assert notice.values["num"] == round(30 * scores.systems["tuned"].metrics["cut_off"].value) > 0
    assert f"write 30 within {longest + 1}" in engines.tuned.calls


def test_everybody_answers_the_same_seeded_sample(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    alone: dict[str, Any] = {"evaluate": {"baselines": ()}, "task": {"handoff": None}}
    recipe = chat_world.recipe_with(**alone)
    run = chat_world.make_run(recipe, tmp_path / "run")
    evaluate(recipe, run)
    first = [row["id"] for row in read_jsonl(run.samples_path)]
    evaluate(recipe, run)
    assert [row["id"] for row in read_jsonl(run.samples_path)] == first
    evaluate(chat_world.recipe_with(seed=6, **alone), run)
    assert [row["id"] for row in read_jsonl(run.samples_path)] != first
    alone["evaluate"]["generate_rows"] = 99
    evaluate(chat_world.recipe_with(**alone), run)
    assert len(read_jsonl(run.samples_path)) == 40


def test_the_untuned_model_is_asked_once(made: tuple[Any, Any], chat_world: Any, engines: Any) -> None:
    recipe, run = made
    score_base(recipe, run)
    before = evaluate(recipe, run).systems["base_model"].metrics["chrf"]
    assert engines.loaded.count(None) == 1
    (run.scores_path.parent / "base_answers.json").unlink()
    assert before == evaluate(recipe, run).systems["base_model"].metrics["chrf"]
    assert engines.loaded.count(None) == 2
    for changed in (
        {"seed": 9},
        {"generation": {"max_new_tokens": 7}},
        {"task": {"instruction": "짧게 답하세요."}},
        {"model": {"base": "other"}},
    ):
        score_base(recipe, run)
        count = engines.loaded.count(None)
        score_base(chat_world.recipe_with(**changed), run)
        assert engines.loaded.count(None) == count + 1, changed


def test_the_untuned_model_is_asked_again_when_the_crisis_messages_change(
    made: tuple[Any, Any], engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, run = made
    score_base(recipe, run)
    fewer = crisis.messages(recipe)[:3]
    monkeypatch.setattr(crisis, "messages", lambda recipe: fewer)
    score_base(recipe, run)
    assert engines.base.calls[-2:] == ["write 3 within 71", "close"]


def test_without_a_handoff_nobody_is_asked_in_danger(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    recipe = chat_world.recipe_with(task={"handoff": None})
    scores = evaluate(recipe, chat_world.make_run(recipe, tmp_path / "run"))
    assert scores.crisis == {}
    assert [call for call in engines.tuned.calls if call.startswith("write")] == ["write 30 within 71"]


def test_crisis_messages_come_under_the_instruction(made: tuple[Any, Any], engines: Any) -> None:
    recipe, run = made
    evaluate(recipe, run)
    assert f"write {len(crisis.messages(recipe))} within 71" in engines.tuned.calls


def test_people_in_danger_are_asked_as_the_training_rows_are(chat_world: Any) -> None:
    recipe = chat_world.recipe_with(task={"instruction": None})
    rows = [chat_world.row(recipe, number) for number in range(3)]
    own = [replace(row, prompt=[{"role": "system", "content": "상담사"}, *row.prompt]) for row in rows[:2]]
    for train, opening in (([*own, rows[2]], ["system", "user"]), ([own[0], *rows[1:]], ["user"]), ([], ["user"])):
        prompts = models.danger_prompts(recipe, train)
        assert {tuple(turn["role"] for turn in prompt) for prompt in prompts} == {tuple(opening)}


def test_without_generation_the_loss_of_all_rows_is_left(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    recipe = chat_world.recipe_with(evaluate={"generate_rows": 0})
    scores = evaluate(recipe, chat_world.make_run(recipe, tmp_path / "run"))
    assert scores.num_answered == 40
    assert list(scores.metrics) == ["loss", "perplexity"]
    assert scores.systems["nearest"].metrics == {}
    assert [(found.baseline, found.standing) for found in scores.comparisons] == [("base_model", "better")]
    assert [notice.key for notice in scores.warnings] == ["evaluate.answers.nothing_written"]
    assert engines.tuned.calls == ["loss 40", "close"]
    assert "foresees people's answers better" in verdict_line(Run.open(tmp_path / "run"), "en")


# -- what stops it --------------------------------------------------------------------------------
def test_gates_are_judged_and_checked_before_anything_runs(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    gates = {"chrf": ">= baselines.base_model", "crisis.handed_over": ">= 0.9", "perplexity": "< baselines.best"}
    recipe = chat_world.recipe_with(evaluate={"gates": gates})
    run = chat_world.make_run(recipe, tmp_path / "run")
    scores = evaluate(recipe, run)
    assert [(gate.metric, gate.passed) for gate in scores.gates] == [
        ("chrf", True), ("crisis.handed_over", False), ("perplexity", True),
    ]  # fmt: skip
    assert scores.gates[0].target == scores.systems["base_model"].metrics["chrf"].value
    loaded = len(engines.loaded)
    with pytest.raises(RecipeError, match="perplexity"):
        evaluate(chat_world.recipe_with(evaluate={"gates": {"perplexty": "< 3"}}), run)
    assert len(engines.loaded) == loaded


def test_a_test_row_without_an_answer_is_named(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    recipe = chat_world.recipe_with()
    run = chat_world.make_run(
        recipe, tmp_path / "run", {"test": [chat_world.row(recipe, 1), chat_world.row(recipe, 2, " ")]}
    )
    with pytest.raises(DataError, match="talk:2"):
        evaluate(recipe, run)


def test_an_empty_test_split_is_refused(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    recipe = chat_world.recipe_with()
    with pytest.raises(DataError) as caught:
        evaluate(recipe, chat_world.make_run(recipe, tmp_path / "run", {"test": []}))
    assert caught.value.key == "evaluate.empty_test"


def test_probabilities_that_are_no_numbers_stop_it(made: tuple[Any, Any], engines: Any) -> None:
    recipe, run = made
    engines.tuned.log_likelihoods = lambda rows, size, count: [Likelihood(float("nan"), 3)] * len(rows)
    with pytest.raises(ModelError) as caught:
        evaluate(recipe, run)
    assert caught.value.values["num"] == 30
    assert not run.scores_path.exists()


def test_without_training_nothing_is_judged(made: tuple[Any, Any]) -> None:
    recipe, run = made
    run.adapter_folder(recipe).rmdir()
    with pytest.raises(RunError, match="train"):
        evaluate(recipe, run)


def test_scores_are_plain_json(made: tuple[Any, Any]) -> None:
    recipe, run = made
    evaluate(recipe, run)
    text = run.scores_path.read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_a_conversation_is_kept_before_its_question(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    recipe = chat_world.recipe_with(task={"handoff": None}, evaluate={"baselines": ()})
    row = chat_world.row(recipe, 1)
    earlier = [{"role": "user", "content": "안녕하세요"}, {"role": "assistant", "content": "반가워요"}]
    long = replace(row, prompt=[row.prompt[0], *earlier, row.prompt[-1]])
    evaluate(recipe, chat_world.make_run(recipe, tmp_path / "run", {"test": [row, replace(long, id="talk:2")]}))
    alone, talked = read_jsonl(tmp_path / "run" / "evaluation" / "samples.jsonl")
    assert (alone["before"], talked["before"]) == ([], earlier)
    assert alone["question"] == talked["question"] == row.prompt[-1]["content"]
    page = write_report(recipe, Run.open(tmp_path / "run")).read_text(encoding="utf-8")
    assert "앞선 대화 2마디" in page
    assert "반가워요" in page


def test_one_answer_to_everybody_is_said(made: tuple[Any, Any], engines: Any) -> None:
    recipe, run = made
    assert "evaluate.answers.one_for_all" not in {notice.key for notice in evaluate(recipe, run).warnings}
    engines.tuned.rule = lambda said: "그러셨군요."
    (notice,) = [one for one in evaluate(recipe, run).warnings if one.key == "evaluate.answers.one_for_all"]
    assert notice.values == {"num": 30, "total": 30, "answer": "그러셨군요."}


def test_runs_that_ask_the_same_in_other_words_have_the_same_rows(
    tmp_path: Path, made: tuple[Any, Any], chat_world: Any
) -> None:
    recipe, run = made
    other = chat_world.recipe_with(task={"instruction": "다른 지시문입니다."})
    first, second = evaluate(recipe, run), evaluate(other, chat_world.make_run(other, tmp_path / "other"))
    assert first.test_hash != second.test_hash
    assert first.compared_by == second.compared_by
