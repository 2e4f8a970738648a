from __future__ import annotations

import pytest

from dadeum.core.finishing.drop_repeats import apply

ONCE = "#Person1#은 버스를 놓쳤다고 말했다."


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (f"{ONCE} {ONCE}", ONCE),
        (f"{ONCE} 그래서 걸어갔다고 했다. {ONCE}", f"{ONCE} 그래서 걸어갔다고 했다."),
        (f"{ONCE}\n\n{ONCE}\n\n모두 걸어가기로 했다.", f"{ONCE}\n\n모두 걸어가기로 했다."),
        (f"{ONCE} {ONCE.replace(' ', '  ')}", ONCE),
        ("회의를 미뤘다. 그리고 또 그리고 또 그리고 또 그리고 또 그리고", "회의를 미뤘다. 그리고 또"),
        ("회의" + " 좋아요" * 6, "회의 좋아요"),
        ("좋습니다, 좋습니다, 좋습니다, 좋습니다, 좋습니다,", "좋습니다"),
    ],
)
def test_the_first_time_stays(written, wanted):
    assert apply(written) == wanted
    assert apply(wanted) == wanted


@pytest.mark.parametrize(
    "written",
    [
        "",
        ONCE,
        "힘내세요. 힘내세요. 다 잘될 거예요.",
        "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ",
        "그래, 그래, 그래.",
        "1.5배 늘었고 1.5배 줄었다.  ",
        "#Person1#은 버스를 놓쳤다고 말했다. #Person2#은 버스를 놓쳤다고 말했다.",
        "----------------------------------------",
    ],
)
def test_what_is_no_mistake_is_left_alone(written):
    assert apply(written) == written
