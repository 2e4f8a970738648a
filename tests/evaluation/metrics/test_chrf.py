from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from dadeum.evaluation.metrics.chrf import chrf, per_row
from tests.evaluation.metrics.asking import asked


def test_by_hand() -> None:
    assert chrf("가나", "가다") == pytest.approx(0.25)
    # 1-grams: 2 shared of 2 said, of 3 wanted; 2-grams: 1 of 1, of 2. P = 1, R = (2/3 + 1/2) / 2 = 7/12.
    assert chrf("가나", "가나다") == pytest.approx(5 * (7 / 12) / (4 + 7 / 12))


def test_recall_weighs_more_than_precision() -> None:
    assert chrf("가나다라마바", "가나다") > chrf("가나다", "가나다라마바")


def test_spaces_and_composition_do_not_count() -> None:
    assert chrf(unicodedata.normalize("NFD", "천천히찾아 봐요."), "천천히 찾아봐요.") == 1


def test_nothing_in_common_is_0_and_no_reference_is_no_figure() -> None:
    found = per_row(asked(["", "hello", "천천히"], references=["천천히", "천천히", ""]))
    assert found[:2].tolist() == [0, 0]
    assert np.isnan(found[2])
