"""What the start-pattern doctor found: figures of the model, of its base and of the training answers, and a verdict."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dadeum.core.measured import Measured, Notice, Part

State = Literal["healthy", "at_risk", "collapsed"]
SCHEMA = 1


class Likely(Part):
    """A token and its probability, averaged over prompts."""

    token: str
    probability: float


class FirstTokens(Part):
    """The first token after the template, over all prompts; shares are probability, averaged over prompts."""

    entropy: float
    """Of the mean distribution, in bits."""
    own_entropy: float
    """Mean over prompts of the entropy of each one's distribution, in bits."""
    evenness: float
    """`own_entropy` over that of an even choice of any token: near 1, the model has learnt nothing yet."""
    dependence: float
    """Bits by which the question changes the first token: the Jensen-Shannon divergence between the prompts."""
    top: str
    """The likeliest token of the mean distribution; bytes such as <EC> where it is only a part of a letter."""
    top_probability: float
    """Its mean probability."""
    likeliest: list[Likely] = Field(default_factory=list)
    """The ten likeliest of the mean distribution, `top` first."""
    same_choice: Measured
    """Share of prompts whose likeliest token is the commonest one."""
    marks: Measured
    """Tokens that begin with punctuation or a symbol (quotation marks, brackets and Markdown are no such)."""
    ends: Measured
    """Tokens that end the answer before it began."""
    torn: Measured
    """Other control tokens, and bytes from the middle of a letter."""
    foreign: Measured | None
    """Letters of another script, after Korean questions; None where no question is Korean."""
    partial: Measured
    """Tokens that are only the first bytes of a Hangul letter: such a token says little of the word that follows."""
    form: Measured
    """Spaces, and tokens that open a quotation, Markdown, a tag or reasoning: the answer begins after them."""


class Common(Part):
    """The commonest of something, and the share of answers that have it."""

    text: str
    share: Measured


class Openings(Part):
    """How written answers begin and end; shares of `num` answers where nothing else is said."""

    num: int
    """Answers whose beginning was seen."""
    reasoning: Measured
    """Share of all that were written: those that the limit cut inside their reasoning (<think>)."""
    empty: Measured
    marks: Measured
    """Answers that begin with punctuation or a symbol that opens nothing."""
    torn: Measured
    """Answers that begin inside a letter."""
    first_word: Common | None
    """An eojeol, or two words of another language. None where no answer has a word."""
    first_sentence: Common | None
    boilerplate: Measured
    """Answers whose beginning is a listed stock phrase, or a sentence that many of these answers begin with."""
    warnings: Measured
    """Those whose stock phrase is a warning ("전문가에게 확인하세요")."""
    loops: Measured
    """Answers that end in the same words round after round."""
    unfinished: Measured | None
    """Of the answers that came to their own end: those that end inside a sentence. None where ten cannot be judged."""
    cut_off: Measured
    """Answers that the limit on new tokens cut: as it should be, most answers are longer than that."""
    levels: dict[str, float]
    """Speech level (높임법) → share of the whole sentences whose ending tells."""
    num_told: int
    """How many sentences these are."""
    shown: list[str]
    """The first answers that were written, reasoning too where the limit cut them in it."""


class Side(Part):
    """One model."""

    first: FirstTokens
    answers: Openings


class Reason(Part):
    """A threshold that was reached; `key` and `values` make its sentence."""

    signal: str
    state: State
    value: float
    limit: float
    sure: bool
    """The whole interval lies beyond the limit; also where there is no interval."""
    taught: bool = False
    """The training answers begin so as often: the data are the cause."""
    values: dict[str, str | int | float] = Field(default_factory=dict)


class Starts(Part):
    """Everything of one examination; `words.sentences` says it."""

    schema_version: int = SCHEMA
    verdict: State
    reasons: list[Reason]
    num_prompts: int
    max_new_tokens: int
    model: Side
    base: Side | None
    """The untuned model on the same prompts."""
    base_verdict: State | None
    """Of its own figures: what was so before is no work of tuning."""
    taught: Openings | None
    """The training answers, where they were given."""
    divergence: float | None
    """Jensen-Shannon divergence from the base's mean distribution: 0 for the same, 1 for nothing in common (bits)."""
    level_drift: float | None
    """Share of sentences in another speech level than the training answers' (or else the base's); None: too few."""
    level_reference: Literal["taught", "base"] | None = None
    questions: list[str] = Field(default_factory=list)
    """What `shown` answers, of both models."""
    notices: list[Notice] = Field(default_factory=list)
