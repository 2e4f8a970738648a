from __future__ import annotations

import numpy as np
import pytest

from dadeum.evaluation.metrics.language import foreign_share, notices, per_row
from tests.evaluation.metrics.asking import asked


def test_by_hand() -> None:
    assert foreign_share("좋아요 very good", "") == pytest.approx(8 / 11)
    assert foreign_share("좋아요 very good", "Very?") == pytest.approx(4 / 7)


def test_words_of_question_and_reference_code_and_addresses_do_not_count() -> None:
    given = asked(
        ["TOEIC이랑 IT 자격증부터 봐요: https://example.org/toeic `print(1)`"],
        questions=["toeic 점수가 필요할까요?"],
        references=["IT 자격증도 좋아요."],
    )
    assert per_row(given).tolist() == [0]


def test_another_language_is_near_1_and_an_answer_without_letters_is_not_judged() -> None:
    found = per_row(asked(["Take your time.", "慢慢来吧", "괜찮아요.", "😀", ""]))
    assert found[:3].tolist() == [1, 1, 0]
    assert np.isnan(found[3:]).all()


def test_where_korean_was_not_taught_nothing_is_judged_and_it_is_said() -> None:
    given = asked(["Take your time."], taught=("Take care.", "You can do it."))
    assert np.isnan(per_row(given)).all()
    assert [notice.key for notice in notices(given)] == ["evaluate.metrics.language.not_korean"]
    assert notices(asked(["괜찮아요."])) == []
