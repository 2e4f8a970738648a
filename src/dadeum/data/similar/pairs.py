"""What each row asks and what it answers, as 64-bit numbers that are equal for equal texts.

Numbers and not texts: a million rows take 16 MB, and repeated inputs or answers are found by sorting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dadeum.core.examples import Example, Turn, answer_of
from dadeum.core.korean import nfc, squash
from dadeum.data.similar.shingles import Ints

NOTHING = hash("")
"""Number of an empty text."""


@dataclass(frozen=True)
class Pairs:
    """Inputs and answers of n rows; two different texts get one number once in 10^7 data sets of a million rows."""

    inputs: Ints
    """Shape (n,): the whole prompt, system turn and history included, or the text of a row with a label."""
    answers: Ints
    """Shape (n,): all turns of the completion and of the rejected answer, or the documents to find."""
    labelled: npt.NDArray[np.bool_]
    """Shape (n,): the answer is a label, so that many inputs share it."""
    lengths: Ints
    """Shape (n,): characters of the answer, white space folded."""

    @property
    def free(self) -> Ints:
        """Rows with an answer that is no label."""
        return np.flatnonzero(~self.labelled & (self.answers != NOTHING))

    def take(self, rows: Sequence[int]) -> Pairs:
        """The pairs of some rows."""
        return Pairs(self.inputs[rows], self.answers[rows], self.labelled[rows], self.lengths[rows])


def pairs_of(examples: Iterable[Example]) -> Pairs:
    rows = [
        (hash(input_of(row)), hash(_answered(row)), bool(row.label), len(folded(answer_of(row)))) for row in examples
    ]
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return Pairs(table[:, 0].copy(), table[:, 1].copy(), table[:, 2] > 0, table[:, 3].copy())


def folded(text: str) -> str:
    """NFC, runs of white space as one space: how texts are compared for being equal."""
    return squash(nfc(text or ""))


def input_of(example: Example) -> str:
    """Everything the model is given before it answers."""
    return folded(example.text) if example.label or not example.prompt else _folded(example.prompt)


def _answered(example: Example) -> str:
    """All that is answered; where nothing is written, the documents that are to be found."""
    return _folded(example.completion + example.rejected) or example.extra.get("document", "")


def _folded(turns: list[Turn]) -> str:
    return "\n".join([folded(turn["content"]) for turn in turns])


def first_rows(numbers: Ints) -> Ints:
    """For every position the first one with the same number."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)


def hashed(texts: Iterable[str]) -> Ints:
    """A number for every text, equal for equal texts."""
    return np.fromiter(map(hash, texts), dtype=np.int64)
