"""How answers begin, and whether they come to an end: of a model, and of what it was taught.

An answer that the limit cut is judged by its beginning only; its last sentence says no speech level.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from dadeum.core.endings import breaks_off
from dadeum.core.korean import MASK, masked
from dadeum.core.korean_phrases import listed_phrase
from dadeum.core.letters import letters, tidy
from dadeum.core.loops import loops
from dadeum.core.measured import Measured
from dadeum.core.speech import PLAIN, POLITE, Level, analyse
from dadeum.models.writing import Written
from dadeum.starts.first_tokens import measured
from dadeum.starts.result import Common, Openings
from dadeum.starts.tokens import kind_of_text

MIN_SHARED_ANSWERS = 3
"""Answers that begin with one sentence before it is a stock phrase of theirs, and at least MIN_SHARED of all."""
MIN_SHARED = 0.1
MIN_SENTENCE = 10
"""Characters of such a sentence; shorter ones ("네", "맞습니다") are conversation."""
_NEAR = 20
"""A listed phrase this near to the start begins the answer, although its first sentence is shorter."""
MIN_WHOLE = 10
"""Answers that came to their own end and tell, from which their ends are judged."""
_RARE = 0.1
"""Share under which a speech level is an exception in the reference."""
NUM_SHOWN = 5
"""Answers that are kept to be read."""
_SHOWN_CHARACTERS = 120
_SENTENCE_END = re.compile(r"[.!?…。\n]")
_LAST_SENTENCE = re.compile(r"[^.!?…。\n]*$")
_BEFORE_WORDS = re.compile(r"^[\W_]+")
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_THINKS = re.compile(r"\s*<think>(?!.*</think>)", re.DOTALL)
_SPOKEN: frozenset[Level] = POLITE | PLAIN | {"hage"}
_REPLACEMENT = "\ufffd"


def openings(answers: Sequence[Written], seed: int) -> Openings:
    """Figures of answers; those that the limit cut inside their reasoning have shown no beginning yet."""
    thinking = [_THINKS.match(answer.text) is not None for answer in answers]
    shown = [_text(answer)[:_SHOWN_CHARACTERS] for answer in answers[:NUM_SHOWN]]
    answers = [answer for answer, thinks in zip(answers, thinking, strict=True) if not thinks]
    texts = [_text(answer) for answer in answers]
    sentences = [first_sentence(text) for text in texts]
    kinds = [_stock(text, sentence) for text, sentence in zip(texts, sentences, strict=True)]
    shared = _shared(sentences)
    stock = [kind is not None or sentence in shared for kind, sentence in zip(kinds, sentences, strict=True)]
    whole = [text for text, answer in zip(texts, answers, strict=True) if answer.finished]
    levels, num_told = _levels(texts, answers)
    return Openings(
        num=len(texts),
        reasoning=measured(thinking, seed),
        empty=measured([not text for text in texts], seed),
        marks=measured([kind_of_text(text) == "mark" for text in texts], seed),
        torn=measured([text.startswith(_REPLACEMENT) for text in texts], seed),
        first_word=_common([_first_word(text) for text in texts], seed),
        first_sentence=_common(sentences, seed),
        boilerplate=measured(stock, seed),
        warnings=measured([kind == "warning" for kind in kinds], seed),
        loops=measured([bool(loops(text)) for text in texts], seed),
        unfinished=_unfinished(whole, seed),
        cut_off=measured([not answer.finished for answer in answers], seed),
        levels=levels,
        num_told=num_told,
        shown=shown,
    )


def first_sentence(text: str) -> str:
    """Up to the first end of a sentence, names and numbers masked; marks before it are another figure's matter."""
    words = _BEFORE_WORDS.sub("", text)
    return masked(_SENTENCE_END.split(words, maxsplit=1)[0])


def _first_word(text: str) -> str:
    """Two words where the first is not Korean: "The" says less than an eojeol.

    Marks, and masked names such as "#Person1#은" that follow the input, are left out before it.
    """
    words = (word for word in text.split() if not MASK.match(word) and not _BEFORE_WORDS.fullmatch(word))
    first = next(words, "")
    return f"{first} {next(words, '')}".strip() if first and not letters(first)[0] else first


def _text(answer: Written) -> str:
    """Tidy, without reasoning before it and the half letter that the limit may leave at the end."""
    text = tidy(_THOUGHT.sub("", answer.text))
    return text if answer.finished else text.rstrip(_REPLACEMENT).rstrip()


def _common(values: list[str], seed: int) -> Common | None:
    """The commonest that is not empty; a share of all answers, the empty ones too."""
    counts = Counter(value for value in values if value)
    if not counts:
        return None
    top = counts.most_common(1)[0][0]
    return Common(text=top, share=measured([value == top for value in values], seed))


def _shared(sentences: list[str]) -> set[str]:
    """Sentences that so many answers begin with that it cannot be for what was asked."""
    least = max(MIN_SHARED_ANSWERS, MIN_SHARED * len(sentences))
    counts = Counter(sentence for sentence in sentences if len(sentence) >= MIN_SENTENCE)
    return {sentence for sentence, count in counts.items() if count >= least}


def _stock(text: str, sentence: str) -> str | None:
    """The kind of a listed phrase that the answer begins with."""
    words = _BEFORE_WORDS.sub("", text)
    found = listed_phrase(words)
    return found[2] if found and found[0] <= max(len(sentence), _NEAR) else None


def _unfinished(texts: list[str], seed: int) -> Measured | None:
    found = breaks_off(texts)
    told = found[~np.isnan(found)]
    return measured(told, seed) if len(told) >= MIN_WHOLE else None


def _levels(texts: list[str], answers: Sequence[Written]) -> tuple[dict[str, float], int]:
    """Shares of the levels of whole sentences, the commonest first, and how many sentences there are."""
    whole = [
        text if answer.finished else _LAST_SENTENCE.sub("", text) for text, answer in zip(texts, answers, strict=True)
    ]
    counts = Counter(
        sentence.level
        for found in analyse([text for text in whole if text.strip()])
        for sentence in found.sentences
        if sentence.level in _SPOKEN
    )
    return {level: count / counts.total() for level, count in counts.most_common()}, counts.total()


def drift(levels: dict[str, float], reference: dict[str, float]) -> float:
    """Share of sentences in levels that the reference hardly uses.

    A greedy answer takes the commoner of two usual levels; that is no drift. By hand: half 해요체, half 해체 against
    60 % 합쇼체, 35 % 해요체, 5 % 해체: 0.5.
    """
    return sum(share for level, share in levels.items() if reference.get(level, 0.0) < _RARE)
