from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from dadeum.core.messages import Message, catalogue
from dadeum.core.model import Lora, QLora
from dadeum.core.recipe import Recipe, Source
from dadeum.core.recipe_errors import Location, models_in, problems

FILE = Message("errors.file", {"path": "a.yaml"})


def raw() -> dict[str, Any]:
    return {
        "name": "mail",
        "task": {"type": "decide", "instruction": "?", "labels": ["A", "B"], "input_fields": ["subject"]},
        "model": {"base": "x", "adapter": {"type": "lora"}},
        "data": {"sources": [{"path": "a.csv"}]},
        "stages": [{"name": "sft", "method": "sft"}],
    }


def sentences(recipe: dict[str, Any], lines: dict[Location, Message] | None = None) -> list[str]:
    try:
        Recipe.model_validate(recipe)
    except ValidationError as error:
        return [problem.in_language("en") for problem in problems(error.errors(), recipe, lines or {}, FILE)]
    return []


def test_a_right_recipe_has_no_problems() -> None:
    assert sentences(raw()) == []


def test_the_nearest_known_line_is_named() -> None:
    recipe = raw() | {"render": {"max_length_tokens": 0, "truncation": "cut"}}
    lines: dict[Location, Message] = {
        ("render",): Message("errors.line", {"path": "a.yaml", "line": 9}),
        ("render", "truncation"): Message("errors.option", {"option": "--set render.truncation=cut"}),
    }
    length, truncation = sentences(recipe, lines)
    assert length == "a.yaml line 9: 'render.max_length_tokens' cannot be 0. It must be at least 8."
    assert truncation == (
        "--set render.truncation=cut: 'render.truncation' cannot be 'cut'. Write one of: 'drop', 'raise', 'cut_input'."
    )


def test_levels_that_stand_nowhere_in_the_yaml_are_left_out() -> None:
    recipe = raw()
    recipe["model"]["adapter"] = {"type": "lora", "targets": [1]}
    recipe["data"]["sources"][0]["label_values"] = {1: "A"}
    found = sentences(recipe)
    assert [sentence.split("'")[1] for sentence in found] == [
        "model.adapter.targets.0",
        "data.sources.0.label_values.1",
    ]
    assert not any("tuple[" in sentence or "[key]" in sentence or ".lora" in sentence for sentence in found)


def test_a_long_value_is_shortened() -> None:
    [sentence] = sentences(raw() | {"seed": "x" * 10_000})
    assert len(sentence) < 200
    assert "…" in sentence


def test_a_kind_of_mistake_without_a_phrase_of_ours_keeps_the_words_of_pydantic() -> None:
    error: Any = {"type": "never_met", "loc": ("seed",), "input": 3, "msg": "Seed is unlucky"}
    [problem] = problems([error], raw() | {"seed": 3}, {}, FILE)
    assert problem.in_language("en") == "a.yaml: 'seed' cannot be 3. Seed is unlucky."


def test_every_rule_of_our_own_has_a_phrase() -> None:
    twice = {"name": "sft", "method": "sft"}
    broken = [
        raw() | {"stages": [twice, twice]},
        raw() | {"task": raw()["task"] | {"labels": ["A", "A"]}},
        raw() | {"data": {"sources": [{"path": "a.csv"}], "split": {"validation": 0.6, "test": 0.4}}},
    ]
    for recipe, rule in zip(broken, ("stages_differ", "labels_differ", "split_shares"), strict=True):
        [sentence] = sentences(recipe)
        assert catalogue("en")[f"errors.value.{rule}"] in sentence


def test_sections_are_found_inside_lists_and_unions() -> None:
    assert models_in(tuple[Source, ...]) == [Source]
    assert models_in(Lora | QLora | None) == [Lora, QLora]
    assert models_in(dict[str, str]) == []
