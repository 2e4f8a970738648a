"""ROUGE-1, -2 and -L that work on Korean: rouge_score's own counting over Kiwi's morphemes, masks kept whole.

The package's default tokenizer keeps a-z and 0-9 only: two equal Korean sentences get 0, and two that share nothing
but `#Person1#` get 1. Of content words the particles, endings and speakers are left out, so that a sentence that fits
every dialogue gets next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from dadeum.core.korean import nfc
from dadeum.core.morphemes import MASKED, Morpheme, morphemes

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

CONTENT = ("NNG", "NNP", "NR", "VV", "VA", "XR", "MAG", "SL", "SH", "SN")
"""Kiwi's tags (as beginnings: VV-I is a verb too) of words that say what a text is about."""


@dataclass(frozen=True)
class Rouge:
    """F1 of shared words, of shared pairs of words, and of the longest common subsequence; each 0..1."""

    r1: float
    r2: float
    rl: float

    @property
    def mean(self) -> float:
        """What Korean summary contests rank by."""
        return (self.r1 + self.r2 + self.rl) / 3


def rouge(answer: str, reference: str, content_words: bool = False) -> Rouge:
    """0 where one of them has no word.

    By hand: "가 나 다" against "가 다": of 1-grams P 2/3, R 1, F 0.8; no pair; the longest subsequence is both.
    """
    return rouge_many([answer], [[reference]], content_words)[0][0]


def rouge_many(
    answers: Sequence[str], references: Sequence[Sequence[str]], content_words: bool = False
) -> list[list[Rouge]]:
    """Per answer its figures against each of its references; all texts are read in one go."""
    morphemes([nfc(text) for text in (*answers, *(each for several in references for each in several))])
    scorer = _scorer(content_words)
    return [
        [_rouge(scorer, answer, each) for each in several] for answer, several in zip(answers, references, strict=True)
    ]


def words(text: str, content_words: bool = False) -> list[str]:
    """What is counted of a text."""
    found = morphemes([nfc(text)])[0]
    return [each.form for each in found if not content_words or is_content(each)]


def is_content(word: Morpheme) -> bool:
    """A noun, verb, adjective, root, adverb or number, or a word in foreign letters; no speaker."""
    return word.tag != MASKED and word.tag.startswith(CONTENT)


def signature(content_words: bool = False) -> str:
    """How the figures were made, in sacrebleu's manner: two scores compare only where these are equal."""
    taken = "content:" + "+".join(CONTENT) if content_words else "all"
    masks = "dropped" if content_words else "whole"
    return (
        f"analyser:kiwi-{version('kiwipiepy')}|model:{version('kiwipiepy_model')}|tags:{taken}|masks:{masks}"
        f"|norm:nfc|variant:rougeL-f1|rouge-score:{version('rouge_score')}"
    )


def _rouge(scorer: RougeScorer, answer: str, reference: str) -> Rouge:
    found = scorer.score(reference, answer)
    return Rouge(found["rouge1"].fmeasure, found["rouge2"].fmeasure, found["rougeL"].fmeasure)


@cache
def _scorer(content_words: bool) -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=_Words(content_words))


@dataclass(frozen=True)
class _Words:
    """The tokenizer that rouge_score asks for."""

    content_words: bool

    def tokenize(self, text: str) -> list[str]:
        return words(text, self.content_words)
