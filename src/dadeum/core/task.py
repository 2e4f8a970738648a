"""The kinds of job that a recipe can teach: one section per file in `tasks/`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dadeum.core.section import Section


class Decide(Section):
    """A decision with reasons: structured input → `{"action": "BLOCK"}`."""

    type: Literal["decide"]
    instruction: str
    """What the model is told, the same for every row."""
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    """All values that the answer may take; the first is the positive class of ROC and PR curves."""
    label_key: str = "action"
    """Key of the decision in the JSON answer."""
    input_fields: Annotated[tuple[str, ...], Field(min_length=1)]
    """Mapped fields that the model may see. Leave out what only tells the source apart (time, board)."""
    reason_field: str | None = None
    """Mapped field that is taught as `"reason"` after the decision; None teaches the decision alone."""

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise PydanticCustomError("labels_differ", "labels must differ from each other")
        return self


class Chat(Section):
    """A conversation: turns → the assistant's next turn, in free text."""

    type: Literal["chat"]
    instruction: str | None = None
    """System turn of rows that bring none; None leaves them without."""
    loss_on: Literal["last_answer", "all_answers"] = "last_answer"
    """Which assistant turns of a conversation are learnt; all_answers takes every one, each with its end token."""
    speech_level: Literal["hapsyo", "haeyo", "hae", "haera"] | None = None
    """Level (높임법) that answers are to hold; None takes the commonest of the training answers."""
    handoff: str | None = None
    """Sentence for people in danger, with whom to call. Where given, answers to such messages are judged by it."""


class Summarize(Section):
    """A dialogue (or document) → its summary, in free text."""

    type: Literal["summarize"]
    instruction: str
    """What is asked of the model before each dialogue; empty for an encoder-decoder that only summarises."""
    system: str | None = None
    """System turn of the chat form; None: none. An encoder-decoder and the instruction form read none."""
    speech_level: Literal["hapsyo", "haeyo", "hae", "haera"] | None = None
    """Level (높임법) that summaries are to hold; None takes the commonest of the training summaries."""


Task = Annotated[Decide | Chat | Summarize, Field(discriminator="type")]
