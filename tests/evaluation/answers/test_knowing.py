from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.run import read_json
from dadeum.evaluation.ability.measure import answered
from dadeum.evaluation.ability.questions import questions
from dadeum.evaluation.ability.result import Answered
from dadeum.evaluation.answers import knowing
from dadeum.evaluation.answers.ability_view import ability_rows, ability_words, subject_rows
from dadeum.evaluation.evaluate import evaluate, score_base
from dadeum.evaluation.report import summary_lines, write_report


def knows(share: float) -> Answered:
    """A model that gets the first `share` of the questions right."""
    asked = questions()
    sums = np.full((len(asked), 4), -2.0)
    for number, question in enumerate(asked):
        right = number < share * len(asked)
        sums[number, question.right if right else (question.right + 1) % 4] = -1.0
    return answered(sums, np.ones((len(asked), 4)), asked)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was asked; the tuned model has unlearnt a third of what the untuned one knows."""
    found: list[str] = []

    def measured(recipe: Any, weights: Path | None, progress: Any, who: str) -> Answered:
        found.append(who)
        return knows({"tuned": 0.5, "base_model": 0.8}[who])

    monkeypatch.setattr(knowing, "measure", measured)
    return found


def test_what_was_unlearnt_is_measured_and_shown(
    tmp_path: Path, chat_world: Any, engines: Any, asked: list[str]
) -> None:
    gates = {"ability": ">= baselines.base_model"}
    recipe = chat_world.recipe_with(evaluate={"ability": True, "gates": gates}, task={"handoff": None})
    run = chat_world.make_run(recipe, tmp_path / "run")
    score_base(recipe, run)
    assert asked == ["base_model"]
    scores = evaluate(recipe, run)
    assert asked == ["base_model", "tuned"]  # what was asked before training is not asked again
    assert "found" in read_json(run.scores_path.parent / "base_model_ability.json")
    assert scores.ability is not None
    change = scores.ability.differences["base_model"]
    assert change.verdict == "worse" and change.accuracy.value == pytest.approx(-0.3, abs=0.01)
    (gate,) = scores.gates
    assert (gate.value, gate.target, gate.passed) == (pytest.approx(0.5), pytest.approx(0.8), False)

    rows = ability_rows("chat", scores.ability)
    assert [(row.system, row.accuracy) for row in rows] == [("tuned", "50.0%"), ("base_model", "80.0%")]
    assert rows[1].difference.en == "−30.0 points"
    names, subjects = subject_rows("chat", scores.ability)
    assert len(names) == 2 and len(subjects) == 8
    assert ability_words(scores.ability)[0].en.startswith("General ability: ")
    page = write_report(recipe, run).read_text(encoding="utf-8")
    section = page[page.index('<section id="ability"') :].partition("</section>")[0]
    assert "80.0%" in section and "−30.0" in section
    assert summary_lines(run, "ko")[-1].startswith("일반 능력: ")


def test_chosen_answers_have_no_weights_to_ask(tmp_path: Path, chat_world: Any, engines: Any, asked: list[str]) -> None:
    from dadeum.evaluation.answers.evaluate import score_answers

    recipe = chat_world.recipe_with(evaluate={"ability": True, "starts": {}, "baselines": ("constant",)})
    run = chat_world.make_run(recipe, tmp_path / "run")
    scores = score_answers(recipe, run, ["네."] * 30)
    assert scores.ability is None and scores.starts is None and asked == []
    assert "evaluate.repair.chosen" in {notice.key for notice in scores.warnings}
