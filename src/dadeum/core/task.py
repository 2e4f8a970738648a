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


class Retrieve(Section):
    """A question → the chunks of `data.corpus` that answer it: an embedding model is tuned, judged beside BM25."""

    type: Literal["retrieve"]
    query_prefix: str = ""
    """Written before every question; E5 and KoE5 want `query: `, ko-sroberta and bge-m3 nothing."""
    chunk_prefix: str = ""
    """Written before every chunk; E5 and KoE5 want `passage: `."""
    max_seq_length: Annotated[int, Field(ge=8)] | None = None
    """Tokens of a text that the model reads; None: its own limit (ko-sroberta 128, though 512 are possible)."""


class Answer(Section):
    """A question and chunks of `data.corpus` → an answer that stands in them, with its place, or a refusal."""

    type: Literal["answer"]
    instruction: str
    """What the model is given, with `{chunks}` and `{question}` where these stand."""
    refusal: str
    """The answer where the chunks do not hold one."""
    system: str | None = None
    """System turn of the chat form; None: none."""
    chunks: Annotated[int, Field(ge=1)] = 3
    """Chunks that the model is shown: the right one among the most similar others; at test time what is found."""
    unanswerable: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of questions that are shown without their right chunk, to be refused."""
    citations: bool = True
    """Answers end with the numbers of the chunks that they rest on, such as [2]."""
    retriever: str | None = None
    """Run folder of a tuned retriever that finds the chunks of test questions; None: BM25."""
    speech_level: Literal["hapsyo", "haeyo", "hae", "haera"] | None = None
    """Level (높임법) that answers are to hold; None takes the commonest of the training answers."""
    score_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=lambda: {"retrieval": 0.25, "answer": 0.4, "faithfulness": 0.25, "refusal": 0.1}
    )
    """Of the parts of the system score, which is their weighted mean: a number to follow, not to compare."""

    @model_validator(mode="after")
    def _instruction_has_its_slots(self) -> Self:
        slots = ("{chunks}", "{question}")
        if any(self.instruction.count(slot) != 1 for slot in slots):
            raise PydanticCustomError(
                "slots_missing", "instruction needs {slots} once each", {"slots": " ".join(slots)}
            )
        return self


Task = Annotated[Decide | Chat | Summarize | Retrieve | Answer, Field(discriminator="type")]
