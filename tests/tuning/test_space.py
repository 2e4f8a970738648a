from __future__ import annotations

import math
from typing import Any

import pytest

from dadeum.core.errors import DadeumError, RecipeError
from dadeum.core.tune import Range
from dadeum.tuning.space import (
    changed,
    contains,
    defaults,
    num_settings,
    own_point,
    problems_of_space,
    settings,
    tune_of,
)
from tests.tiny import decide_recipe

RATE = {"stages.sft.learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}}


def searched(space: dict[str, Any], **more: Any) -> Any:
    return decide_recipe("base", tune={"space": space, **more})


def complaints(space: dict[str, Any]) -> list[str]:
    return [error.key for error in problems_of_space(searched(space))]


def test_values_land_in_the_recipe_and_what_follows_them_does_too() -> None:
    recipe = searched(RATE | {"model.adapter.r": {"low": 2, "high": 16, "also": {"model.adapter.alpha": 2}}})
    found = changed(recipe, {"stages.sft.learning_rate": 3e-4, "model.adapter.r": 6})
    assert found.stages[0].learning_rate == 3e-4
    assert (found.model.adapter.r, found.model.adapter.alpha) == (6, 12)
    assert found.tune == recipe.tune
    assert recipe.stages[0].learning_rate == 5e-3


def test_the_recipes_own_values_are_known() -> None:
    recipe = searched(RATE | {"stages.sft.scheduler": ["cosine", "linear"]})
    assert defaults(recipe) == {"stages.sft.learning_rate": 5e-3, "stages.sft.scheduler": "cosine"}


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("stages.sft.learnin_rate", "tune.no_key"),
        ("stages.dpo.learning_rate", "tune.no_key"),
        ("modle.adapter.r", "tune.no_key"),
        ("seed", "tune.fixed_key"),
        ("data.split.test", "tune.fixed_key"),
        ("evaluate.batch_size", "tune.fixed_key"),
        ("task.instruction", "tune.fixed_key"),
        ("render.max_length_tokens", "tune.fixed_key"),
        ("model.adapter", "tune.no_single_value"),
    ],
)
def test_keys_that_cannot_be_searched_are_named(key: str, complaint: str) -> None:
    assert complaints({key: {"low": 1, "high": 2}}) == [complaint]


def test_a_near_name_is_offered() -> None:
    (error,) = problems_of_space(searched({"stages.sft.learnin_rate": [1e-4]}))
    assert "stages.sft.learning_rate" in str(error)


def test_values_that_make_no_recipe_are_refused_before_anything_runs() -> None:
    assert complaints({"stages.sft.scheduler": ["cosine", "zigzag"]}) == ["tune.bad_value"]
    assert complaints({"model.adapter.dropout": {"low": 0.0, "high": 3.0}}) == ["tune.bad_value"]


def test_a_key_is_not_drawn_and_tied_at_once() -> None:
    tied = {"model.adapter.r": {"low": 2, "high": 8, "also": {"model.adapter.alpha": 2}}}
    assert "tune.also_searched" in complaints(tied | {"model.adapter.alpha": [8, 16]})


def test_mistakes_of_a_range_are_found_when_the_recipe_is_read() -> None:
    for wrong in (
        {"low": 2, "high": 1},
        {"low": 0, "high": 1, "log": True},
        {"low": 1, "high": 2, "log": True, "step": 1},
    ):
        with pytest.raises(ValueError, match=r"low|log"):
            searched({"stages.sft.learning_rate": wrong})


def test_a_recipe_without_the_section_is_told_what_to_write() -> None:
    with pytest.raises(RecipeError, match="tune"):
        tune_of(decide_recipe("base"))


def test_settings_are_counted_and_listed() -> None:
    recipe = searched({"stages.sft.batch_size": [4, 8], "model.adapter.r": {"low": 2, "high": 8, "step": 3}})
    assert num_settings(tune_of(recipe)) == 6
    assert len(list(settings(tune_of(recipe)))) == 6
    assert math.isinf(num_settings(tune_of(searched(RATE))))


@pytest.mark.parametrize(
    ("values", "inside", "outside"),
    [
        (Range(low=2, high=8), 5, 5.5),
        (Range(low=2, high=8, step=3), 5, 6),
        (Range(low=1e-5, high=1e-3, log=True), 2e-4, 2e-3),
        ((True, False), True, 1),
        (("a", None), None, "b"),
    ],
)
def test_a_value_lies_in_a_space_or_not(values: Any, inside: Any, outside: Any) -> None:
    assert contains(values, inside)
    assert not contains(values, outside)


def test_own_settings_that_break_a_tie_are_no_point_of_the_space() -> None:
    """The recipe has r 4 and alpha 8."""
    tied = {"model.adapter.r": {"low": 2, "high": 8, "also": {"model.adapter.alpha": 2}}}
    assert own_point(searched(tied)) == {"model.adapter.r": 4}
    assert own_point(searched({"model.adapter.r": {"low": 2, "high": 8, "also": {"model.adapter.alpha": 4}}})) is None
    assert own_point(searched(RATE)) is None  # 5e-3 lies above


def test_errors_are_of_our_kind() -> None:
    assert all(isinstance(error, DadeumError) for error in problems_of_space(searched({"seed": [1, 2]})))
