from __future__ import annotations

import numpy as np
import pytest

from dadeum.evaluation.metrics.speech_level import notices, per_row
from tests.evaluation.metrics.asking import asked


def test_by_hand() -> None:
    """Three sentences tell a level, two of them the wanted one; the noun tells none."""
    answer = "그 마음 이해해요. 오늘은 푹 쉬세요. 내일 다시 해 보자. 힘든 하루."
    assert per_row(asked([answer])).tolist() == [pytest.approx(2 / 3)]


def test_the_recipe_decides_else_what_was_taught() -> None:
    answer = ["오늘은 푹 쉬십시오. 그 마음을 이해합니다."]
    assert per_row(asked(answer)).tolist() == [0]
    assert per_row(asked(answer, task={"speech_level": "hapsyo"})).tolist() == [1]
    [notice] = notices(asked(answer))
    assert notice.values == {"level": "haeyo", "percent": 100}
    assert notices(asked(answer, task={"speech_level": "hapsyo"})) == []


def test_a_remark_to_oneself_is_no_slip_in_a_polite_answer() -> None:
    assert per_row(asked(["그랬구나. 많이 힘들었겠어요."])).tolist() == [1]


def test_what_tells_no_level_is_not_judged() -> None:
    assert np.isnan(per_row(asked(["", "😀", "Take your time.", "오늘의 날씨"]))).all()
    assert np.isnan(per_row(asked(["좋아요."], taught=("Yes.",)))).all()
