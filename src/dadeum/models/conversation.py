"""How a tokenizer writes a conversation: the prompt, an answer, what ends it; as text, before there are tokens.

Control tokens inside people's text come out wrapped (`control_tokens.py`).
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, Literal

from jinja2.exceptions import TemplateError

from dadeum.core.errors import ModelError
from dadeum.core.examples import Turn
from dadeum.models.control_tokens import ControlTokens

Format = Literal["chat", "instruction"]
_TITLES = {"system": "### Instruction:", "user": "### Input:", "assistant": "### Response:"}
_RESPONSE = "### Response:\n"
_PROBE = "answer-marker"
_REMEMBERED = 4096
"""Answers whose form in the template is remembered: labels repeat, free text does not."""


class Conversation:
    """Writes turns with the tokenizer's chat template, or under titles of ours (`instruction`)."""

    def __init__(self, tokenizer: Any, control: ControlTokens, format: Format) -> None:
        self.tokenizer = tokenizer
        self.control = control
        self.format = format
        self.answer = lru_cache(_REMEMBERED)(self._answer)
        """An answer as the template writes it: trimmed by some, its control tokens wrapped."""

    def prompt(self, turns: list[Turn]) -> str:
        """The conversation up to the place where the model starts to write."""
        turns = [{"role": turn["role"], "content": self.control.wrap(turn["role"], turn["content"])} for turn in turns]
        if self.format == "instruction":
            return self._begin + "".join(map(self._titled, turns)) + _RESPONSE
        text: str = self.tokenizer.apply_chat_template(self._turns(turns), tokenize=False, add_generation_prompt=True)
        return text

    def _titled(self, turn: Turn) -> str:
        end = self._eos if turn["role"] == "assistant" else ""
        return f"{_TITLES[turn['role']]}\n{turn['content']}{end}\n\n"

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
    def _begin(self) -> str:
        """What the tokenizer itself puts before a text (`<s>`), spelled out; chat templates bring their own."""
        with_start = self.tokenizer("x").input_ids
        plain = self.tokenizer("x", add_special_tokens=False).input_ids
        start = with_start[: len(with_start) - len(plain)] if with_start[-len(plain) :] == plain else []
        return str(self.tokenizer.decode(start))

    def _closed(self, answer: str) -> str:
        """What the template writes after a short prompt that is answered with `answer`."""
        turns: list[Turn] = [{"role": "user", "content": "x"}]
        prompt = self.prompt(turns)
        closed: str = self.tokenizer.apply_chat_template(
            [*turns, {"role": "assistant", "content": answer}], tokenize=False, add_generation_prompt=False
        )
        if not closed.startswith(prompt):
            raise ModelError("train.template_changes_prompt", model=self.tokenizer.name_or_path)
        return closed[len(prompt) :]

    @cached_property
    def _around(self) -> tuple[str, str]:
        """What the template writes before and after the answer that closes a conversation."""
        if self.format == "instruction":
            return "", self._eos
        before, found, after = self._closed(_PROBE).rpartition(_PROBE)
        if not found:
            raise ModelError("train.template_changes_prompt", model=self.tokenizer.name_or_path)
        return before, after

    def _answer(self, answer: str) -> str:
        wrapped = self.control.wrap("assistant", answer)
        if self.format == "instruction":
            return wrapped
        before, after = self._around
        closed = self._closed(wrapped)
        written = closed.removesuffix(after)
        # An empty reasoning block belongs to closed conversations, not to what a served model has to write.
        written = written if answer.startswith(before) else written.removeprefix(before)
        if not closed.endswith(after) or "".join(written.split()) != "".join(wrapped.split()):
            raise ModelError("models.families.answer_rewritten", answer=answer[:60], written=written[:60])
        return written

    @cached_property
    def end(self) -> str:
        """What ends an answer; empty where the template has nothing for it."""
        after = self._around[1]
        end = self.control.at_start(after)
        if not end and after.strip():
            raise ModelError("train.no_end_token", model=self.tokenizer.name_or_path)
        return end

    @property
    def _eos(self) -> str:
        if self.tokenizer.eos_token is None:
            raise ModelError("train.no_end_token", model=self.tokenizer.name_or_path)
        return str(self.tokenizer.eos_token)
