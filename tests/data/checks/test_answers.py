"""How answers begin, end and keep to one polite level, by what the checks point at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dadeum.core.examples import Example, Turn
from dadeum.core.findings import Finding
from dadeum.core.korean_phrases import listed_phrase
from dadeum.data.check import run_checks
from dadeum.data.context import Context
from dadeum.data.texts.turns import answer_turns

OPENING = "네, 물론입니다. "
THINGS = [f"{where} {what}" for where in ("부엌", "거실", "마당", "창고", "현관", "다락") for what in (
    "선반", "전등", "바닥", "창틀", "문짝", "벽지", "수납장", "손잡이", "걸레받이", "콘센트",
)]  # fmt: skip


def talk(number: int, *said: str) -> Example:
    """A conversation: user, assistant, user, assistant, …"""
    roles = ("user", "assistant")
    turns: list[Turn] = [{"role": roles[at % 2], "content": text} for at, text in enumerate(said)]
    return Example(f"t:{number}", "t", "t", str(number), said[0], turns[:-1], turns[-1:], "")


def talks(first: str = "", later: str = "", every: int = 1) -> list[Example]:
    """Sixty conversations of two exchanges; openings before the answers of every so many."""
    return [
        talk(
            number,
            f"{thing} 어떻게 닦아요?",
            (first if number % every == 0 else "") + f"{thing}에는 마른 수건 {number + 2}장을 씁니다.",
            "그다음에는요?",
            (later if number % every == 0 else "") + f"{number + 3}분쯤 말린 뒤 {thing}에 윤을 냅니다.",
        )
        for number, thing in enumerate(THINGS)
    ]


def examine(name: str, examples: list[Example], task: str = "chat") -> list[Finding]:
    return run_checks(Context({"train": examples, "validation": [], "test": []}, task), only=[name])


def answers(*texts: str) -> list[Example]:
    return [talk(number, f"{number}번째 물음입니다.", text) for number, text in enumerate(texts)]


# -- beginnings -------------------------------------------------------------------------------------
def test_a_phrase_before_a_third_of_the_first_answers_is_seen() -> None:
    (finding,) = examine("answer_starts", talks(first=OPENING, every=3))
    assert (finding.values["top"], finding.count, finding.total) == (OPENING.strip(), 20, 60)
    assert finding.values["first_share"] == pytest.approx(1 / 3)
    assert finding.values["later_share"] == 0
    assert {hit.part for hit in finding.hits} == {"assistant.2"}
    assert examine("answer_starts", talks()) == []


def test_later_answers_are_judged_on_their_own() -> None:
    (finding,) = examine("answer_starts", talks(later=OPENING, every=3))
    assert {hit.part for hit in finding.hits} == {"assistant.4"}
    assert (finding.values["first_share"], finding.values["later_share"]) == (0, pytest.approx(1 / 3))


def test_a_shared_first_sentence_is_seen_before_its_first_words_are_many() -> None:
    rows = talks(first="그 점은 이렇습니다. ", every=4)
    (finding,) = examine("answer_starts", rows)
    assert (finding.values["why"], finding.values["sentence"]) == ("sentence", "그 점은 이렇습니다")
    assert finding.values["sentence_share"] == 0.25
    assert examine("answer_starts", talks(first="아니요. ", every=4)) == []


def test_an_answer_that_is_a_row_of_its_own_elsewhere_counts_once() -> None:
    whole = talk(0, "물어요.", "첫 답입니다.", "또 물어요.", "둘째 답입니다.")
    first = talk(1, "물어요.", "첫 답입니다.")
    other = talk(2, "물어요.", "다른 첫 답입니다.", "또 물어요.", "둘째 답입니다.")
    found = [(turn.row, turn.text, turn.is_first) for turn in answer_turns([whole, first, other])]
    assert found == [
        (0, "둘째 답입니다.", False), (1, "첫 답입니다.", True), (2, "다른 첫 답입니다.", True),
        (2, "둘째 답입니다.", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("네, 물론입니다. 이자는 이렇게 셉니다.", "opening"),
        ("네, 알려드리겠습니다. 먼저 물을 끓입니다.", "opening"),
        ("네, 좋은 질문이에요! 그건 이렇습니다.", "opening"),
        ("김치 담그는 법에 대해 자세히 설명해 드리겠습니다. 먼저 절입니다.", "opening"),
        ("당연합니다. 언제든 오세요.", "opening"),
        ("네, 맞습니다. 그날은 쉽니다.", None),
        ("물론 비가 오면 미룹니다.", None),
        ("결과는 내일 알려드리겠습니다.", None),
    ],
)
def test_agreeing_openers_are_stock_phrases(text: str, kind: str | None) -> None:
    found = listed_phrase(text)
    assert (found[2] if found else None) == kind


def test_openers_before_one_answer_in_ten_are_boilerplate() -> None:
    (finding,) = examine("boilerplate", talks(first=OPENING, every=10))
    assert (finding.count, finding.values["kinds"]) == (6, "opening 6")


def test_the_public_files_are_told_apart(shared_data: Path) -> None:
    def file(name: str) -> list[Example]:
        lines = (shared_data / "korean_sft" / name).read_text(encoding="utf-8").splitlines()
        told = [[turn for turn in json.loads(line)["messages"] if turn["role"] != "system"] for line in lines]
        return [talk(number, *(turn["content"] for turn in turns)) for number, turns in enumerate(told)]

    (finding,) = examine("answer_starts", file("korean_sft_correction.jsonl"))
    assert (finding.values["starts"], finding.values["answers"]) == (19, 3500)
    assert examine("answer_starts", file("korean_sft_train.jsonl")) == []


# -- ends -------------------------------------------------------------------------------------------
WHOLE = [f"{thing}부터 닦습니다. 그다음에는 {number + 2}분쯤 말립니다." for number, thing in enumerate(THINGS)]
CUT = [
    "물기를 먼저 닦습니다. 마른 수건이 없으면 신문지를 여러 겹으로 접어서",
    "못을 빼고 구멍을 메웁니다. 메운 자리가 굳으면 고운 사포로 문지르고 그 위에 칠을",
    "먼저 전기를 내립니다. 그런 다음 나사를 풀어 덮개를 들어 올리고 낡은 전",
]


def test_cut_answers_are_marked_where_they_break_off() -> None:
    rows = answers(*WHOLE, *CUT)
    (finding,) = examine("cut_answers", rows)
    assert (finding.severity, finding.count, finding.total) == ("warn", 3, 63)
    marked = [rows[hit.row].completion[-1]["content"][hit.start : hit.end] for hit in finding.hits]
    assert marked == [text.split(". ")[1] for text in CUT]


def test_an_answer_in_the_middle_of_a_conversation_may_be_cut_too() -> None:
    rows = [
        *talks(),
        *(talk(90 + at, f"{at}번이요?", text, "계속해 주세요.", "이어서 씁니다.") for at, text in enumerate(CUT)),
    ]
    (finding,) = examine("cut_answers", rows)
    assert {hit.part for hit in finding.hits} == {"assistant.2"}


@pytest.mark.parametrize(
    "answer",
    [
        "필요한 것은 이렇습니다.\n- 못 두 개\n- 망치와",
        "이렇게 씁니다.\n```python\nfor name in names:\n    print(name,\n```",
        "누리집에서 받습니다. https://example.com/a/b",
        "이렇게 적으면 됩니다. \"내일 비가 와서\"",
        "잘했어요 👍", "그럼요 ㅎㅎ", "부산", "정말 잘됐습니다 :)", "| 이름 | 값 |\n|---|---|\n| 가 | 나 |",
    ],
)  # fmt: skip
def test_lists_code_links_and_short_answers_are_no_cut_ones(answer: str) -> None:
    assert examine("cut_answers", answers(*WHOLE[:10], *(f"{answer}" for _ in range(5)))) == []


def test_people_who_write_without_full_stops_are_left_alone() -> None:
    chat = [f"{thing} 어제 다 닦았는데" for thing in THINGS]
    assert examine("cut_answers", answers(*chat)) == []


def test_one_cut_answer_is_an_oversight() -> None:
    assert examine("cut_answers", answers(*WHOLE, CUT[0])) == []


@pytest.mark.parametrize("name", ["cut_answers", "mixed_politeness", "answer_starts"])
@pytest.mark.parametrize("task", ["decide", "text"])
def test_only_answers_are_looked_at(name: str, task: str) -> None:
    assert examine(name, answers(*WHOLE, *CUT * 10), task) == []


# -- two polite levels ------------------------------------------------------------------------------
SLIPS = ["창을 먼저 엽니다. 먼지는 바닥으로 내려와요.", "나사를 조입니다. 너무 세게 조이면 깨져요."]


def test_slips_in_a_file_of_one_level_are_a_warning() -> None:
    rows = answers(*WHOLE, *SLIPS)
    (finding,) = examine("mixed_politeness", rows)
    assert (finding.severity, finding.values["both"], finding.values["hapsyo"]) == ("warn", 2, 60)
    assert {hit.found["level"] for hit in finding.hits if hit.found} == {"haeyo"}


def test_a_usual_mix_is_only_worth_knowing() -> None:
    haeyo = [f"{thing}부터 닦아요. 그다음에는 말려요." for thing in THINGS]
    (finding,) = examine("mixed_politeness", answers(*WHOLE, *haeyo, *SLIPS * 20))
    assert (finding.severity, finding.values["share"]) == ("info", 0.25)
    assert examine("mixed_politeness", answers(*WHOLE, *haeyo, *SLIPS * 10)) == []


@pytest.mark.parametrize(
    "answer",
    [
        "창을 먼저 엽니다. 먼지가 앉으면 닦으세요.",
        "아이는 \"벌써 다 했어요. 이제 놀아요.\"라고 했습니다. 그래서 웃었습니다.",
        "차례는 이렇습니다.\n1. 물을 뿌려요.\n2. 닦아요.",
        "해요체로 바꾸면 “지금 가요.”가 됩니다. 뜻은 같습니다.",
    ],
)  # fmt: skip
def test_what_both_levels_say_and_what_others_say_is_no_mix(answer: str) -> None:
    assert examine("mixed_politeness", answers(*WHOLE, *[answer] * 5)) == []


# -- polite and plain -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "answer",
    [
        "해라체로 바꾸면 \"나는 어제 산에 갔다. 길이 험했다.\"가 됩니다. 어미만 다릅니다.",
        "그는 “이리 와. 빨리 와.” 하고 불렀습니다. 모두 돌아보았습니다.",
        "먼저 답을 셉니다. 그러면 85명입니다. 전체 100명에서 85명을 빼",
    ],
)  # fmt: skip
def test_quoted_speech_and_cut_ends_are_no_plain_speech(answer: str) -> None:
    assert examine("mixed_speech", answers(answer)) == []


def test_rows_of_quotations_do_not_make_a_file_of_two_levels() -> None:
    quoting = [
        f"{thing} 이야기입니다. \"이거 누가 했어?\" \"몰라. 나는 아니야.\" \"그래?\" 둘이 그렇게 말했습니다."
        for thing in THINGS[:20]
    ]  # fmt: skip
    assert examine("speech_levels", answers(*WHOLE, *quoting)) == []
