"""A training that is looked at learns what it would have learnt: packed, padded, and by every kind of method."""

from __future__ import annotations

import pytest

from dadeum.core.run import read_jsonl
from tests.starts.conftest import VARIED
from tests.training.watched import WATCH, assert_equal, chat_recipe, learn, looks, weights

SMALL = {"every": 2, "answers": 3, "max_new_tokens": 4}


@pytest.mark.parametrize(("adapter", "changes"), [("lora", {}), ("none", {"share_prefix": False})])
def test_a_training_that_is_looked_at_learns_the_same(varied, tmp_path, adapter, changes):
    watches = (None, WATCH | SMALL)
    recipes = [
        chat_recipe(varied, watch, adapter, epochs=2, gradient_checkpointing=True, **changes) for watch in watches
    ]
    runs = [learn(recipe, tmp_path / str(number), VARIED)[0] for number, recipe in enumerate(recipes)]
    assert [len(looks(run)) for run in runs] == [0, 4]
    assert_equal(weights(runs[0], recipes[0]), weights(runs[1], recipes[1]))
    curves = [[row["loss"] for row in read_jsonl(run.metrics_path) if "loss" in row] for run in runs]
    assert curves[0] == curves[1]


@pytest.mark.parametrize(
    "stage",
    [
        {"method": "dpo", "pairs": {"sampled": 1, "min_gap": 0.0}},
        {"method": "grpo", "rewards": {"length": 1.0}, "generations": 2, "max_new_tokens": 6, "batch_size": 6},
        {"method": "ppo", "rewards": {"length": 1.0}, "generations": 2, "max_new_tokens": 6, "updates": 1},
    ],
    ids=lambda stage: stage["method"],
)
def test_other_methods_are_looked_at_and_learn_the_same(varied, tmp_path, stage):
    """With draws of their own, references beside the model, and pairs packed as trees."""
    few = {"every": 2, "prompts": 4, "answers": 3, "max_new_tokens": 4}
    recipes = [chat_recipe(varied, watch, "lora", epochs=1, **stage) for watch in (None, few)]
    runs = [learn(recipe, tmp_path / str(number), VARIED)[0] for number, recipe in enumerate(recipes)]
    assert looks(runs[0]) == [] and [row["step"] for row in looks(runs[1])][:2] == [0, 2]
    assert_equal(weights(runs[0], recipes[0]), weights(runs[1], recipes[1]))
