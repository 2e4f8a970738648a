from __future__ import annotations

import unicodedata

import numpy as np

from dadeum.evaluation.metrics.length_ratio import per_row
from tests.evaluation.metrics.asking import asked


def test_characters_of_the_answer_per_character_of_the_reference() -> None:
    answers = ["가나다라마바", " 가나 ", "", unicodedata.normalize("NFD", "각나각나"), "가"]
    found = per_row(asked(answers, references=["가나다라"] * 4 + [""]))
    assert found[:4].tolist() == [1.5, 0.5, 0, 1]
    assert np.isnan(found[4])
