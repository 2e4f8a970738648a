"""Conversations over the token limit: the oldest exchanges go first, then the end of the last question."""

from __future__ import annotations

from typing import Any

import pytest

from dadeum.core.examples import Example, Turn
from dadeum.core.recipe import Render
from dadeum.data.lengths.token_lengths import apply_limit
from dadeum.models.render import Renderer
from tests.tiny import save_tokenizer


def say(role: str, content: str) -> Turn:
    return {"role": role, "content": content}


SYSTEM = say("system", "system")
TURNS = [
    say("user", "first question"),
    say("assistant", "first answer"),
    say("user", "second question"),
    say("assistant", "second answer"),
    say("user", "third question"),
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return save_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def talk(*prompt: Turn) -> Example:
    text = "\n".join(turn["content"] for turn in prompt[1:])
    return Example("talks:1", "talks", "talks", "talks:1", text, list(prompt), [say("assistant", "the answer")], "")


def limited(tokenizer: Any, limit: int, example: Example, truncation: str = "cut_input") -> Any:
    render = Render.model_validate({"max_length_tokens": limit, "truncation": truncation})
    return Renderer(tokenizer, render).fit(example)


def size(tokenizer: Any, *prompt: Turn) -> int:
    """Tokens of a prompt with the answer."""
    fitted = limited(tokenizer, 10_000, talk(*prompt))
    return int(fitted.prompt_tokens + fitted.answer_tokens)


@pytest.mark.parametrize("left", [TURNS[2:], TURNS[4:]], ids=["one exchange goes", "both go"])
@pytest.mark.parametrize("system", [[SYSTEM], []], ids=["system", "no system"])
def test_whole_exchanges_go_from_the_oldest_on(tokenizer: Any, left: list[Turn], system: list[Turn]) -> None:
    example = talk(*system, *TURNS)
    fitted = limited(tokenizer, size(tokenizer, *system, *left), example)
    assert fitted.was_cut
    assert fitted.example.prompt == [*system, *left]
    assert fitted.example.completion == example.completion
    assert fitted.prompt_tokens + fitted.answer_tokens == size(tokenizer, *system, *left)


def test_no_turn_goes_that_need_not(tokenizer: Any) -> None:
    fitted = limited(tokenizer, size(tokenizer, SYSTEM, *TURNS[2:]) + 1, talk(SYSTEM, *TURNS))
    assert fitted.example.prompt == [SYSTEM, *TURNS[2:]]
    assert not limited(tokenizer, size(tokenizer, SYSTEM, *TURNS), talk(SYSTEM, *TURNS)).was_cut


def test_after_the_exchanges_the_last_question_is_cut_at_its_end(tokenizer: Any) -> None:
    limit = size(tokenizer, SYSTEM, TURNS[4]) - 4
    fitted = limited(tokenizer, limit, talk(SYSTEM, *TURNS))
    *before, last = fitted.example.prompt
    assert before == [SYSTEM]
    assert 0 < len(last["content"]) < len("third question")
    assert "third question".startswith(last["content"])
    assert fitted.prompt_tokens + fitted.answer_tokens <= limit


def test_a_question_of_which_nothing_would_be_left_drops_the_row(tokenizer: Any) -> None:
    limit = size(tokenizer, SYSTEM, say("user", ""))
    assert limited(tokenizer, limit, talk(SYSTEM, *TURNS)).example is None


def test_drop_lists_the_conversation_and_cut_counts_it(tokenizer: Any) -> None:
    example = talk(SYSTEM, *TURNS)
    limit = size(tokenizer, SYSTEM, *TURNS[2:])
    for truncation, cut, dropped in (("cut_input", 1, 0), ("drop", 0, 1)):
        splits = {"train": [example]}
        done = apply_limit(splits, lambda rows, how=truncation: [limited(tokenizer, limit, row, how) for row in rows])
        assert (done.lengths.num_cut, done.lengths.num_dropped) == (cut, dropped)
        assert [row.reason for row in done.removed] == ["too_long"] * dropped
        assert done.cut == ({"talks:1"} if cut else set())
