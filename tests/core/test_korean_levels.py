"""A sentence in another speech level, by hand, and a measured share on real summaries of both registers."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from dadeum.core.finishing.unify_speech_level import apply
from dadeum.core.korean import MASK
from dadeum.core.korean_levels import LEVELS, in_level
from dadeum.core.rouge import words
from dadeum.core.speech import levels

SAME = {
    "haera": "#Person2#는 숨쉬기에 어려움을 겪는다.",
    "hapsyo": "#Person2#는 숨쉬기에 어려움을 겪습니다.",
    "haeyo": "#Person2#는 숨쉬기에 어려움을 겪어요.",
    "hae": "#Person2#는 숨쉬기에 어려움을 겪어.",
}
DIALOGUES = Path(__file__).parents[3] / "shared" / "data" / "dialogsum_ko"


@pytest.mark.parametrize("wanted", LEVELS)
@pytest.mark.parametrize("given", LEVELS)
def test_every_level_becomes_every_other(given, wanted):
    assert in_level(SAME[given], wanted) == SAME[wanted]


@pytest.mark.parametrize(
    ("given", "wanted", "written"),
    [
        ("#Person1#은 3시 30분에 만나기로 했다.", "hapsyo", "#Person1#은 3시 30분에 만나기로 했습니다."),
        ("그는 의사이다.", "haeyo", "그는 의사예요."),
        ("그는 학생이다.", "haeyo", "그는 학생이에요."),
        ("그는 학생입니다.", "haera", "그는 학생이다."),
        ("전화한 사람은 #Person2#이다.", "hapsyo", "전화한 사람은 #Person2#입니다."),
        ("그는 학생이었습니다.", "haera", "그는 학생이었다."),
        ("#Person1#은 시험공부를 하였다.", "hapsyo", "#Person1#은 시험공부를 하였습니다."),
        ("날씨가 좋습니다.", "haera", "날씨가 좋다."),
        ("그는 가지 않습니다.", "haera", "그는 가지 않는다."),
        ("날씨가 좋지 않습니다.", "haera", "날씨가 좋지 않다."),
        ("그는 돕고 싶어 합니다.", "haera", "그는 돕고 싶어 한다."),
        ("집에 가고 싶습니다.", "haera", "집에 가고 싶다."),
        ("길이 어렵습니다.", "haeyo", "길이 어려워요."),
        ("그는 그것을 모릅니다.", "hae", "그는 그것을 몰라."),
        ("그는 범인이 아닙니다.", "haeyo", "그는 범인이 아니에요."),
        ("다 알게 될 거야.", "hapsyo", "다 알게 될 겁니다."),
        ("무엇을 먹었습니까?", "haeyo", "무엇을 먹었어요?"),
        ("서류를 보냈다. 내일 다시 옵니다. 끝났어요.", "haera", "서류를 보냈다. 내일 다시 온다. 끝났다."),
        ("서류를 보냈습니다.\n- 사과 두 개\n내일 옵니다.", "haera", "서류를 보냈다.\n- 사과 두 개\n내일 온다."),
    ],
)
def test_by_hand(given, wanted, written):
    assert in_level(given, wanted) == written


@pytest.mark.parametrize(
    "given",
    [
        "", "네.", "같이 가요.", "앉으세요.", "빨리 와.", "그렇군요.", "내일 갈게요.", "온다네요.", "#Person1#",
        "Thank you.", "사과 두 개", "그럼요!",
    ],
)  # fmt: skip
def test_what_would_be_a_guess_stays(given):
    assert in_level(given, "hapsyo") == given
    assert in_level(given, "haera") == given


def test_no_level_wanted_changes_nothing():
    assert apply("비가 온다. 갑니다.", None) == "비가 온다. 갑니다."
    assert in_level("비가 온다. 갑니다.", "nominal") == "비가 온다. 갑니다."


@pytest.mark.parametrize("wanted", ["hapsyo", "haera"])
@pytest.mark.skipif(not DIALOGUES.is_dir(), reason="needs ../shared/data/dialogsum_ko")
def test_real_summaries_of_the_other_register_are_converted(wanted):
    """Both files mix summaries in 해라체 and in 합쇼체."""
    texts: list[str] = []
    for name in ("dev.csv", "dev_sample.csv"):
        with (DIALOGUES / name).open(encoding="utf-8") as file:
            texts += [row["summary"].strip() for row in csv.DictReader(file)]
    random.Random(0).shuffle(texts)
    num = right = 0
    for text in texts[:200]:
        new = in_level(text, wanted)
        assert MASK.findall(new) == MASK.findall(text)
        assert [one for one in new if one.isdigit()] == [one for one in text if one.isdigit()]
        after = levels(new)
        same_words = words(new, content_words=True) == words(text, content_words=True)
        old = [one for one in levels(text) if one.level in LEVELS and one.level != wanted]
        num += len(old)
        left = sum(one.level in LEVELS and one.level != wanted for one in after)
        right += (len(old) - left) if same_words else 0
    print(f"{wanted}: {right} of {num} sentences")
    assert num >= 100
    assert right / num >= 0.95
