"""Requests and responses of /v1/tasks: the recipe's own input and output under names that stay the same."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from dadeum.gateway.api.answers import Shape
from dadeum.gateway.api.shapes import Body, Name

User = Annotated[str, Field(max_length=512)]


class Line(Body):
    speaker: Annotated[str, Field(min_length=1, max_length=100)]
    text: str


class SummaryRequest(Body):
    dialogue: str | Annotated[list[Line], Field(min_length=1)]
    """One text, a line per turn; or who said what, which is written as such lines."""
    model: Name | None = None
    """Which run, where several summarise."""
    user: User | None = None
    """Stored as a keyed hash; whoever sends the same one stays with the same variant."""

    @property
    def text(self) -> str:
        if isinstance(self.dialogue, str):
            return self.dialogue
        return "\n".join(f"{line.speaker}: {line.text}" for line in self.dialogue)


class Passage(Body):
    document: Annotated[str, Field(min_length=1, max_length=500)]
    page: Annotated[int, Field(ge=1)] = 1
    text: Annotated[str, Field(min_length=1)]


class QuestionRequest(Body):
    question: Annotated[str, Field(min_length=1)]
    passages: Annotated[list[Passage], Field(min_length=1, max_length=50)] | None = None
    """What you found yourself, best first; left out, the run's own documents are searched."""
    model: Name | None = None
    """Which run, where several answer."""
    user: User | None = None
    """Stored as a keyed hash; whoever sends the same one stays with the same variant."""


class Warned(Shape):
    code: str
    """For programs: stays the same whatever the message."""
    message: str
    """For people, in the language of Accept-Language."""


class TaskAnswer(Shape):
    warnings: list[Warned]
    """What to look at before believing it."""
    model: str
    """The version that answered."""
    request_id: str
    """Also x-request-id; /v1/feedback takes it."""


class TaskDecision(TaskAnswer):
    """Beside these the label, under the recipe's own `label_key` (of mail: action)."""

    model_config = ConfigDict(extra="allow")
    reason: str | None
    """null where the recipe teaches none, or none could be written."""
    confidence: float
    """Probability of the label."""
    probabilities: dict[str, float]
    calibrated: bool
    """Whether they were fitted on rows of validation; else they only order the labels."""
    label_mass: float
    """Share of the model's probability that lies on the labels at all: low for what it was never taught."""


class Summary(TaskAnswer):
    summary: str
    finished: list[str]
    """Steps of the recipe's `generation.finish` that changed what was written."""
    cut_off: bool
    """The limit on its length ended it."""


class Shown(Shape):
    number: int
    document: str
    page: int
    last_page: int
    chunk: str


class Cited(Shown):
    quote: str
    """The sentence of the passage that is nearest to the answer."""


class GroundedAnswer(TaskAnswer):
    question: str
    answer: str
    refused: bool
    """The documents hold no answer, as far as the model sees."""
    citations: list[Cited]
    passages: list[Shown]
    """What the model was shown, in its order."""
