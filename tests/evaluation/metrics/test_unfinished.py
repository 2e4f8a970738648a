from __future__ import annotations

import numpy as np
import pytest

from dadeum.evaluation.metrics.unfinished import per_row
from tests.evaluation.metrics.asking import asked


def unfinished(text: str) -> float:
    return float(per_row(asked([text]))[0])


@pytest.mark.parametrize(
    "text",
    [
        "오늘은 푹 쉬세요.", "괜찮아요", "그렇죠", "많이 힘드셨겠습니다", "정말 좋네요~", "힘내세요 ㅎㅎ",
        "축하해요 🎉",
        "좋아하는 게 뭐예요?", "“천천히 해도 돼요.”", "그만두지 마세요 ㅠㅠ", "고마워요 ^^", "Take your time.",
        "**하나씩 해 봐요.**", "잘될 거야",
    ],
)  # fmt: skip
def test_ends_of_sentences(text: str) -> None:
    assert unfinished(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "우선 좋아하는 과목을", "천천히 찾아보면서 하고 싶은", "그래서 저는 지금부터", "여러 가지를 해 보고,",
        "다음과 같이 해 보세요:", "많이 힘들었겠지만 그래도 조금씩 나아질", "You should take your",
        "진로를 정할 때는 먼저 적성과",
    ],
)  # fmt: skip
def test_breaks_inside_a_sentence(text: str) -> None:
    assert unfinished(text) == 1


@pytest.mark.parametrize("text", ["", "   ", "적성검사", "- 적성검사\n- 진로 상담", "Good luck", "2026"])
def test_what_does_not_tell_is_not_judged(text: str) -> None:
    assert np.isnan(unfinished(text))


def test_rows_stay_in_their_order() -> None:
    found = per_row(asked(["괜찮아요", "적성검사", "그래서 저는 지금부터", "네."]))
    assert np.nan_to_num(found, nan=-1).tolist() == [0, -1, 1, 0]
