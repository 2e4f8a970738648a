"""Who answers the test rows: the tuned model, the same model before tuning, and answers that cost nothing.

`constant` says the commonest training answer to everyone, `nearest` the answer of the training row whose question is
most alike; those of summaries stand in `extractive.py`. All learn from the train split only; a model that is no closer
to people's answers has learnt little.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from dadeum.core.examples import Example, answer_of
from dadeum.core.measured import Notice
from dadeum.models.likelihood import Likelihood

_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Spoken:
    """What one system said."""

    answers: list[str]
    cut_off: list[bool]
    """Which answers reached the limit on their length."""
    likelihoods: list[Likelihood] | None = None
    """Of the reference answers; None for a system that has no probabilities."""
    crisis: list[str] = field(default_factory=list)
    """Answers to the crisis messages."""
    seconds: float | None = None
    max_new_tokens: int | None = None
    notices: list[Notice] = field(default_factory=list)


def constant(train: list[Example], rows: list[Example]) -> Spoken:
    """The commonest training answer, the first of a tie, for every row."""
    (answer, count), *_ = Counter(map(answer_of, train)).most_common(1) or [("", 0)]
    notices = [Notice(key="evaluate.answers.constant_is_one_of_many", values={"num": len(train)})] if count < 2 else []
    return Spoken([answer] * len(rows), [False] * len(rows), seconds=0.0, notices=notices)


def nearest(train: list[Example], rows: list[Example]) -> Spoken:
    """The answer of the training row whose question is most alike by character TF-IDF; the first of a tie."""
    if not any(example.text.strip() for example in train):
        return constant(train, rows)
    found = nearest_rows([example.text for example in train], [example.text for example in rows])
    return Spoken([answer_of(train[place]) for place in found.places], [False] * len(rows), seconds=found.seconds)


@dataclass(frozen=True)
class Nearest:
    places: list[int]
    """Position of the training text that is most alike, per text asked about."""
    seconds: float


def nearest_rows(train: list[str], asked: list[str]) -> Nearest:
    """Character 1- to 4-grams within words, as the TF-IDF baseline of `decide` reads them."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    known = vectorizer.fit_transform(train)
    started = time.perf_counter()
    places: list[int] = []
    for start in range(0, len(asked), _ROWS_AT_ONCE):
        alike = vectorizer.transform(asked[start : start + _ROWS_AT_ONCE]) @ known.T
        places += np.asarray(alike.argmax(axis=1)).ravel().tolist()
    return Nearest(places, time.perf_counter() - started)
