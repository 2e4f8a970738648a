"""Turns → token ids and loss mask. One renderer serves training, evaluation and serving.

The prompt is rendered exactly as at serving time (generation prompt included) and the answer is appended to it, so
template parity and a mask of "answer plus end token" hold by construction, whatever the template does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from jinja2.exceptions import TemplateError

from dadeum.core.errors import ModelError
from dadeum.core.examples import Example, Turn
from dadeum.core.recipe import Render

_TITLES = {"system": "### Instruction:", "user": "### Input:"}
_RESPONSE = "### Response:\n"


@dataclass(frozen=True)
class Rendered:
    """Token ids of one row; the first `num_prompt_tokens` carry no loss."""

    input_ids: list[int]
    num_prompt_tokens: int

    @property
    def labels(self) -> list[int]:
        """-100 on the prompt, the ids themselves on the answer and its end token."""
        return [-100] * self.num_prompt_tokens + self.input_ids[self.num_prompt_tokens :]


@dataclass(frozen=True)
class Fitted:
    """What became of an example under the token limit."""

    example: Example | None
    """As it was, with a shortened input, or None when it has to go."""
    prompt_tokens: int
    answer_tokens: int
    was_cut: bool = False


class Renderer:
    """Renders prompts and examples with one tokenizer and one format."""

    def __init__(self, tokenizer: Any, render: Render) -> None:
        self.tokenizer = tokenizer
        self.settings = render
        if render.format == "chat" and not tokenizer.chat_template:
            raise ModelError("train.no_template", model=tokenizer.name_or_path)

    # -- text -----------------------------------------------------------------------------------
    def prompt_text(self, turns: list[Turn]) -> str:
        """The prompt up to the place where the model starts to write."""
        if self.settings.format == "instruction":
            parts = [f"{_TITLES[turn['role']]}\n{turn['content']}\n\n" for turn in turns]
            return self._begin_text + "".join(parts) + _RESPONSE
        text: str = self.tokenizer.apply_chat_template(self._turns(turns), tokenize=False, add_generation_prompt=True)
        return text

    def _turns(self, turns: list[Turn]) -> list[Turn]:
        """Turns as this template takes them: a template without a system role gets it in the first user turn."""
        if self.has_system_role or turns[0]["role"] != "system":
            return turns
        system, user, *rest = turns
        return [{"role": "user", "content": f"{system['content']}\n\n{user['content']}"}, *rest]

    @cached_property
    def has_system_role(self) -> bool:
        """False for templates that refuse a system turn (Gemma-2) or leave it out."""
        marker = "instruction-marker"
        turns = [{"role": "system", "content": marker}, {"role": "user", "content": "x"}]
        try:
            return marker in self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except TemplateError:
            return False

    @cached_property
    def _begin_text(self) -> str:
        """What the tokenizer itself puts before a text (`<s>`), spelled out; chat templates bring their own."""
        with_start = self.tokenizer("x").input_ids
        plain = self.tokenizer("x", add_special_tokens=False).input_ids
        start = with_start[: len(with_start) - len(plain)] if with_start[-len(plain) :] == plain else []
        return str(self.tokenizer.decode(start))

    # -- tokens ---------------------------------------------------------------------------------
    def prompt_ids(self, turns: list[Turn]) -> list[int]:
        """Token ids of the prompt: the same at training and at serving."""
        return self._ids(self.prompt_text(turns))

    def answer_ids(self, answer: str) -> list[int]:
        """Token ids of an answer and the token that ends it."""
        return [*self._ids(answer), self.end_id]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    @cached_property
    def end_id(self) -> int:
        """The token that closes an assistant turn: what generation stops at and training must teach."""
        if self.settings.format == "instruction":
            return self._eos()
        probe = "answer-marker"
        turns: list[Turn] = [{"role": "user", "content": "x"}]
        closed = self.tokenizer.apply_chat_template(
            [*turns, {"role": "assistant", "content": probe}], tokenize=False, add_generation_prompt=False
        )
        if not closed.startswith(self.prompt_text(turns)) or probe not in closed:
            raise ModelError("train.template_changes_prompt", model=self.tokenizer.name_or_path)
        after = self._ids(closed[closed.rindex(probe) + len(probe) :].strip())
        if not after:
            return self._eos()
        if after[0] not in self.tokenizer.all_special_ids and after[0] not in self.tokenizer.added_tokens_decoder:
            raise ModelError("train.no_end_token", model=self.tokenizer.name_or_path)
        return after[0]

    def _eos(self) -> int:
        if self.tokenizer.eos_token_id is None:
            raise ModelError("train.no_end_token", model=self.tokenizer.name_or_path)
        return int(self.tokenizer.eos_token_id)

    def render(self, example: Example) -> Rendered:
        """One training row, whatever its length."""
        prompt = self.prompt_ids(example.prompt)
        return Rendered(prompt + self.answer_ids(example.completion[0]["content"]), len(prompt))

    def fit(self, example: Example) -> Fitted:
        """Apply the token limit: `drop`, `raise` (ModelError naming the row) or `cut_input` as the recipe says.

        `cut_input` shortens the last user turn from its end. The answer is never cut: a row whose answer leaves no
        room for a prompt is dropped.
        """
        prompt = len(self.prompt_ids(example.prompt))
        answer = len(self.answer_ids(example.completion[0]["content"]))
        limit = self.settings.max_length_tokens
        if prompt + answer <= limit:
            return Fitted(example, prompt, answer)
        if self.settings.truncation == "raise":
            raise ModelError("train.too_long", id=example.id, found=prompt + answer, limit=limit, answer=answer)
        if self.settings.truncation == "cut_input":
            turns = self._cut(example.prompt, limit - answer)
            if turns:
                return Fitted(replace(example, prompt=turns), len(self.prompt_ids(turns)), answer, was_cut=True)
        return Fitted(None, prompt, answer)

    def _cut(self, turns: list[Turn], budget: int) -> list[Turn] | None:
        """Turns within `budget` tokens, keeping as many leading characters of the last turn as fit."""
        *before, last = turns
        low, high = 0, len(last["content"])
        best: list[Turn] | None = None
        while low <= high:
            middle = (low + high) // 2
            shorter: list[Turn] = [*before, {"role": last["role"], "content": last["content"][:middle]}]
            if len(self.prompt_ids(shorter)) <= budget:
                best, low = shorter, middle + 1
            else:
                high = middle - 1
        return best


def label_spans(renderer: Renderer, answers: list[str]) -> list[list[int]]:
    """For complete answers that differ only in their label: the token ids that tell them apart.

    The common beginning is left out, and as much of the common ending as keeps every span from being the start of
    another: `{"action": "BLOCK"}` and `{"action": "ALLOW"}` give [B, LOCK] and [AL, LOW].
    """
    ids = [renderer.answer_ids(answer) for answer in answers]
    start = common_prefix(ids)
    ending = min(common_prefix([row[::-1] for row in ids]), *(len(row) - start for row in ids))
    for kept in range(ending, -1, -1):
        spans = [row[start : len(row) - kept] for row in ids]
        if all(spans) and not _one_starts_another(spans):
            return spans
    return [row[start:] for row in ids]


def common_prefix(rows: list[list[int]]) -> int:
    """Number of leading tokens that all rows share."""
    count = 0
    for column in zip(*rows, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def _one_starts_another(spans: list[list[int]]) -> bool:
    return any(a is not b and b[: len(a)] == a for i, a in enumerate(spans) for j, b in enumerate(spans) if i != j)
