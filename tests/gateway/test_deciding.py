from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.errors import DataError, ModelError
from dadeum.core.run import Run
from dadeum.evaluation.decide.calibration import softmax
from dadeum.gateway.deciding import NO, YES, Option, Question, alike, decided, pose
from dadeum.gateway.taught import taught
from dadeum.tasks import decide
from tests.gateway.conftest import DECIDE, FakeEngine, model_of, recipe_of

MAIL = Question("choice", "스팸입니까?", (Option("ALLOW"), Option("BLOCK", "광고")))


def judged(folder: Path, temperature: float | None) -> Any:
    """A run of DECIDE with scores.json of that temperature."""
    model = model_of(recipe_of(DECIDE, "mail"), "eeeeeeeeeeee", folder)
    path = Run(folder).scores_path
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"calibration": {"temperature": temperature} if temperature else None}))
    return model


def test_the_runs_own_labels_are_asked_as_they_were_taught(tmp_path: Path) -> None:
    model = judged(tmp_path, 2.0)
    posed = pose(model, {"subject": "(광고)   무료&nbsp;당첨"}, MAIL)
    assert posed.turns == decide.prompt(model.recipe.task, {"subject": "(광고) 무료 당첨"})  # cleaned as the rows were
    assert posed.candidates == ('{"action": "ALLOW"}', '{"action": "BLOCK"}')  # in the order of the question
    assert (posed.trained, posed.temperature) == (True, 2.0)
    assert pose(model, '{"subject": "회의"}', MAIL).turns == decide.prompt(model.recipe.task, {"subject": "회의"})
    assert pose(model, "회의", MAIL).turns == decide.prompt(model.recipe.task, {"subject": "회의"})


def test_what_is_not_the_runs_input_is_refused_with_its_fields(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="subject"):
        pose(judged(tmp_path, 2.0), {"title": "회의"}, MAIL)
    with pytest.raises(DataError, match="subject"):
        pose(judged(tmp_path / "other", 2.0), ["회의"], MAIL)


def test_another_question_is_a_korean_prompt_and_never_calibrated(tmp_path: Path) -> None:
    question = Question("yes_no", "환불을 요구합니까?", (Option(YES), Option(NO)))
    posed = pose(judged(tmp_path, 2.0), {"글": "환불해 주세요 {0}"}, question)
    assert posed.candidates == ("예", "아니요")
    assert (posed.trained, posed.temperature) == (False, None)
    asked = posed.turns[-1]["content"]
    assert '{"글": "환불해 주세요 {0}"}' in asked and "환불을 요구합니까?" in asked and "- 예" in asked
    described = pose(judged(tmp_path / "b", None), "글", Question("choice", "", (Option("가", "첫째"), Option("나"))))
    assert "- 가: 첫째" in described.turns[-1]["content"]


def test_probabilities_are_those_of_the_fitted_temperature(tmp_path: Path) -> None:
    model, engine = judged(tmp_path, 2.5), FakeEngine()
    engine.scores = lambda turns, texts: [0.9, 0.1]
    [found] = asyncio.run(decided(engine, model, [pose(model, "무료", MAIL)]))
    expected = softmax(np.log([0.9, 0.1]), 2.5)
    assert found.probabilities == pytest.approx(expected.tolist(), abs=1e-12)
    assert sum(found.probabilities) == pytest.approx(1, abs=1e-12)
    assert (found.best, found.confidence, found.calibrated) == (0, found.probabilities[0], True)
    uncalibrated = model_of(recipe_of(DECIDE, "mail"), "ffffffffffff", tmp_path / "none")
    [plain] = asyncio.run(decided(engine, uncalibrated, [pose(uncalibrated, "무료", MAIL)]))
    assert plain.probabilities == pytest.approx([0.9, 0.1])
    assert not plain.calibrated


def test_label_mass_tells_what_lies_beside_the_options(tmp_path: Path) -> None:
    class Doubtful(FakeEngine):
        async def decide(self, *given: Any) -> list[np.ndarray]:
            return [np.log([0.02, 0.01]), np.array([-np.inf, -1.0])]

    model = judged(tmp_path, None)
    posed = [pose(model, "무료", MAIL)] * 2
    first, second = asyncio.run(decided(Doubtful(), model, posed))
    assert first.label_mass == pytest.approx(0.03)
    assert first.confidence == pytest.approx(2 / 3)
    assert second.probabilities == (0.0, 1.0)


def test_scores_that_are_no_numbers_are_an_error(tmp_path: Path) -> None:
    class Broken(FakeEngine):
        async def decide(self, *given: Any) -> list[np.ndarray]:
            return [np.array([np.nan, -1.0])]

    model = judged(tmp_path, None)
    with pytest.raises(ModelError):
        asyncio.run(decided(Broken(), model, [pose(model, "무료", MAIL)]))


def test_values_that_no_tokenizer_tells_apart_are_found() -> None:
    assert alike(["가", "나", "가 나"]) is None
    assert alike(["①", "1"]) == "1"
    assert alike(["가  나", "다", " 가 나 "]) == " 가 나 "


def test_scores_of_older_weights_calibrate_nothing(tmp_path: Path) -> None:
    model = judged(tmp_path, 2.0)
    steps = {"train": {"status": "done", "finished": "2026-11-02T00:00:00+00:00"}}
    steps["evaluate"] = {"status": "done", "finished": "2026-11-01T00:00:00+00:00"}
    Run(tmp_path).manifest_path.write_text(json.dumps({"steps": steps}))
    knows = taught(model)
    assert knows is not None
    assert knows.temperature is None
