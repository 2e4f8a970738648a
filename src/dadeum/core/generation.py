"""How answers are written and finished: a section of the recipe, the same for evaluation and serving."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dadeum.core.section import Section

Finish = Literal["drop_repeats", "drop_unfinished", "unify_speech_level"]


class Generation(Section):
    """Without any of it: greedy, one answer, as it comes."""

    max_new_tokens: Annotated[int, Field(ge=1)] | None = None
    """Longest free answer; None: as long as the longest that was taught."""
    beams: Annotated[int, Field(ge=1)] = 1
    """Beam search keeps so many beginnings; 1 takes the likeliest token each time."""
    length_penalty: float = 1.0
    """Beam search divides a log probability by length to this power: above 1 favours long answers."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 writes the likeliest answer; above 0 tokens are drawn with the seed, the higher the freer."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Tokens are drawn from the likeliest that together have this probability."""
    no_repeat_ngram: Annotated[int, Field(ge=0)] = 0
    """No sequence of so many tokens comes twice in an answer; 0 allows all."""
    repetition_penalty: Annotated[float, Field(gt=0)] = 1.0
    """Above 1 makes tokens that were written already less likely."""
    candidates: Annotated[int, Field(ge=1)] = 1
    """Answers drawn per prompt, of which the one most like all others is taken (minimum Bayes risk)."""
    finish: tuple[Finish, ...] = ()
    """Steps on the written text, in this order; the gain of each is measured."""

    @model_validator(mode="after")
    def _one_way_of_writing(self) -> Self:
        if self.temperature and self.beams > 1:
            raise PydanticCustomError("beams_and_sampling", "beams and temperature exclude each other")
        if self.candidates > 1 and not self.temperature:
            raise PydanticCustomError("candidates_alike", "candidates without a temperature are all the same answer")
        return self
