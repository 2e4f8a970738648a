from __future__ import annotations

import pytest

from dadeum.core.finishing import finish
from dadeum.core.finishing.drop_unfinished import apply

ENDED = "#Person1#은 회의를 미루자고 제안한다."


@pytest.mark.parametrize(
    "broken",
    ["#Person2#는 내일", "#Person2#는 동의하고", "그래서 #Person1#", "#Person2#는 걱정된다며 다시", "그들은 함께 회의"],
)
def test_a_sentence_that_breaks_off_is_left_out(broken):
    assert apply(f"{ENDED} {broken}") == ENDED
    assert apply(f"첫째로 늦었다.\n{ENDED} {broken}") == f"첫째로 늦었다.\n{ENDED}"


@pytest.mark.parametrize(
    "written",
    [
        "",
        ENDED,
        "#Person2#는 동의하고",
        "#Person2#는",
        f"{ENDED} #Person2#는 동의한다",
        f"{ENDED} #Person2#는 동의함",
        f"{ENDED} 정말 좋아요 😊",
        f"{ENDED} 좋네 ㅎㅎ",
        f'{ENDED} "내일 봅시다."',
        "살 것은 다음과 같다.\n- 사과 두 개\n- 배 하나",
    ],
)
def test_an_answer_is_never_emptied_nor_a_finished_one_cut(written):
    assert apply(written) == written


def test_steps_go_in_the_order_of_the_recipe():
    written = f"{ENDED} {ENDED} #Person2#는 내일"
    assert finish(written, ["drop_unfinished", "drop_repeats"]) == ENDED
    assert finish(written, ["drop_repeats", "unify_speech_level"], "hapsyo").startswith(
        "#Person1#은 회의를 미루자고 제안합니다."
    )
    assert finish(written, []) == written
