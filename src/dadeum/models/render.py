"""Turns → token ids and loss mask. One renderer serves training, evaluation and serving.

The prompt is rendered exactly as at serving time (generation prompt included) and the answer is appended to it, so
template parity and a mask of "answer plus end token" hold by construction, whatever the template does. Answers of
earlier turns are found by rendering the conversation up to each of them; where that is not exact it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from jinja2.exceptions import TemplateError

from dadeum.core.errors import ModelError, first_line
from dadeum.core.examples import Example, Turn
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe, Render
from dadeum.core.task import Chat
from dadeum.models.control_tokens import ControlTokens, template_text
from dadeum.models.conversation import Conversation
from dadeum.models.families.base import recognise

IGNORED = -100
"""Label of a token that carries no loss."""
LossOn = Literal["last_answer", "all_answers"]


@dataclass(frozen=True)
class Rendered:
    """Token ids of one row; the first `num_prompt_tokens` carry no loss but where earlier answers are learnt."""

    input_ids: list[int]
    num_prompt_tokens: int
    """Tokens before the last answer."""
    earlier: tuple[range, ...] = ()
    """Places of the earlier answers that are learnt, each with its end token."""

    @property
    def labels(self) -> list[int]:
        """-100 on the prompt, the ids themselves on the answers and their end tokens."""
        labels = [IGNORED] * self.num_prompt_tokens + self.input_ids[self.num_prompt_tokens :]
        for place in self.earlier:
            labels[place.start : place.stop] = self.input_ids[place.start : place.stop]
        return labels


@dataclass(frozen=True)
class Fitted:
    """What became of an example under the token limit."""

    example: Example | None
    """As it was, with a shortened input, or None when it has to go."""
    prompt_tokens: int
    answer_tokens: int
    was_cut: bool = False


def loss_on(recipe: Recipe) -> LossOn:
    """Which answers of a conversation the recipe teaches."""
    return recipe.task.loss_on if isinstance(recipe.task, Chat) else "last_answer"


class Renderer:
    """Renders prompts and examples with one tokenizer and one format."""

    def __init__(self, tokenizer: Any, render: Render, loss_on: LossOn = "last_answer") -> None:
        self.tokenizer = tokenizer
        self.settings = render
        self.loss_on = loss_on
        self.family = recognise(tokenizer)
        if render.format == "chat" and not tokenizer.chat_template:
            if self.family.is_base:
                raise ModelError("models.families.base", model=tokenizer.name_or_path, family=self.family.name)
            raise ModelError("train.no_template", model=tokenizer.name_or_path)
        self.control = ControlTokens(tokenizer, self.family.turn_tokens)
        self.conversation = Conversation(tokenizer, self.control, render.format)

    @property
    def notes(self) -> list[Message]:
        """What surprises users of this family, where its template is used."""
        if self.settings.format == "instruction":
            return []
        notes = list(self.family.notes)
        if "strftime_now" in template_text(self.tokenizer):
            notes.append("models.families.date_in_prompt")
        return [Message(note, {"family": self.family.name}) for note in notes]

    @property
    def has_system_role(self) -> bool:
        """False for templates that refuse a system turn (Gemma-2) or leave it out."""
        return self.conversation.has_system_role

    def prompt_text(self, turns: list[Turn]) -> str:
        """The prompt up to the place where the model starts to write, as people read it."""
        return self.control.unwrap(self.conversation.prompt(turns))

    @cached_property
    def end_ids(self) -> list[int]:
        """What closes an assistant turn and training must teach: one token, two in HyperCLOVA X."""
        ids = self.control.encode(self.conversation.end, continues=True)
        return ids or [self._eos()]

    @cached_property
    def end_id(self) -> int:
        """The first token of `end_ids` that is one."""
        return next((one for one in self.end_ids if one in self.tokenizer.added_tokens_decoder), self.end_ids[-1])

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """Where generation ends: the end of an answer, eos, and what the family ends with otherwise."""
        known = self.tokenizer.get_vocab()
        stops = {known[token] for token in self.family.stop_tokens if token in known} | {self.end_id}
        return tuple(sorted(stops | ({self.tokenizer.eos_token_id} - {None})))

    def _eos(self) -> int:
        if self.tokenizer.eos_token_id is None:
            raise ModelError("train.no_end_token", model=self.tokenizer.name_or_path)
        return int(self.tokenizer.eos_token_id)

    def prompt_ids(self, turns: list[Turn]) -> list[int]:
        """Token ids of the prompt: the same at training and at serving."""
        return self.control.encode(self.conversation.prompt(turns))

    def answer_ids(self, answer: str) -> list[int]:
        """Token ids of an answer and of what ends it."""
        return [*self.control.encode(self.conversation.answer(answer), continues=True), *self.end_ids]

    def render(self, example: Example) -> Rendered:
        """One training row, whatever its length."""
        prompt, earlier = self._prompt(example)
        return Rendered(prompt + self.answer_ids(example.completion[0]["content"]), len(prompt), earlier)

    def _prompt(self, example: Example) -> tuple[list[int], tuple[range, ...]]:
        """Token ids of a row's prompt, and where in it earlier answers are learnt; ModelError naming the row."""
        if self.settings.control_tokens == "raise" and (found := self.control_tokens(example)):
            raise ModelError("models.families.control_token", id=example.id, token=found[0])
        try:
            prompt = self.prompt_ids(example.prompt)
            return prompt, self._earlier(example, prompt) if self.loss_on == "all_answers" else ()
        except TemplateError as error:
            raise ModelError("models.families.turns_refused", id=example.id, detail=first_line(error)) from error

    def _earlier(self, example: Example, prompt: list[int]) -> tuple[range, ...]:
        """Places of the answers in the prompt, where rendering up to each of them is a beginning of the whole."""
        write, end = self.conversation, self.conversation.end
        text = write.prompt(example.prompt)
        places: list[range] = []
        for number, turn in enumerate(example.prompt):
            if turn["role"] != "assistant":
                continue
            if not number:
                raise ModelError("models.families.answer_first", id=example.id)
            if not end:
                raise ModelError("models.families.no_end_in_history", id=example.id, family=self.family.name)
            before = write.prompt(example.prompt[:number])
            after = before + write.answer(turn["content"]) + end
            if not text.startswith(after):
                raise ModelError("models.families.history_rewritten", id=example.id, turn=number + 1)
            start, stop = self.control.encode(before), self.control.encode(after)
            if prompt[: len(start)] != start or prompt[: len(stop)] != stop:
                raise ModelError("models.families.answer_joins_prompt", id=example.id, turn=number + 1)
            places.append(range(len(start), len(stop)))
        return tuple(places)

    def control_tokens(self, example: Example) -> list[str]:
        """Control tokens that people wrote into a row's texts: read as letters, or refused, as the recipe says."""
        turns = [*example.prompt, *example.completion]
        return [token for turn in turns for token in self.control.found(turn["role"], turn["content"])]

    def fit(self, example: Example) -> Fitted:
        """Apply the token limit: `drop`, `raise` (ModelError naming the row) or `cut_input` as the recipe says.

        `cut_input` leaves out the oldest exchanges, then shortens the last user turn from its end. The answer is never
        cut: a row whose answer leaves no room for a prompt is dropped.
        """
        prompt = len(self._prompt(example)[0])
        answer = len(self.answer_ids(example.completion[0]["content"]))
        limit = self.settings.max_length_tokens
        if prompt + answer <= limit:
            return Fitted(example, prompt, answer)
        if self.settings.truncation == "raise":
            raise ModelError("train.too_long", id=example.id, found=prompt + answer, limit=limit, answer=answer)
        if self.settings.truncation == "cut_input":
            turns = shortened(example.prompt, limit - answer, self.prompt_ids)
            if turns:
                return Fitted(replace(example, prompt=turns), len(self.prompt_ids(turns)), answer, was_cut=True)
        return Fitted(None, prompt, answer)


def shortened(turns: list[Turn], budget: int, prompt_ids: Callable[[list[Turn]], list[int]]) -> list[Turn] | None:
    """Turns within `budget` tokens: the latest exchanges, else as much of the last turn's beginning as fits."""
    before = turns[:1] if turns[0]["role"] == "system" else []
    # Two turns at a time, so that what is left begins with the user.
    for start in range(len(before) + 2, len(turns), 2):
        if len(prompt_ids([*before, *turns[start:]])) <= budget:
            return [*before, *turns[start:]]
    last = turns[-1]
    low, high = 1, len(last["content"])
    best: list[Turn] | None = None
    while low <= high:
        middle = (low + high) // 2
        shorter: list[Turn] = [*before, {"role": last["role"], "content": last["content"][:middle]}]
        if len(prompt_ids(shorter)) <= budget:
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
