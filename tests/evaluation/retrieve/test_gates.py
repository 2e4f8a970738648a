from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.recipe import Recipe
from dadeum.evaluation.evaluate import evaluate
from dadeum.evaluation.gates import check_gates_syntax
from tests.evaluation.retrieve.conftest import KNOWN_BY_TUNED
from tests.evaluation.retrieve.made import RAW, made_run


def recipe(**gates: str) -> Recipe:
    return Recipe.model_validate(RAW | {"evaluate": {"bootstrap_samples": 100, "gates": gates}})


def problems(**gates: str) -> str:
    return " ".join(str(problem) for problem in check_gates_syntax(recipe(**gates)))


def test_sound_gates_have_no_problem() -> None:
    assert problems(**{"recall@5": ">= baselines.bm25", "mrr@10": ">= 0.7", "tuned.ndcg@3": "> baselines.best"}) == ""


@pytest.mark.parametrize(
    ("metric", "condition", "said"),
    [
        ("recall@7", ">= 0.5", "recall@"),
        ("mrr", ">= 0.5", "mrr@"),
        ("bm25.recall@5", ">= 0.5", "bm25.recall@5"),
        ("mrr@10", ">= baselines.tfidf", "bm25"),
        ("mrr@10", "about 0.7", "about 0.7"),
    ],
)
def test_what_could_never_be_judged_is_said_before(metric: str, condition: str, said: str) -> None:
    assert said in problems(**{metric: condition})


def test_gates_judge_what_is_served(tmp_path: Path, encoders: Callable[..., Any]) -> None:
    """Both together find three quarters, the tuned model alone and BM25 half."""
    encoders(KNOWN_BY_TUNED)
    gates = {
        "recall@1": "> baselines.bm25", "tuned.recall@1": "> baselines.bm25", "tuned_hybrid.recall@1": ">= 0.7",
        "mrr@10": "> baselines.best",
    }  # fmt: skip
    scores = evaluate(*made_run(tmp_path / "run", evaluate={"bootstrap_samples": 100, "gates": gates}))
    assert scores.served == "tuned_hybrid"
    found = {gate.metric: gate for gate in scores.gates}
    assert [found[name].passed for name in gates] == [True, False, True, True]
    assert found["recall@1"].target == 0.5
    assert found["mrr@10"].target == max(
        scores.systems[name].metrics["mrr@10"].value for name in ("bm25", "base_model", "base_hybrid")
    )
