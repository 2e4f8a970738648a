"""What is stored of a check of general ability: one model's answers, and the change between two models.

Every answer is kept, since two models are compared question by question.
"""

from __future__ import annotations

from typing import Literal

from dadeum.core.measured import Measured, Part

TOLERANCE = 0.05
"""A loss of fewer points than this counts as none: 8 of 160 questions."""
CHANCE = 0.25
Verdict = Literal["no_worse", "worse", "undecided"]


class Subject(Part):
    """The questions of one subject."""

    num: int
    num_right: int
    gap: float
    """Mean gap."""


class Answered(Part):
    """One model's answers, in the order of the questions."""

    num: int
    chance: float = CHANCE
    """Share that guessing gets right."""
    questions: str
    """Hash of what was asked."""
    right: list[bool]
    """The right choice has the highest mean log probability per token."""
    gaps: list[float]
    """Mean log probability per token of the right choice minus that of the best wrong one, in nats."""
    accuracy: Measured
    gap: Measured
    """Mean of the gaps: moves before any answer does."""
    accuracy_by_sum: Measured
    """The same choice by the log probability of the whole text, which favours short ones."""
    by_subject: dict[str, Subject]

    @property
    def at_chance(self) -> bool:
        """Not surely better than guessing: a model that knew nothing of it has nothing to lose."""
        return self.accuracy.low <= self.chance


class Change(Part):
    """One model minus another, question by question."""

    num: int
    accuracy: Measured
    """Difference of the shares of right answers."""
    gap: Measured
    """Mean difference of the gaps, in nats per token."""
    num_lost: int
    """Only the other model was right."""
    num_gained: int
    """Only this model was right."""
    p_value: float
    """Exact McNemar test on the two."""
    tolerance: float = TOLERANCE
    at_chance: bool
    """The other model was at chance: it could lose nothing here, and the check says nothing."""
    verdict: Verdict
    """worse: surely lower, and a loss of `tolerance` is not ruled out. no_worse: such a loss is ruled out."""
