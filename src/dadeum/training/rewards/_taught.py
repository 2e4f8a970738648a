"""What the training answers are like: how long, in which speech level, in which script. Rewards measure against it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dadeum.core.examples import answer_of, read_examples
from dadeum.core.korean import MASK, nfc
from dadeum.core.speech import Level, analyse, overall

if TYPE_CHECKING:
    from dadeum.training.work import Work

_SHORTEST, _LONGEST = 10, 90
"""Percentiles of the answers' lengths between which a length is usual."""
_HANGUL = re.compile(r"[가-힣\u3131-\u318e]")
_MAJORITY = 0.5
_READ = 300
"""Answers, evenly spread over the split, whose speech level and script are read."""


@dataclass(frozen=True)
class Taught:
    shortest: float
    longest: float
    """Characters (NFC, ends trimmed): the 10th and the 90th percentile."""
    level: Level | None
    """The level that most answers hold; None where no level has the half of them."""
    is_korean: bool
    """Nine in ten letters are Hangul; names and masks of a Korean text may be in Latin letters."""


def taught(work: Work) -> Taught:
    """Of the training split as it stands; read once."""
    path = work.run.split_path("train")
    return _read(path, path.stat().st_mtime_ns)


def length(text: str) -> int:
    return len(nfc(text).strip())


def hangul_share(text: str) -> float:
    """Of all letters; 1 for a text without letters. Masks such as #Person1# are no words."""
    found = [character for character in MASK.sub("", nfc(text)) if character.isalpha()]
    return sum(map(bool, map(_HANGUL.match, found))) / len(found) if found else 1.0


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> Taught:
    answers = [answer_of(row) for row in read_examples(path)]
    shortest, longest = np.percentile([length(each) for each in answers], [_SHORTEST, _LONGEST])
    some = answers[:: -(-len(answers) // _READ)]
    is_korean = hangul_share(" ".join(some)) >= 0.9
    level = _commonest(some) if is_korean else None
    return Taught(float(shortest), float(longest), level, is_korean)


def _commonest(answers: list[str]) -> Level | None:
    found = Counter(overall(one.sentences) for one in analyse(answers))
    level, times = found.most_common(1)[0]
    decided = level not in ("undecided", "noun")
    return level if decided and times > _MAJORITY * len(answers) else None
