"""Summaries that cost nothing: the beginning of the dialogue, its most central turns, one sentence for all.

What they have to choose (how many turns, how long, which sentence) they choose on the train split and say so.
TextRank is Mihalcea & Tarau's (2004) over content morphemes. No model is worth its time that writes no better.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dadeum.core.examples import Example, answer_of
from dadeum.core.korean import nfc
from dadeum.core.measured import Notice
from dadeum.core.morphemes import kiwi
from dadeum.core.rouge import rouge_many, words
from dadeum.evaluation.answers.systems import Spoken

_LEARNT_FROM = 100
"""Training rows that are looked at, spread over the split: a choice among few needs no more."""
_MOST_TURNS = 6
_DAMPING = 0.85
_CLOSE_ENOUGH = 1e-9


def lead(train: list[Example], rows: list[Example]) -> Spoken:
    """The first turns of each dialogue; as many as do best on training rows by what the verdict rests on."""
    sample = _spread(train)
    means = [_content_rouge_l([_first(row.text, num) for row in sample], sample) for num in range(1, _MOST_TURNS + 1)]
    turns = 1 + int(np.argmax(means))
    notice = Notice(key="evaluate.answers.lead_chosen", values={"turns": turns, "num": len(sample)})
    started = time.perf_counter()
    answers = [_first(row.text, turns) for row in rows]
    return _spoken(answers, time.perf_counter() - started, notice)


def textrank(train: list[Example], rows: list[Example]) -> Spoken:
    """The most central turns of each dialogue in their order, as many as make the mean length of training summaries."""
    room = round(np.mean([len(answer_of(row)) for row in train])) if train else 0
    notice = Notice(key="evaluate.answers.textrank_chosen", values={"characters": room})
    started = time.perf_counter()
    answers = [central(row.text, room) for row in rows]
    return _spoken(answers, time.perf_counter() - started, notice)


def typical(train: list[Example], rows: list[Example]) -> Spoken:
    """To every row the one training summary that has most in common with the others, the first of a tie.

    Training summaries all differ, so there is no commonest. Particles and endings count in the choice: this is how
    much ROUGE can be had without reading anything.
    """
    candidates = list(dict.fromkeys(nfc(answer_of(row)) for row in _spread(train)))
    if not candidates:
        return _spoken([""] * len(rows), 0.0)
    against = [[other for other in candidates if other is not one] for one in candidates]
    means = [float(np.mean([one.mean for one in row])) if row else 0.0 for row in rouge_many(candidates, against)]
    best = int(np.argmax(means))
    values: dict[str, str | int | float] = {"num": len(candidates), "percent": round(100 * means[best], 1)}
    notice = Notice(key="evaluate.answers.constant_chosen", values=values)
    return _spoken([candidates[best]] * len(rows), 0.0, notice)


# -- turns ----------------------------------------------------------------------------------------
def turns_of(text: str) -> list[str]:
    """Lines of a dialogue; sentences of a document that is one line."""
    lines = [line.strip() for line in nfc(text).splitlines() if line.strip()]
    return [sentence.text for sentence in kiwi().split_into_sents(lines[0])] if len(lines) == 1 else lines


def _first(text: str, num: int) -> str:
    return "\n".join(turns_of(text)[:num])


def central(text: str, room: int) -> str:
    """Turns by rank while they fit into `room` characters, at least one; in the order of the text."""
    turns = turns_of(text)
    ranks = rank([words(turn, content_words=True) for turn in turns])
    taken: list[int] = []
    for place in np.argsort(-ranks, kind="stable").tolist():
        if taken and len("\n".join(turns[each] for each in (*taken, place))) > room:
            break
        taken.append(place)
    return "\n".join(turns[place] for place in sorted(taken))


def rank(turns: Sequence[Sequence[str]]) -> np.ndarray:
    """PageRank of turns in the graph of their shared words, shape (turns,), sum 1.

    By hand: (a b), (a b), (c d): the two that share have the edge 2 / (ln 2 + ln 2), the third has none and keeps what
    a random jump brings.
    """
    num = len(turns)
    if num == 0:
        return np.zeros(0)
    weights = np.array([[_alike(one, other) if one is not other else 0.0 for other in turns] for one in turns])
    out = weights.sum(axis=1)
    # A turn that shares nothing leads anywhere.
    moves = np.where(out[:, np.newaxis] > 0, weights / np.where(out > 0, out, 1)[:, np.newaxis], 1 / num)
    found = np.full(num, 1 / num)
    while True:
        new: np.ndarray = (1 - _DAMPING) / num + _DAMPING * (found @ moves)
        if np.abs(new - found).sum() < _CLOSE_ENOUGH:
            return new
        found = new


def _alike(one: Sequence[str], other: Sequence[str]) -> float:
    """Shared words by the logarithms of both lengths; nothing for turns of a single word, whose logarithm is 0."""
    if len(one) < 1 or len(other) < 1 or len(one) == len(other) == 1:
        return 0.0
    return len(set(one) & set(other)) / float(np.log(len(one)) + np.log(len(other)))


# -- choosing -------------------------------------------------------------------------------------
def _spread(train: list[Example]) -> list[Example]:
    """Rows at equal distances, so that no part of the file is favoured."""
    if len(train) <= _LEARNT_FROM:
        return train
    return [train[place] for place in np.linspace(0, len(train) - 1, _LEARNT_FROM).round().astype(int).tolist()]


def _content_rouge_l(answers: list[str], rows: list[Example]) -> float:
    found = rouge_many(answers, [[answer_of(row)] for row in rows], content_words=True)
    return float(np.mean([row[0].rl for row in found])) if found else 0.0


def _spoken(answers: list[str], seconds: float, *notices: Notice) -> Spoken:
    said = Spoken(answers, [False] * len(answers), seconds=seconds)
    return replace(said, notices=list(notices))
