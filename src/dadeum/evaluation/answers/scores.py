"""The shape of evaluation/scores.json and samples.jsonl of free answers: written by `evaluate`, read by `report`.

Systems are `tuned` (the model of this run) and each baseline (`before`: the weights that it went on from, `base_model`,
`nearest`, `constant`). Figures are means over the rows that could be judged; intervals are 95 % percentile bootstrap
over groups of rows.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dadeum.core.generation import Finish, Generation
from dadeum.core.measured import Measured, Notice, Part
from dadeum.evaluation.answers.repair_scores import AbilityScores, Regression, StartScores
from dadeum.evaluation.crisis import CrisisScores
from dadeum.evaluation.judge_scores import JudgeScores
from dadeum.evaluation.scores import Gate

Better = Literal["higher", "lower", "neither"]
Outcome = Literal["better", "worse", "as_good", "different", "undecided"]
"""Of the tuned model against another; `different` for a figure without a better side, `undecided` for too few rows."""
Standing = Literal["better", "mixed", "as_good", "worse", "undecided"]


class SystemAnswers(Part):
    """How one system did on the rows that were answered."""

    metrics: dict[str, Measured]
    """A figure that no row could give is absent."""
    num_judged: dict[str, int]
    """Rows behind each figure; the others could not be judged."""
    seconds: float | None = None
    """Wall time to answer all rows."""


class Difference(Part):
    """tuned − baseline on the rows that both could be judged on, paired."""

    value: float
    low: float
    high: float
    num_rows: int
    outcome: Outcome


class Comparison(Part):
    """The tuned model against one baseline."""

    baseline: str
    differences: dict[str, Difference]
    standing: Standing
    """On closeness to the answers that people wrote, all such figures together."""


class Finishing(Part):
    """What one finishing step did to the tuned model's answers."""

    step: Finish
    num_changed: int
    """Answers that the step changed."""
    differences: dict[str, Difference]
    """Figures after the step minus the same figures before it, on the same rows, paired."""


class OriginScores(Part):
    """Means on the test rows of one origin."""

    num_rows: int
    systems: dict[str, dict[str, float]]


class GroundedScores(Part):
    """Of answers that are to stand in documents: what the questions are like, and where the system is weak."""

    num_kinds: dict[str, int]
    """Rows by kind: answerable (the right chunk is shown), missed (not found), unanswerable."""
    weights: dict[str, float]
    """Of the parts of the system score."""
    parts: dict[str, str]
    """Part of the system score → the figure behind it."""
    by_kind: dict[str, OriginScores]
    by_difficulty: dict[str, OriginScores] = Field(default_factory=dict)
    by_domain: dict[str, OriginScores] = Field(default_factory=dict)
    """Both only where the file says it, of all rows."""
    hints: list[Notice] = Field(default_factory=list)
    """What to improve, most important first, each with the figure that it rests on."""


class AnswerScores(Part):
    task: str
    metrics: dict[str, Better]
    """Every figure that was measured, in the order of the report, and its better side."""
    num_rows: dict[str, int]
    """Rows per split: train, validation, test."""
    num_answered: int
    """Test rows that every system answered, drawn with the seed."""
    num_groups: int
    """Groups that these rows belong to: what intervals are drawn over."""
    max_new_tokens: int
    """Longest answer that a model could write."""
    generation: Generation = Field(default_factory=Generation)
    """How the models wrote; the finishing steps among it."""
    seed: int | None = None
    """What sampled answers were drawn with; None in files of before there were any."""
    finishing: list[Finishing] = Field(default_factory=list)
    """Every finishing step against the answers that it was given, in the order they were applied."""
    systems: dict[str, SystemAnswers]
    reference: dict[str, float] = Field(default_factory=dict)
    """The same figures of the answers that people wrote: what a perfect imitation would get."""
    another_person: dict[str, float] = Field(default_factory=dict)
    """Figures of a second person's answers against the other people's, on rows that have several: what people get."""
    num_another: int = 0
    """Rows behind them."""
    signatures: dict[str, str] = Field(default_factory=dict)
    """Figure → analyser, versions and settings behind it: two figures compare only where these are equal."""
    counted: list[str]
    """Figures that the verdict rests on: closeness to what people wrote, where it means something."""
    comparisons: list[Comparison]
    by_origin: dict[str, OriginScores] = Field(default_factory=dict)
    crisis: dict[str, CrisisScores] = Field(default_factory=dict)
    """What the models said to people in danger; empty without `task.handoff`."""
    grounded: GroundedScores | None = None
    """Of task `answer` alone."""
    regression: Regression | None = None
    """What going on from given weights cost; None where a run begins with the untuned model."""
    starts: StartScores | None = None
    """How answers begin, where `evaluate.starts` asks for it."""
    ability: AbilityScores | None = None
    """What is known beside the data, where `evaluate.ability` asks for it."""
    judge: JudgeScores | None = None
    gates: list[Gate]
    verdict: Standing | Literal["no_baseline"]
    test_hash: str
    """sha256 of test.parquet."""
    asked_hash: str = ""
    """Of its rows without their prompts: `compare` refuses runs that were judged on different rows."""
    warnings: list[Notice] = Field(default_factory=list)

    @property
    def compared_by(self) -> str:
        """What runs must have in common; those of older versions know their file only."""
        return self.asked_hash or self.test_hash


class ShownChunk(Part):
    """A chunk of the prompt; its text stands in data/chunks.parquet."""

    id: str
    document: str
    page: int
    is_gold: bool


class AnswerSample(Part):
    """One answered test row in samples.jsonl."""

    id: str
    source: str
    origin: str
    group: str
    before: list[dict[str, str]] = Field(default_factory=list)
    """The conversation before the question, role and content of each turn, without the system turn."""
    question: str
    """What the user said last."""
    reference: str
    kind: str = ""
    """Of grounded answers: answerable, missed or unanswerable."""
    gold_answer: str = ""
    """What a person answered to a question that is to be refused here."""
    difficulty: str = ""
    domain: str = ""
    shown: list[ShownChunk] = Field(default_factory=list)
    """In the order of the prompt, which numbers them from 1."""
    answers: dict[str, str]
    """What every system wrote, finished where the recipe asks for it."""
    raw: dict[str, str] = Field(default_factory=dict)
    """What a model wrote before the finishing steps, where they changed it."""
    cut_off: list[str]
    """Systems whose answer reached the limit on its length."""
    metrics: dict[str, dict[str, float | None]]
    """system → figure of this row; None where it cannot be judged."""
