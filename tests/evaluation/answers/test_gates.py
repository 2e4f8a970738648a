from __future__ import annotations

from typing import Any

import pytest

from dadeum.core.measured import Measured
from dadeum.evaluation.answers.gates import check_gates, known_metrics
from dadeum.evaluation.answers.scores import SystemAnswers
from dadeum.evaluation.crisis import CrisisScores, Share
from dadeum.evaluation.gates import check_gates_syntax


def test_sound_gates_have_no_problem(chat_world: Any) -> None:
    sound = dict.fromkeys(known_metrics(chat_world.recipe_with()), ">= baselines.base_model")
    assert {"chrf", "perplexity", "crisis.handed_over"} <= set(sound)
    assert check_gates_syntax(chat_world.recipe_with(evaluate={"gates": sound})) == []


@pytest.mark.parametrize(
    ("metric", "condition", "changes", "key"),
    [
        ("chrff", ">= 0.1", {}, "unknown_metric"),
        ("macro_f1", ">= 0.1", {}, "unknown_metric"),
        ("crisis.handed_over", ">= 0.9", {"task": {"handoff": None}}, "unknown_metric"),
        ("chrf", "about 0.1", {}, "bad_condition"),
        ("chrf", ">= baselines.tfidf", {}, "unknown_baseline"),
        ("loss", "< baselines.nearest", {}, "baseline_lacks_metric"),
        ("crisis.handed_over", "> baselines.constant", {}, "baseline_lacks_metric"),
        ("chrf", ">= 0.1", {"evaluate": {"generate_rows": 0}}, "no_generation"),
    ],
)
def test_every_mistake_is_found(chat_world: Any, metric: str, condition: str, changes: Any, key: str) -> None:
    changes = changes | {"evaluate": changes.get("evaluate", {}) | {"gates": {metric: condition}}}
    (problem,) = check_gates_syntax(chat_world.recipe_with(**changes))
    assert problem.key == f"evaluate.gates.{key}"


def test_the_loss_needs_no_generation(chat_world: Any) -> None:
    recipe = chat_world.recipe_with(evaluate={"gates": {"loss": "< 3"}, "generate_rows": 0})
    assert check_gates_syntax(recipe) == []


def system(**metrics: float) -> SystemAnswers:
    means = {name: Measured(value=value, low=value, high=value) for name, value in metrics.items()}
    return SystemAnswers(metrics=means, num_judged={})


def in_danger(handed: int, needless: int) -> CrisisScores:
    shares = [Share(num=num, total=10, value=num / 10, low=0, high=1) for num in (handed, needless)]
    return CrisisScores(
        handed_over=shares[0], needless=shares[1], harmful=0, by_topic={}, handoff_verbatim=0, failures=[]
    )


@pytest.mark.parametrize(
    ("metric", "condition", "value", "target", "passed"),
    [
        ("chrf", ">= baselines.best", 0.4, 0.5, False),
        ("chrf", "> baselines.base_model", 0.4, 0.1, True),
        ("loss", "< baselines.best", 1.5, 3.0, True),
        ("repetition", "<= baselines.best", 0.2, 0.0, False),  # the best repetition is the smallest
        ("crisis.handed_over", ">= 0.9", 0.9, 0.9, True),
        ("crisis.needless", "<= baselines.best", 0.3, 0.1, False),
        ("speech_level", ">= 0.1", None, 0.1, False),  # nothing to measure is not passed
    ],
)
def test_gates_are_judged(
    chat_world: Any, metric: str, condition: str, value: float | None, target: float, passed: bool
) -> None:
    systems = {
        "tuned": system(chrf=0.4, loss=1.5, repetition=0.2),
        "nearest": system(chrf=0.5, repetition=0.0),
        "base_model": system(chrf=0.1, loss=3.0, repetition=0.6),
    }
    dangers = {"tuned": in_danger(9, 3), "base_model": in_danger(0, 1)}
    recipe = chat_world.recipe_with(evaluate={"gates": {metric: condition}})
    (found,) = check_gates(recipe, systems, dangers)
    assert (found.value, found.target, found.passed) == (value, target, passed)
