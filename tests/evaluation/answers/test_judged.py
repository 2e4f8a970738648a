"""The judge inside an evaluation: asked over HTTP, kept in the run folder, shown in the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dadeum.core.run import read_json, read_jsonl
from dadeum.evaluation.answers.scores import AnswerScores
from dadeum.evaluation.evaluate import evaluate
from dadeum.evaluation.report import write_report
from tests.evaluation.judge_server import FakeJudge, serving


def test_an_evaluation_with_a_judge(
    tmp_path: Path, chat_world: Any, engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(FakeJudge()) as fake:
        settings = {"base_url": fake.url, "model": "large-judge", "rows": 6}
        recipe = chat_world.recipe_with(evaluate={"judge": settings})
        run = chat_world.make_run(recipe, tmp_path / "run")
        stages: list[tuple[str, int, int]] = []
        scores = evaluate(recipe, run, lambda stage, done, total: stages.append((stage, done, total)))
        asked = len(fake.requests)
        again = evaluate(recipe, run)
        assert len(fake.requests) == asked, "what was judged is not asked again"
    assert isinstance(scores, AnswerScores) and isinstance(again, AnswerScores)
    assert scores.judge is not None and again.judge is not None
    assert set(scores.judge.systems) == {"tuned", "base_model", "reference"}
    assert (scores.judge.num_rows, scores.judge.failed, scores.judge.unparsable) == (6, 0, 0)
    # 3 ratings, 2 of them again, 2 comparisons in both orders.
    total = 6 * (3 + 2 + 4)
    assert asked == total
    assert ("evaluate.progress.judge", total, total) in stages
    assert again.judge.pairs == scores.judge.pairs
    assert len(read_jsonl(run.scores_path.parent / "judge.jsonl")) == total
    assert AnswerScores.model_validate(read_json(run.scores_path)) == again
    write_report(recipe, run)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "large-judge" in page
    assert fake.url in page
