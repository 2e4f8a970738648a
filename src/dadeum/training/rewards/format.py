"""Reward `format`: share of five signs of a clean answer, 0..1; an empty answer gets 0.

The last sentence ends; nothing of a prompt or of control tokens is left; the language of the training answers is held;
nothing is said again and again; every sentence is in the speech level asked for. A sign that cannot be judged (no level
in the ending, training answers not in Korean) is given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dadeum.core.examples import Example, answer_of
from dadeum.core.finishing import drop_repeats
from dadeum.core.speech import Analysis, analyse, overall
from dadeum.training.rewards._taught import Taught, hangul_share, taught

if TYPE_CHECKING:
    from dadeum.training.work import Work

_STOPS = tuple(".!?…。！？~～^")
_CLOSING = " \t\n\"'”’」』》〉)）]}*_`"
_REMNANT = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|</?s>|</?think>|<(?:start|end)_of_turn>|\[/?INST\]|^### ?\w|\[\|\w+\|\]|\ufffd", re.MULTILINE
)
_LATIN_WORD = re.compile("[A-Za-z]+")
_LEAST_HANGUL = 0.9
SIGNS = ("finished", "clean", "language", "no_repeats", "speech_level")


def rate(work: Work, rows: list[Example], answers: list[str]) -> np.ndarray:
    """Mean of the signs that `signs` finds."""
    found = signs(work, rows, answers)
    return np.array([float(np.mean([each[name] for name in SIGNS])) for each in found])


def signs(work: Work, rows: list[Example], answers: list[str]) -> list[dict[str, bool]]:
    """Per answer, which of SIGNS it shows."""
    usual = taught(work)
    wanted = getattr(work.recipe.task, "speech_level", None) or usual.level
    found = []
    for row, answer, analysis in zip(rows, answers, analyse(answers), strict=True):
        if not answer.strip():
            found.append(dict.fromkeys(SIGNS, False))
            continue
        held = [one.level for one in analysis.sentences if one.level not in ("undecided", "noun")]
        found.append(
            {
                "finished": _ends(answer, analysis),
                "clean": not _REMNANT.search(answer),
                "language": _in_language(answer, row, usual),
                "no_repeats": drop_repeats.apply(answer).strip() == answer.strip(),
                "speech_level": wanted is None or all(level == wanted for level in held),
            }
        )
    return found


def _ends(answer: str, analysis: Analysis) -> bool:
    """A closing mark, or an ending that closes a sentence."""
    return answer.rstrip(_CLOSING).endswith(_STOPS) or overall(analysis.sentences[-1:]) not in ("undecided", "noun")


def _in_language(answer: str, row: Example, usual: Taught) -> bool:
    """Where Korean was taught: nine in ten letters are Hangul, words of the prompt and the reference aside."""
    if not usual.is_korean:
        return True
    asked = " ".join([*(turn["content"] for turn in row.prompt), answer_of(row)])
    known = {word.lower() for word in _LATIN_WORD.findall(asked)}
    return hangul_share(_LATIN_WORD.sub(lambda one: "" if one[0].lower() in known else one[0], answer)) >= _LEAST_HANGUL
