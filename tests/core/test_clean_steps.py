from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from dadeum.core.clean_steps import EXAMPLES, STEP_NAMES, VALUE_STEPS, Balance, CapPhraseShare, Resample, step_name
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_errors import problems
from dadeum.core.recipe_file import dump


def raw(*steps: Any) -> dict[str, Any]:
    return {
        "name": "mail",
        "task": {"type": "decide", "instruction": "?", "labels": ["A", "B"], "input_fields": ["subject"]},
        "model": {"base": "x", "adapter": {"type": "none"}},
        "data": {"sources": [{"path": "a.csv"}], "clean": list(steps)},
        "stages": [{"name": "sft", "method": "sft"}],
    }


def mistake(step: Any, language: str = "en") -> str:
    recipe = raw("nfc", step)
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate(recipe)
    [problem] = problems(caught.value.errors(), recipe, {}, Message("errors.file", {"path": "a.yaml"}))
    return problem.in_language(language)


def test_steps_are_names_or_names_with_a_value_in_any_order() -> None:
    recipe = Recipe.model_validate(raw({"balance": 3}, "nfc", {"cap_phrase_share": 0.05}, {"resample": {"mail": 10}}))
    assert recipe.data.clean == (
        Balance(balance=3), "nfc", CapPhraseShare(cap_phrase_share=0.05), Resample(resample={"mail": 10}),
    )  # fmt: skip
    assert [step_name(step) for step in recipe.data.clean] == ["balance", "nfc", "cap_phrase_share", "resample"]


def test_a_saved_recipe_holds_the_same_steps() -> None:
    recipe = Recipe.model_validate(raw("mask_pii", {"drop_phrases": ["가", "나, 다"]}, {"balance": 2.5}))
    assert Recipe.model_validate(yaml.safe_load(dump(recipe))) == recipe


def test_every_step_with_a_value_shows_how_it_is_written() -> None:
    assert EXAMPLES.keys() == VALUE_STEPS.keys()
    for name, example in EXAMPLES.items():
        (step,) = Recipe.model_validate(raw(yaml.safe_load(example))).data.clean
        assert step_name(step) == name
    assert len(set(STEP_NAMES)) == len(STEP_NAMES) == 13


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("ncf", "'data.clean.1' cannot be 'ncf'. There is no such clean step; did you mean 'nfc'? Steps: repair_enc"),
        ("???", "'data.clean.1' cannot be '???'. There is no such clean step. Steps: repair_encoding, nfc"),
        (7, "'data.clean.1' cannot be 7. There is no such clean step."),
        ({"mask_pi": 1}, "did you mean 'mask_pii'?"),
        ({"nfc": True}, "This step takes no value. Write only its name, 'nfc'."),
        ("balance", "'data.clean.1' cannot be 'balance'. This step needs a value, such as balance: 3.0."),
        ({"balance": 2, "resample": {"a": 1}}, "Write every clean step as an item of its own"),
        ({}, "Write every clean step as an item of its own"),
        (None, "'data.clean.1' has no value. Write one, or remove the line."),
        ({"balance": None}, "'data.clean.1.balance' has no value."),
        ({"cap_phrase_share": 5}, "'data.clean.1.cap_phrase_share' cannot be 5. It must be less than 1"),
        ({"cap_phrase_share": 0}, "'data.clean.1.cap_phrase_share' cannot be 0. It must be more than 0"),
        ({"cap_phrase_share": "5%"}, "cannot be '5%'. It must be a number"),
        ({"balance": 0.5}, "'data.clean.1.balance' cannot be 0.5. It must be at least 1"),
        ({"drop_phrases": "가"}, "put even a single item in brackets"),
        ({"drop_phrases": []}, "'data.clean.1.drop_phrases' cannot be []. It needs 1 or more items."),
        ({"drop_phrases": ["가", "  "]}, "'data.clean.1.drop_phrases.1' cannot be '  '. It must not be empty."),
        ({"drop_phrases": [3]}, "put quotes around a number"),
        ({"resample": 100}, "It must hold `key: value` lines."),
        ({"resample": {"mail": 0}}, "'data.clean.1.resample.mail' cannot be 0. It must be at least 1."),
    ],
)  # fmt: skip
def test_a_mistake_in_a_step_says_what_to_write_instead(step: Any, expected: str) -> None:
    assert expected in mistake(step)


def test_the_sentences_are_korean_too() -> None:
    assert "'nfc'을(를) 쓰려던 것 아닌가요?" in mistake("ncf", "ko")
    assert mistake({"cap_phrase_share": 5}, "ko").endswith("1.0보다 작아야 합니다.")
