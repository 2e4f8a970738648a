"""The sentence of a chunk that says most of what was asked: what a reader looks at first, and what a citation quotes.

Counted are distinct content morphemes, the rarer among the chunks shown the more: a word that every sentence has
tells none of them apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from dadeum.core.morphemes import tokenized
from dadeum.core.rouge import CONTENT
from dadeum.retrieval.words import content_words


class Place(NamedTuple):
    """text[start:end]."""

    start: int
    end: int


def best_sentences(wanted: str, texts: Sequence[str]) -> list[Place | None]:
    """Of each text the sentence (or line) nearest to `wanted`; the first among equals, None where no word is shared."""
    if not texts:
        return []
    asked = set(content_words([wanted])[0])
    read = [list(_sentences(text, tokens)) for text, tokens in zip(texts, tokenized(texts), strict=True)]
    frequency = Counter(word for sentences in read for _, words in sentences for word in words)
    total = sum(map(len, read))
    worth = {word: math.log1p(total / frequency[word]) for word in asked if frequency[word]}
    return [_best(sentences, worth) for sentences in read]


def _best(sentences: Sequence[tuple[Place, set[str]]], worth: dict[str, float]) -> Place | None:
    scored = [(sum(worth.get(word, 0.0) for word in sorted(words)), place) for place, words in sentences]
    score, place = max(scored, key=lambda one: one[0], default=(0.0, None))
    return place if score > 0 else None


def _sentences(text: str, sentences: Sequence[Sequence[object]]) -> Iterator[tuple[Place, set[str]]]:
    """Each with all letters up to the next one, without white space at its ends."""
    filled = [sentence for sentence in sentences if sentence]
    starts = [*(_start(sentence) for sentence in filled), len(text)]
    for sentence, (start, stop) in zip(filled, pairwise(starts), strict=True):
        end = start + len(text[start:stop].rstrip())
        words = {token.form.lower() for token in sentence if token.tag.startswith(CONTENT)}  # type: ignore[attr-defined]
        yield Place(start, end), words


def _start(sentence: Sequence[object]) -> int:
    return int(sentence[0].start)  # type: ignore[attr-defined]
