from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from dadeum import pipeline
from dadeum.core.run import read_json, write_json
from dadeum.evaluation.answers import models, remembered
from dadeum.evaluation.answers.facts import read_facts, read_scores
from dadeum.evaluation.answers.scores import AnswerScores
from dadeum.evaluation.answers.verdict import judge
from dadeum.evaluation.answers.view import system_order
from dadeum.evaluation.evaluate import asks_before, evaluate, score_base
from dadeum.evaluation.report import summary_lines, verdict_line, write_report
from dadeum.models import started
from dadeum.serving.card_scores import score_table

SPOILT = "참고용입니다. 전문가와 상담하세요."


def weigh(folder: Path, number: int) -> None:
    save_file({"base_model.model.q.lora_A.weight": np.full(4, number)}, folder / "adapter_model.safetensors")


class Weighed:
    """What `load_engine` gives, by the weights that are asked for."""

    def __init__(self, engines: Any, given: Path) -> None:
        self.engines, self.given, self.asked = engines, given, 0
        self.spoilt = type(engines.base)(lambda said: SPOILT, 2.0)

    def __call__(self, recipe: Any, weights: Path | None) -> Any:
        if weights == self.given:
            self.asked += 1
            return self.spoilt
        return self.engines(recipe, weights)


@pytest.fixture
def repaired(tmp_path: Path, chat_world: Any, engines: Any, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A run that went on from an adapter that says the same to everyone."""
    given = tmp_path / "given"
    given.mkdir()
    weigh(given, 1)
    write_json(given / "adapter_config.json", {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q"]})
    loaded = Weighed(engines, given)
    monkeypatch.setattr(models, "load_engine", loaded)
    recipe = chat_world.recipe_with(model={"start": str(given)})
    return SimpleNamespace(recipe=recipe, run=chat_world.make_run(recipe, tmp_path / "run"), given=given, loaded=loaded)


def test_what_a_run_went_on_from_is_a_baseline(repaired: Any) -> None:
    scores = evaluate(repaired.recipe, repaired.run)
    assert isinstance(scores, AnswerScores)
    assert system_order(scores)[:3] == ["tuned", "before", "base_model"]
    before = next(one for one in scores.comparisons if one.baseline == "before")
    assert before.standing == "better"
    assert scores.systems["before"].metrics["loss"].value > scores.systems["tuned"].metrics["loss"].value
    assert set(scores.crisis) == {"tuned", "before", "base_model"}
    assert scores.regression is not None


def test_it_is_asked_once_for_as_long_as_its_weights_are_the_same(repaired: Any) -> None:
    score_base(repaired.recipe, repaired.run)
    assert repaired.loaded.asked == 1
    evaluate(repaired.recipe, repaired.run)
    assert repaired.loaded.asked == 1
    assert SPOILT in read_json(repaired.run.scores_path.parent / "before_answers.json")["answers"]
    weigh(repaired.given, 2)
    evaluate(repaired.recipe, repaired.run)
    assert repaired.loaded.asked == 2


def test_the_pipeline_asks_it_before_training_without_the_untuned_model(repaired: Any, chat_world: Any) -> None:
    alone = chat_world.recipe_with(model={"start": str(repaired.given)}, evaluate={"baselines": ("before",)})
    pipeline.score_before(alone, repaired.run)
    assert repaired.loaded.asked == 1
    assert repaired.loaded.engines.loaded == []
    pipeline.score_before(alone, repaired.run)  # the step is done
    assert repaired.loaded.asked == 1
    weigh(repaired.given, 2)
    pipeline.score_before(alone, repaired.run)
    assert repaired.loaded.asked == 2
    none = chat_world.recipe_with(evaluate={"baselines": ("constant",)})
    assert not asks_before(none) and asks_before(alone)


def test_the_run_is_told_as_a_repair_and_the_untuned_model_stays_in_the_table(repaired: Any) -> None:
    evaluate(repaired.recipe, repaired.run)
    lines = summary_lines(repaired.run, "ko")
    assert lines[0].startswith("이어서 학습하기 전(받은 어댑터): 시험 데이터 30건에 답했습니다. chrF")
    assert lines[1].startswith("이어서 학습한 뒤: ")
    assert lines[3].startswith("잃은 것: ")
    assert "받은 어댑터보다 사람이 쓴 것에 가깝습니다" in verdict_line(repaired.run, "ko")
    assert "given adapter" in verdict_line(repaired.run, "en")
    said = judge(read_facts(repaired.recipe, repaired.run))
    assert [one.system for one in said.figures] == ["before", "tuned", "nearest"]
    assert any("받은 어댑터보다 뚜렷하게 나아진 것" in each.ko for each in said.reading)
    page = write_report(repaired.recipe, repaired.run).read_text(encoding="utf-8")
    section = page[page.index('<section id="systems"') :].partition("</section>")[0]
    assert "받은 어댑터" in section and "미세조정 전" in section
    figures = page[page.index('<section id="verdict"') :].partition("</section>")[0]
    assert "이어서 학습하기 전" in figures and "After going on" in figures


def test_nobody_knows_what_a_bare_adapter_was_taught_and_that_is_said(repaired: Any) -> None:
    scores = evaluate(repaired.recipe, repaired.run)
    assert "models.started.unknown_rows" in {notice.key for notice in scores.warnings}
    assert str(repaired.given) in write_report(repaired.recipe, repaired.run).read_text(encoding="utf-8")


def test_the_model_card_says_what_before_means(repaired: Any) -> None:
    evaluate(repaired.recipe, repaired.run)
    table = score_table(repaired.run, "ko")
    assert table is not None and "| before |" in table and "받은 어댑터입니다" in table


def test_a_first_training_has_none_of_it(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    recipe = chat_world.recipe_with()
    run = chat_world.make_run(recipe, tmp_path / "run")
    scores = evaluate(recipe, run)
    assert "before" not in scores.systems and scores.regression is None
    assert len(summary_lines(run, "ko")) == 3
    # Files of older versions know neither field.
    stored = read_json(run.scores_path)
    for name in ("regression", "starts", "ability"):
        assert stored.pop(name) is None
    write_json(run.scores_path, stored)
    assert read_scores(run) == scores
    assert remembered.given_weights(recipe) is None
    assert started.unknown_rows(recipe) is None


def test_the_table_of_the_markdown_report_is_one(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    """An empty line between its rows would end it."""
    recipe = chat_world.recipe_with()
    run = chat_world.make_run(recipe, tmp_path / "run")
    evaluate(recipe, run)
    write_report(recipe, run)
    lines = (run.folder / "report.md").read_text(encoding="utf-8").splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("| chrF"))
    assert lines[first - 1].startswith("|---|") and lines[first - 2].startswith("| 지표")
    assert lines[first + 1].startswith("| ")
