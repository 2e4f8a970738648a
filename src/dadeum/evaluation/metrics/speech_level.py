"""Speech level (높임법) held: share of an answer's sentences in the wanted one, of those whose ending tells.

Wanted is `task.speech_level`, or else the commonest of the training answers. 합쇼체 and 해요체 are two levels here,
although good answers mix them: compare with the figure of the reference answers before asking for 1.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np

from dadeum.core.letters import tidy
from dadeum.core.measured import Notice
from dadeum.core.speech import PLAIN, POLITE, SOLILOQUY, Level, Sentence, analyse
from dadeum.core.task import Answer, Chat, Summarize
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._texts import taught_sample

TASKS = ("chat", "summarize", "answer")
BETTER = "higher"

_SPOKEN: frozenset[Level] = POLITE | PLAIN | {"hage"}


def per_row(asked: Asked) -> np.ndarray:
    """0..1; NaN for an answer without a sentence whose ending tells, and for all where nothing Korean was taught."""
    wanted = _wanted(asked)
    if wanted is None:
        return np.full(len(asked.answers), np.nan)
    analysed = analyse([tidy(answer) for answer in asked.answers])
    return np.array([_share(found.sentences, wanted) for found in analysed])


def notices(asked: Asked) -> list[Notice]:
    """Which level the answers were held to, where the recipe leaves it to the training answers."""
    task = asked.recipe.task
    shares = taught_shares(taught_sample(asked.train, asked.recipe.seed))
    wanted = _wanted(asked)
    if wanted is None or (isinstance(task, Chat | Summarize | Answer) and task.speech_level):
        return []
    values: dict[str, str | int | float] = {"level": wanted, "percent": round(100 * shares[wanted])}
    return [Notice(key="evaluate.metrics.speech_level.taken", values=values)]


def _share(sentences: list[Sentence], wanted: Level) -> float:
    told = [sentence.level for sentence in sentences if _tells(sentence, wanted)]
    return told.count(wanted) / len(told) if told else float("nan")


def _tells(sentence: Sentence, wanted: Level) -> bool:
    """Its ending says a level, and is no remark to oneself inside a polite text ("그랬구나.")."""
    return sentence.level in _SPOKEN and not (wanted in POLITE and sentence.ending in SOLILOQUY)


def _wanted(asked: Asked) -> Level | None:
    task = asked.recipe.task
    if isinstance(task, Chat | Summarize | Answer) and task.speech_level is not None:
        return task.speech_level
    shares = taught_shares(taught_sample(asked.train, asked.recipe.seed))
    if not shares:
        return None
    commonest: Level = max(shares, key=lambda level: shares[level])
    return commonest


@lru_cache(maxsize=4)
def taught_shares(answers: tuple[str, ...]) -> dict[Level, float]:
    """Share of every level among the told sentences of training answers; {} when none tells."""
    levels = Counter(
        sentence.level for found in analyse(answers) for sentence in found.sentences if sentence.level in _SPOKEN
    )
    return {level: num / levels.total() for level, num in levels.items()}
