from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dadeum.core.run import Run, append_jsonl
from dadeum.evaluation.report import write_report
from dadeum.evaluation.report_facts import read_run
from dadeum.evaluation.report_watch import looks, stopped_at
from tests.tiny import decide_recipe


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """As `training/watch.py` leaves it."""
    recipe = decide_recipe("base", task={"type": "chat"})
    run = Run.create(recipe, tmp_path / "run")
    for step, state in ((0, 2), (20, 1), (10, 2)):
        figures: dict[str, Any] = {"watch/entropy": 1.25, "watch/dependence": 0.5, "watch/marks": 0.75}
        append_jsonl(run.metrics_path, {"stage": "sft", "step": step, "watch/state": state} | figures)
    append_jsonl(run.metrics_path, {"stage": "sft", "step": 20, "loss": 1.5})
    run.record("training", {"sft": {"steps": 20, "figures": {"watch_looks": 3, "watch_stopped_step": 20}}})
    return run


def test_looks_stand_in_the_order_of_their_steps(run: Run) -> None:
    facts = read_run(run.recipe(), run)
    found = looks(facts, "sft")
    assert [(look.step, look.state) for look in found] == [(0, "collapsed"), (10, "collapsed"), (20, "at_risk")]
    assert [value.ko for value in found[0].figures] == ["1.25 비트", "0.50 비트", "75%", "–", "–"]
    assert stopped_at(facts, "sft") == 20
    assert looks(facts, "other") == [] and stopped_at(facts, "other") is None
    assert len(facts.curves[0].train) == 1  # a look is no point of the learning curve


def test_the_report_shows_them_with_the_learning_curve(run: Run) -> None:
    page = write_report(run.recipe(), run).read_text(encoding="utf-8")
    section = page[page.index('<section id="learning"') :].partition("</section>")[0]
    assert "시작 관찰" in section and "무너짐" in section and "Training was stopped at step 20" in section
    assert "- 시작 관찰: 0: 무너짐, 10: 무너짐, 20: 위험. " in (run.folder / "report.md").read_text(encoding="utf-8")


def test_a_run_that_did_not_look_says_nothing_of_it(tmp_path: Path) -> None:
    run = Run.create(decide_recipe("base", task={"type": "chat"}), tmp_path / "run")
    append_jsonl(run.metrics_path, {"stage": "sft", "step": 1, "loss": 1.5})
    assert "시작 관찰" not in write_report(run.recipe(), run).read_text(encoding="utf-8")
