from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import DadeumError, DataError, ModelError, Problems, RecipeError, RunError
from dadeum.core.examples import Example, Turn, to_table
from dadeum.core.messages import LANGUAGES, text
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash, read_json, read_jsonl
from dadeum.evaluation.decide import evaluate as module
from dadeum.evaluation.decide.baselines import CLASSICAL
from dadeum.evaluation.decide.calibration import softmax
from dadeum.evaluation.decide.evaluate import score_base
from dadeum.evaluation.decide.facts import best_baseline
from dadeum.evaluation.decide.scores import Sample, Scores
from dadeum.evaluation.evaluate import evaluate
from dadeum.tasks import decide

RECIPE: dict[str, Any] = {
    "name": "fake",
    "task": {
        "type": "decide",
        "instruction": "메일을 판단하세요.",
        "labels": ["BLOCK", "ALLOW"],
        "input_fields": ["subject"],
    },
    "model": {"base": "fake", "adapter": {"type": "lora"}},
    "data": {"sources": [{"path": "x.csv"}]},
    "stages": [{"name": "sft", "method": "sft"}],
    "evaluate": {"bootstrap_samples": 200, "generate_rows": 8},
    "seed": 3,
}


def recipe_with(**sections: Any) -> Recipe:
    merged = {key: value | sections.pop(key, {}) if isinstance(value, dict) else value for key, value in RECIPE.items()}
    return Recipe.model_validate(merged | sections)


@dataclass
class FakeEngine:
    """Scores by a rule on the subject; `margin` is by how many nats BLOCK is more probable."""

    margin: Callable[[str], float]
    free: Callable[[str], str]
    calls: list[str] = field(default_factory=list)
    max_new_tokens: int = 0

    def score(
        self, prompts: list[list[Turn]], candidates: list[str], batch_size: int, progress: Callable[[int], None]
    ) -> np.ndarray:
        self.calls.append(f"score {len(prompts)}")
        assert candidates == ['{"action": "BLOCK"}', '{"action": "ALLOW"}']
        for start in range(0, len(prompts), batch_size):
            progress(len(prompts[start : start + batch_size]))
        return np.array([[self.margin(subject(prompt)) - 20.0, -20.0] for prompt in prompts])

    def generate(
        self, prompts: list[list[Turn]], max_new_tokens: int, batch_size: int, progress: Callable[[int], None]
    ) -> list[str]:
        self.calls.append(f"generate {len(prompts)}")
        self.max_new_tokens = max_new_tokens
        progress(len(prompts))
        return [self.free(subject(prompt)) for prompt in prompts]

    def close(self) -> None:
        self.calls.append("close")


def subject(prompt: list[Turn]) -> str:
    return str(json.loads(prompt[-1]["content"])["subject"])


def noisy_margin(value: str) -> float:
    """Right, but for every ninth row, and twice as sure as it should be."""
    number = int(value.rpartition(" ")[2])
    sure = 1 + number % 7
    return float(sure if ("광고" in value) != (number % 9 == 0) else -sure)


def say_label(value: str) -> str:
    return '{"action": "BLOCK"}' if noisy_margin(value) > 0 else '{"action": "ALLOW"}'


class Engines:
    """What `load_decider` gives; remembers which weights were asked for."""

    def __init__(self) -> None:
        self.tuned = FakeEngine(noisy_margin, say_label)
        self.base = FakeEngine(lambda value: -1.0, lambda value: "no idea")
        self.loaded: list[Path | None] = []

    def __call__(self, recipe: Recipe, weights: Path | None) -> FakeEngine:
        self.loaded.append(weights)
        return self.base if weights is None else self.tuned


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    found = Engines()
    monkeypatch.setattr(module, "load_decider", found)
    return found


def example(recipe: Recipe, label: str, row: int, value: str | None = None) -> Example:
    value = value or f"{'(광고) 특가' if label == 'BLOCK' else '학사 공지'} {row}"
    return Example(
        id=f"mail:{row}", source="mail", origin=("library", "dormitory")[row % 2], group=str(row), text=value,
        prompt=decide.prompt(recipe.task, {"subject": value}), completion=decide.completion(recipe.task, label),
        label=label,
    )  # fmt: skip


def mixed(recipe: Recipe, numbers: Iterable[int]) -> list[Example]:
    return [example(recipe, recipe.task.labels[row // 2 % 2], row) for row in numbers]


def make_run(recipe: Recipe, folder: Path, splits: dict[str, list[Example]] | None = None, trained: bool = True) -> Run:
    """A run folder as `data build` and `train` leave it: 40 training rows, 60 for validation, 80 for test."""
    run = Run.create(recipe, folder)
    starts = {"train": range(40), "validation": range(100, 160), "test": range(200, 280)}
    rows = {split: mixed(recipe, numbers) for split, numbers in starts.items()} | (splits or {})
    run.split_path("test").parent.mkdir(parents=True)
    for split, examples in rows.items():
        pq.write_table(to_table(examples), run.split_path(split))
    if trained:
        run.adapter_folder(recipe).mkdir(parents=True)
    return run


def keys(scores: Scores) -> list[str]:
    return [notice.key.removeprefix("evaluate.notices.") for notice in scores.warnings]


# -- the whole way --------------------------------------------------------------------------------
def test_evaluate_from_rows_to_files(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with(evaluate={"gates": {"macro_f1": ">= 0.8", "accuracy": "> baselines.best"}})
    run = make_run(recipe, tmp_path / "run")
    scores = evaluate(recipe, run)

    wrong = sum(row % 9 == 0 for row in range(200, 280))
    assert (scores.task, scores.labels, scores.positive) == ("decide", ["BLOCK", "ALLOW"], "BLOCK")
    assert scores.num_rows == {"train": 40, "validation": 60, "test": 80}
    assert list(scores.systems) == ["tuned", "majority", "tfidf", "base_model"]
    assert scores.systems["tuned"].accuracy.value == pytest.approx(1 - wrong / 80)
    assert scores.systems["majority"].confusion == [[40, 0], [40, 0]]
    assert scores.systems["tfidf"].accuracy.value == 1.0
    assert scores.systems["base_model"].confusion == [[0, 40], [0, 40]]
    assert scores.test_hash == file_hash(run.split_path("test"))

    by_name = {comparison.baseline: comparison for comparison in scores.comparisons}
    assert (by_name["tfidf"].only_tuned_right, by_name["tfidf"].only_baseline_right) == (0, wrong)
    assert by_name["tfidf"].p_value == pytest.approx(2 / 2**wrong)
    assert by_name["tfidf"].accuracy_difference.value == pytest.approx(-wrong / 80)
    assert by_name["base_model"].accuracy_difference.low > 0
    assert scores.verdict == "worse"
    assert [(gate.metric, gate.passed) for gate in scores.gates] == [("macro_f1", True), ("accuracy", False)]

    assert Scores.model_validate(read_json(run.scores_path)) == scores
    assert sorted(path.name for path in run.scores_path.parent.iterdir()) == [
        "base_scores.npz", "samples.jsonl", "scores.json",
    ]  # fmt: skip


def test_validation_rows_that_are_the_test_rows_are_scored_once(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with(evaluate={"baselines": [], "generate_rows": 0})
    same = mixed(recipe, range(100, 160))
    run = make_run(recipe, tmp_path / "run", {"validation": same, "test": same})
    scores = evaluate(recipe, run)
    assert engines.tuned.calls == ["score 60", "close"]
    assert scores.systems["tuned"].accuracy.value == pytest.approx(
        1 - sum(row % 9 == 0 for row in range(100, 160)) / 60
    )


def test_samples_hold_what_every_system_said_about_every_row(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    run = make_run(recipe, tmp_path / "run")
    scores = evaluate(recipe, run)
    samples = [Sample.model_validate(row) for row in read_jsonl(run.samples_path)]
    assert [sample.id for sample in samples] == [f"mail:{row}" for row in range(200, 280)]
    assert scores.calibration is not None
    for sample in samples:
        expected = softmax(np.array([[noisy_margin(sample.text), 0.0]]), scores.calibration.temperature)[0]
        assert list(sample.probabilities.values()) == pytest.approx(expected.tolist())
        assert sample.confidence == max(sample.probabilities.values()) == sample.probabilities[sample.predicted]
        assert sample.baselines["majority"] == "BLOCK"
        assert set(sample.baselines) == {"majority", "tfidf", "base_model"}
    assert sum(sample.generated is not None for sample in samples) == 8
    right = sum(sample.predicted == sample.label for sample in samples)
    assert right / len(samples) == pytest.approx(scores.systems["tuned"].accuracy.value)


def test_calibration_is_fitted_on_validation_alone(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    first = evaluate(recipe, make_run(recipe, tmp_path / "first"))
    other_test = {"test": mixed(recipe, range(300, 320))}
    second = evaluate(recipe, make_run(recipe, tmp_path / "second", other_test))
    assert first.calibration is not None
    assert second.calibration is not None
    assert first.calibration.temperature == second.calibration.temperature > 1
    assert first.calibration.num_validation_rows == 60
    assert first.systems["tuned"].ece == first.calibration.after.ece != first.calibration.before.ece
    assert first.systems["tuned"].brier == first.calibration.after.brier


def test_accuracy_per_origin(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    rows = [
        replace(row, origin="library" if index < 5 else "dormitory")
        for index, row in enumerate(mixed(recipe, range(200, 208)))
    ]
    scores = evaluate(recipe, make_run(recipe, tmp_path / "run", {"test": rows}))
    assert list(scores.by_origin) == ["library", "dormitory"]
    # Row 207 = 9 · 23 is wrong.
    assert scores.by_origin["library"] == {"num_rows": 5, "tuned": 1, "majority": 0.6, "tfidf": 1, "base_model": 0.4}
    assert scores.by_origin["dormitory"]["tuned"] == pytest.approx(2 / 3)


def test_the_same_run_gives_the_same_scores(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()

    def timeless(folder: str) -> dict[str, Any]:
        dumped: dict[str, Any] = evaluate(recipe, make_run(recipe, tmp_path / folder)).model_dump()
        for system in dumped["systems"].values():
            system.pop("seconds")
        return dumped

    assert timeless("first") == timeless("second")


def test_every_number_in_the_file_is_a_number(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    run = make_run(recipe, tmp_path / "run", {"test": [example(recipe, "BLOCK", 1)]})
    evaluate(recipe, run)

    def refuse(name: str) -> None:
        raise AssertionError(name)

    for line in [run.scores_path.read_text(), *run.samples_path.read_text().splitlines()]:
        json.loads(line, parse_constant=refuse)


def test_progress_counts_to_the_end(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with(evaluate={"batch_size": 32})
    seen: dict[str, list[tuple[int, int]]] = {}
    evaluate(recipe, make_run(recipe, tmp_path / "run"), lambda stage, *at: seen.setdefault(stage, []).append(at))
    assert seen["evaluate.progress.test"] == [(0, 80), (32, 80), (64, 80), (80, 80)]
    assert list(seen) == [
        f"evaluate.progress.{name}" for name in ("majority", "tfidf", "base_model", "validation", "test", "generation")
    ]
    for stage, steps in seen.items():
        assert steps[-1][0] == steps[-1][1]
        assert all(text(stage, language) for language in LANGUAGES)


def test_the_verdict_is_against_the_baseline_that_the_report_names(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    scores = evaluate(recipe, make_run(recipe, tmp_path / "run"))
    best = best_baseline(scores)
    assert best in CLASSICAL
    (comparison,) = [item for item in scores.comparisons if item.baseline == best]
    assert comparison.p_value < 0.05
    assert (scores.verdict == "worse") == (comparison.accuracy_difference.value < 0)


@pytest.mark.parametrize(
    ("baselines", "verdict"),
    [(["majority"], "better"), (["majority", "tfidf"], "worse"), (["base_model"], "no_baseline"), ([], "no_baseline")],
)
def test_verdicts(tmp_path: Path, engines: Engines, baselines: list[str], verdict: str) -> None:
    recipe = recipe_with(evaluate={"baselines": baselines})
    assert evaluate(recipe, make_run(recipe, tmp_path / "run")).verdict == verdict


def test_as_good_when_too_few_rows_differ(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    rows = {"test": mixed(recipe, range(200, 240))}  # five wrong: p = 2 / 2^5
    scores = evaluate(recipe, make_run(recipe, tmp_path / "run", rows))
    assert scores.systems["tuned"].accuracy.value < scores.systems["tfidf"].accuracy.value
    assert scores.verdict == "as_good"


# -- generation -----------------------------------------------------------------------------------
def test_generation_counts_invalid_answers_as_wrong(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with(evaluate={"generate_rows": 4})
    rows = [example(recipe, label, row) for row, label in [(1, "BLOCK"), (2, "BLOCK"), (3, "ALLOW"), (4, "ALLOW")]]
    answers = {1: '{"action": "BLOCK"}', 2: '{"action": "HOLD"}', 3: "[" * 5000, 4: '{"action": "BLOCK"}'}
    engines.tuned.free = lambda value: answers[int(value.rpartition(" ")[2])]
    run = make_run(recipe, tmp_path / "run", {"test": rows})
    found = evaluate(recipe, run).generation
    assert found is not None
    assert (found.num_rows, found.json_valid, found.schema_valid) == (4, 0.75, 0.5)
    assert (found.agreement, found.accuracy) == (0.25, 0.25)
    assert found.invalid_examples == ['{"action": "HOLD"}', "[" * 300]
    assert [row["json_valid"] for row in read_jsonl(run.samples_path)] == [True, True, False, True]


def test_generation_has_room_for_the_longest_taught_answer(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    reason = replace(
        example(recipe, "BLOCK", 1), completion=decide.completion(recipe.task, "BLOCK", "광고 표시가 있음")
    )
    evaluate(recipe, make_run(recipe, tmp_path / "run", {"train": [reason, *mixed(recipe, range(40))]}))
    assert engines.tuned.max_new_tokens >= len(reason.completion[0]["content"].encode())


def test_no_generation_when_none_is_asked_for(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with(evaluate={"generate_rows": 0})
    scores = evaluate(recipe, make_run(recipe, tmp_path / "run"))
    assert scores.generation is None
    assert not any(call.startswith("generate") for call in engines.tuned.calls)


# -- the base model -------------------------------------------------------------------------------
def test_score_base_before_training_is_reused_after_it(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    run = make_run(recipe, tmp_path / "run", trained=False)
    before = score_base(recipe, run)
    assert before.confusion == [[0, 40], [0, 40]]
    assert engines.base.calls == ["score 80", "close"]
    run.adapter_folder(recipe).mkdir(parents=True)
    assert evaluate(recipe, run).systems["base_model"] == before
    assert engines.loaded == [None, run.adapter_folder(recipe)]
    assert engines.tuned.calls == ["score 60", "score 80", "generate 8", "close"]


def test_stored_base_scores_of_other_rows_or_another_model_are_not_reused(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    run = make_run(recipe, tmp_path / "run")
    score_base(recipe, run)
    score_base(recipe, run)
    assert len(engines.loaded) == 1
    score_base(recipe_with(model={"base": "other"}), run)
    assert len(engines.loaded) == 2
    score_base(recipe, run)
    pq.write_table(to_table(mixed(recipe, range(500, 510))), run.split_path("test"))
    assert sum(map(sum, score_base(recipe, run).confusion)) == 10
    assert len(engines.loaded) == 4


def test_an_engine_is_closed_when_scoring_fails(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    engines.tuned.margin = lambda value: float("nan")
    run = make_run(recipe, tmp_path / "run")
    with pytest.raises(ModelError) as caught:
        evaluate(recipe, run)
    assert caught.value.key == "evaluate.not_finite"
    assert (caught.value.values["num"], caught.value.values["total"]) == (60, 60)
    assert engines.tuned.calls[-1] == "close"
    assert not run.scores_path.exists()
    assert not run.samples_path.exists()


def test_a_label_that_the_model_rules_out_is_no_error(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    engines.tuned.margin = lambda value: float("-inf") if "공지" in value else 3.0
    scores = evaluate(recipe, make_run(recipe, tmp_path / "run"))
    assert scores.systems["tuned"].accuracy.value == 1


# -- what is refused ------------------------------------------------------------------------------
def test_an_empty_test_split_is_refused_before_a_model_is_loaded(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    run = make_run(recipe, tmp_path / "run", {"test": []})
    for step in (evaluate, score_base):
        with pytest.raises(DataError) as caught:
            step(recipe, run)
        assert caught.value.key == "evaluate.empty_test"
        assert "test.parquet" in str(caught.value)
    assert engines.loaded == []


def test_an_unknown_label_is_refused_with_its_count(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    odd = [replace(row, label="SPAM") for row in mixed(recipe, range(3))]
    with pytest.raises(DataError) as caught:
        evaluate(recipe, make_run(recipe, tmp_path / "run", {"validation": odd}))
    assert caught.value.key == "evaluate.unknown_label"
    assert (caught.value.values["label"], caught.value.values["num"]) == ("SPAM", 3)


def test_missing_steps_are_named(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    with pytest.raises(RunError, match="dadeum train"):
        evaluate(recipe, make_run(recipe, tmp_path / "untrained", trained=False))
    run = make_run(recipe, tmp_path / "unbuilt")
    run.split_path("validation").unlink()
    with pytest.raises(RunError, match="dadeum data build"):
        evaluate(recipe, run)


@pytest.mark.parametrize(
    ("gates", "error"), [({"acuracy": "> 0.5"}, RecipeError), ({"acuracy": "> 0.5", "ece": "small"}, Problems)]
)
def test_bad_gates_are_refused_before_a_model_is_loaded(
    tmp_path: Path, engines: Engines, gates: dict[str, str], error: type[DadeumError]
) -> None:
    recipe = recipe_with(evaluate={"gates": gates})
    with pytest.raises(error, match="acuracy"):
        evaluate(recipe, make_run(recipe, tmp_path / "run"))
    assert engines.loaded == []


# -- what is said with the figures ----------------------------------------------------------------
def test_nothing_is_said_of_a_sound_evaluation(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    assert keys(evaluate(recipe, make_run(recipe, tmp_path / "run"))) == []


def test_a_test_of_one_label_is_called_meaningless(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    rows = {"test": [example(recipe, "BLOCK", row) for row in (1, 2, 4)]}
    scores = evaluate(recipe, make_run(recipe, tmp_path / "run", rows))
    assert keys(scores) == ["test_one_label", "all_right"]
    assert scores.systems["tuned"].roc_auc is None
    # No error in three rows excludes no more than 1 − 0.025^(1/3) = 70.8 % of errors.
    assert scores.warnings[1].values == {"num": 3, "percent": 70.8}


def test_a_model_that_says_one_label_to_everything_is_called_out(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    engines.tuned.margin = lambda value: 2.0
    scores = evaluate(recipe, make_run(recipe, tmp_path / "run"))
    assert keys(scores) == ["temperature_at_bound", "one_answer"]
    assert scores.warnings[1].values == {"num": 80, "label": "BLOCK"}


def test_a_label_without_test_rows_is_named(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with(task={"labels": ["BLOCK", "ALLOW", "HOLD"]})
    engines.tuned.score = lambda prompts, candidates, batch_size, progress: np.zeros((len(prompts), 3))  # type: ignore[method-assign]
    engines.base.score = engines.tuned.score  # type: ignore[method-assign]
    rows = {split: mixed(recipe_with(), numbers) for split, numbers in [("validation", range(8)), ("test", range(8))]}
    scores = evaluate(recipe, make_run(recipe, tmp_path / "run", rows))
    assert keys(scores) == ["label_absent", "one_answer"]
    assert scores.warnings[0].values == {"labels": "HOLD"}


@pytest.mark.parametrize(("validation", "key"), [([], "no_validation"), ([1, 2, 4], "validation_one_label")])
def test_uncalibrated_confidence_is_said(tmp_path: Path, engines: Engines, validation: list[int], key: str) -> None:
    recipe = recipe_with()
    rows = {"validation": [example(recipe, "BLOCK", row) for row in validation]}
    run = make_run(recipe, tmp_path / "run", rows)
    scores = evaluate(recipe, run)
    assert scores.calibration is None
    assert keys(scores) == [key]
    sample = Sample.model_validate(read_jsonl(run.samples_path)[0])
    assert sample.probabilities["BLOCK"] == pytest.approx(softmax(np.array([[noisy_margin(sample.text), 0.0]]))[0, 0])


def test_one_label_in_train_and_text_that_splits_lines(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    odd = example(recipe, "ALLOW", 7, "공지\u2028다음 줄\u0085끝 \ud55c 7")
    rows = {
        "train": [example(recipe, "BLOCK", row) for row in range(5)],
        "test": [odd, *mixed(recipe, range(200, 280))],
    }
    run = make_run(recipe, tmp_path / "run", rows)
    scores = evaluate(recipe, run)
    assert keys(scores) == ["tfidf_constant"]
    assert scores.systems["tfidf"].confusion == scores.systems["majority"].confusion
    assert read_jsonl(run.samples_path)[0]["text"] == odd.text


def test_every_notice_is_a_sentence_in_both_languages(tmp_path: Path, engines: Engines) -> None:
    recipe = recipe_with()
    rows = {"train": [example(recipe, "BLOCK", 1)], "validation": [], "test": [example(recipe, "BLOCK", 1)]}
    scores = evaluate(recipe, make_run(recipe, tmp_path / "run", rows))
    assert len(scores.warnings) == 4
    for notice in scores.warnings:
        assert all(text(notice.key, language, **notice.values) for language in LANGUAGES)
