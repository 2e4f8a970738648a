from __future__ import annotations

import pytest

from dadeum.core.clean_steps import Balance, CapPhraseShare, DropPhrases, Resample
from dadeum.core.errors import Problems, RecipeError
from dadeum.data.repairs.step_list import parse_steps


def refused(written: str) -> str:
    with pytest.raises(RecipeError) as caught:
        parse_steps(written)
    return caught.value.in_language("en")


def test_a_command_line_writes_what_a_recipe_writes() -> None:
    assert parse_steps("nfc, mask_pii,cap_phrase_share=0.05,balance = 3") == (
        "nfc", "mask_pii", CapPhraseShare(cap_phrase_share=0.05), Balance(balance=3),
    )  # fmt: skip
    assert parse_steps("drop_phrases=답변 드리겠습니다| 감사합니다 ,resample=mail:1000|a:b:5") == (
        DropPhrases(drop_phrases=("답변 드리겠습니다", "감사합니다")), Resample(resample={"mail": 1000, "a:b": 5}),
    )  # fmt: skip


@pytest.mark.parametrize("written", ["", " ", ",", " , "])
def test_no_step_is_no_mistake(written: str) -> None:
    assert parse_steps(written) == ()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("nfc,mask_pi", "--clean: 'clean.1' cannot be 'mask_pi'. There is no such clean step; did you mean 'mask_p"),
        ("cap_phrase_share=5", "--clean: 'clean.0.cap_phrase_share' cannot be 5. It must be less than 1"),
        ("cap_phrase_share=many", "'clean.0.cap_phrase_share' cannot be 'many'. It must be a number"),
        ("cap_phrase_share=", "'clean.0.cap_phrase_share' cannot be ''. It must be a number"),
        ("cap_phrase_share", "This step needs a value, such as cap_phrase_share: 0.05."),
        ("nfc=yes", "This step takes no value."),
        ("resample=1000", "'clean.0.resample' cannot be 1000. It must hold `key: value`"),
        ("resample=mail:x", "'clean.0.resample.mail' cannot be 'x'. It must be a whole number"),
        ("drop_phrases=", "'clean.0.drop_phrases.0' cannot be ''. It must not be empty."),
    ],
)  # fmt: skip
def test_a_mistake_names_the_step_and_what_to_write(written: str, expected: str) -> None:
    assert expected in refused(written)


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(Problems) as caught:
        parse_steps("ncf,balance=0,nfc")
    assert len(caught.value.problems) == 2
