"""The step that asks the untuned model, as the pipeline runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dadeum import pipeline
from dadeum.core.run import read_jsonl


def test_the_untuned_model_is_asked_again_when_rows_or_limits_change(
    tmp_path: Path, chat_world: Any, engines: Any
) -> None:
    quiet: dict[str, Any] = {"task": {"handoff": None}}
    recipe = chat_world.recipe_with(**quiet)
    run = chat_world.make_run(recipe, tmp_path / "run")
    pipeline.score_before(recipe, run)
    pipeline.score_before(recipe, run)
    assert len(engines.loaded) == 1
    pipeline.score_before(chat_world.recipe_with(generation={"max_new_tokens": 9}, **quiet), run)
    assert len(engines.loaded) == 2
    pipeline.score_before(chat_world.recipe_with(seed=99, **quiet), run)
    assert len(engines.loaded) == 3
    events = [row["event"] for row in read_jsonl(run.folder / "events.jsonl")]
    assert events.count("step_skipped") == 1


def test_a_recipe_without_it_asks_nobody(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    recipe = chat_world.recipe_with(evaluate={"baselines": ("nearest",)})
    pipeline.score_before(recipe, chat_world.make_run(recipe, tmp_path / "run"))
    assert engines.loaded == []
