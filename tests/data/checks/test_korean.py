"""The checks on Korean, by what they point at; the files of tests/data/doctor hold them to whole data sets."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dadeum.core.examples import Example, Turn
from dadeum.core.findings import Finding, Span
from dadeum.core.messages import LANGUAGES, catalogue, text
from dadeum.core.speech import POLITE, Level
from dadeum.data.check import run_checks
from dadeum.data.checks import (
    answer_starts,
    foreign_script,
    mixed_speech,
    punctuation,
    quotes,
    repetition,
    speech_levels,
    split_syllables,
    translationese,
)  # fmt: skip
from dadeum.data.context import Context

PLAIN_ROWS = [f"{topic} 준비를 마쳤다. 이제 시작하면 된다." for topic in ("여행", "운동", "공부", "이사", "요리")]
POLITE_ROWS = [f"{topic} 준비를 마쳤어요. 이제 시작하면 돼요." for topic in ("여행", "운동", "공부", "이사", "요리")]


def rows(*answers: str, question: str = "알려 주세요", system: str = "") -> list[Example]:
    prompt: list[Turn] = [{"role": "system", "content": system}] if system else []
    prompt.append({"role": "user", "content": question})
    return [
        Example(f"r:{number}", "r", "r", f"{number}", question, prompt, [{"role": "assistant", "content": answer}], "")
        for number, answer in enumerate(answers)
    ]


def examine(name: str, examples: list[Example], task: str = "chat") -> list[Finding]:
    return run_checks(Context({"train": examples, "validation": [], "test": []}, task), only=[name])


def marked(finding: Finding, examples: list[Example]) -> list[str]:
    return [examples[hit.row].completion[-1]["content"][hit.start : hit.end] for hit in finding.hits]


def found(spans: list[Span], value: str) -> list[tuple[str, str]]:
    return [(value[span.start : span.end], span.found) for span in spans]


# -- speech levels ----------------------------------------------------------------------------------
def test_mixed_speech_marks_the_sentence_that_differs() -> None:
    examples = rows("먼저 계약서를 보세요. 전입신고도 잊지 말아야 한다. 관리비도 확인하세요.", "물을 자주 주세요.")
    (finding,) = examine("mixed_speech", examples)
    assert marked(finding, examples) == ["전입신고도 잊지 말아야 한다."]
    assert (finding.severity, finding.count, finding.total) == ("warn", 1, 2)


@pytest.mark.parametrize(
    "answer",
    [
        "할머니는 “물은 아침에 줘라.” 하고 말씀하셨어요. 그래서 아침에 줘요.",
        "이렇게 해 보세요.\n1. 물을 끓인다.\n2. 면을 넣는다.\n맛있게 드세요!",
        "그랬구나. 많이 힘드셨겠어요. 왜 그럴까? 같이 살펴봐요.",
        "민지: 뭐 해?\n준호: 그냥 있어.\n이런 대화가 자연스러워요.",
        "처음만 어렵지 그다음부터는 쉬워요.",
        "오늘은 흐리다. 내일은 갠다.",
    ],
)
def test_mixed_speech_leaves_quotations_lists_dialogue_and_remarks_alone(answer: str) -> None:
    assert examine("mixed_speech", rows(answer)) == []


def test_one_mixed_row_in_a_thousand_is_only_worth_knowing() -> None:
    answers = [f"{number}번 창구로 가세요." for number in range(300)]
    (finding,) = examine("mixed_speech", rows("표를 뽑아 주세요. 그리고 기다려라.", *answers))
    assert finding.severity == "info"


def test_speech_levels_counts_both_kinds_and_says_how_many_rows_it_read() -> None:
    (finding,) = examine("speech_levels", rows(*PLAIN_ROWS * 2, *POLITE_ROWS * 4))
    assert (finding.severity, finding.count, finding.total) == ("warn", 10, 30)
    assert {key: finding.values[key] for key in ("polite", "plain", "haeyo", "haera", "rows")} == {
        "polite": 20, "plain": 10, "haeyo": 20, "haera": 10, "rows": 30,
    }  # fmt: skip
    assert finding.values["minority"] == pytest.approx(1 / 3)


def test_a_few_plain_rows_or_few_rows_at_all_are_no_mix() -> None:
    assert examine("speech_levels", rows(*POLITE_ROWS * 20, *PLAIN_ROWS)) == []
    assert examine("speech_levels", rows(*PLAIN_ROWS, *POLITE_ROWS)) == []


def test_a_mix_that_system_prompts_ask_for_is_only_worth_knowing() -> None:
    polite = rows(*POLITE_ROWS * 3, system="해요체로 답하세요.")
    plain = rows(*PLAIN_ROWS * 3, system="반말로 답하세요.")
    (finding,) = examine("speech_levels", polite + plain)
    assert (finding.severity, finding.values["unexplained"]) == ("info", 0)


def test_every_level_has_a_name() -> None:
    for language in LANGUAGES:
        names = {key.rsplit(".", 1)[1] for key in catalogue(language) if key.startswith("checks.speech_levels.levels.")}
        assert names == set(Level.__args__)
    assert text("checks.speech_levels.levels.haeyo", "ko") == "해요체"
    assert set(POLITE) < set(Level.__args__)


# -- scripts ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("이것은 非常 중요해요", [("非常", "hanja")]),
        ("이问题는 어려워요", [("问题", "hanja")]),
        ("중国의 수도", [("国", "hanja")]),
        ("점심은 とても 맛있어요", [("とても", "kana")]),
        ("спасибо 또 오세요", [("спасибо", "cyrillic")]),
        ("раssword를 입력하세요", [("раssword", "homoglyph")]),
        ("안녕 สวัสดี 하세요", [("สวัสดี", "other")]),
    ],
)
def test_foreign_script_marks_what_leaked(value: str, expected: list[tuple[str, str]]) -> None:
    assert found(foreign_script.find(value), value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "경제(經濟)는 사람의 일이에요", "三國志(삼국지)를 읽었어요", "美 금리에 韓 증시 반등",
        "對중국 수출과 친文 성향",
        "『論語』를 읽었어요", "`変数 = 1`처럼 써요", "GPU와 SQL, KTX를 씁니다", "https://example.com/経済/news",
        "일본어로는 ありがとう라고 해요", "(ノ°▽°)ノ 신나요", "¯\\_(ツ)_/¯", "10㎏, 25℃, ㈜다듬", "ㅋㅋㅋ ㅠㅠ", "",
    ],
)  # fmt: skip
def test_foreign_script_lets_glosses_terms_code_and_quotations_pass(value: str) -> None:
    assert foreign_script.find(value) == []


ENGLISH = "You can do this at any time, but it is better to ask the person in charge before you begin with it."


def test_an_english_answer_is_a_leak_only_where_nobody_asked_for_english() -> None:
    (finding,) = examine("foreign_script", rows(ENGLISH))
    assert finding.values["kinds"] == "latin 1"
    for question in ("영어로 옮겨 줘", "Can you tell me what to do with this form?"):
        assert examine("foreign_script", rows(ENGLISH, question=question)) == []
    assert (
        examine("foreign_script", rows("GPU, CPU, RAM, SSD, PCIe, NVMe, USB", "SELECT name FROM users WHERE id = 3"))
        == []
    )


def test_a_question_about_the_language_explains_its_script() -> None:
    assert examine("foreign_script", rows("ありがとう입니다.", question="고맙다는 말을 일본어로?")) == []


def test_foreign_mail_to_be_judged_is_only_worth_knowing() -> None:
    mail = Example("m", "m", "m", "m", "お知らせ 확인", [], [{"role": "assistant", "content": "스팸"}], "스팸")
    (finding,) = examine("foreign_script", [mail], "decide")
    assert (finding.severity, finding.hits[0].part) == ("info", "input")


# -- spaces -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("뉴 진 스, 월 드 투 어 시작", ["뉴 진 스, 월 드 투 어"]),
        ("제목: 안 녕 하 세 요 여 러 분", ["안 녕 하 세 요 여 러 분"]),
        ("월 화 수 목 금 토 일", []),
        ("도 레 미 파 솔 라 시 도", []),
        ("그 때 한 번 더 해 볼 수 있는 길", []),
        ("하 하 하 하 하 하 하", []),
        ("보 도 자 료", []),
    ],
)
def test_split_syllables_tells_broken_words_from_short_ones(value: str, expected: list[str]) -> None:
    assert [place for place, _ in found(split_syllables.find(value), value)] == expected


def test_spaces_strewn_into_words_are_split_syllables_too() -> None:
    assert split_syllables.find("사 진 찍기 와 신의 스튜 디 오 에 대해 이 야 기합 니다 그리 고 요")


def test_spacing_points_at_texts_without_spaces() -> None:
    good = "오늘은 날씨가 좋아서 산책을 나갔습니다. 사람이 많았어요."
    (finding,) = examine("spacing", rows(good, good.replace(" ", "")))
    assert [hit.row for hit in finding.hits] == [1]
    assert examine("spacing", rows(good, "떡볶이요!", "이사업체부터 알아보시는게 좋아요. 짐은 방별로 싸세요.")) == []


# -- repetition, punctuation, quotes ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("책을 읽으면 정말 좋아요. 차도 마셔요. 책을 읽으면 정말 좋아요.", "sentence"),
        ("저는 성실한 사람이고 " * 5, "loop"),
        ("그리고그리고그리고그리고그리고 말이에요", "loop"),
        ("감사합니다. 정말 감사합니다. 감사합니다.", ""),
        ("정말 정말 정말 좋아요", ""),
        ("하하 하하 하하 하하 하하 하하", ""),
        ("| 월 | 달리기 운동 |\n| 화 | 달리기 운동 |\n| 수 | 달리기 운동 |", ""),
        ("```\nprint('안녕하세요 여러분')\nprint('안녕하세요 여러분')\n```", ""),
    ],
)
def test_repetition(value: str, kind: str) -> None:
    assert {span.found for span in repetition.find(value)} == ({kind} if kind else set())


def test_a_condition_repeated_in_a_long_document_is_no_fault() -> None:
    condition = "소득이 있는 가구는 제외됩니다. "
    document = "".join(f"{number}번 제도는 {number}월에 창구에서 신청하면 됩니다. " for number in range(60))
    assert repetition.find(condition + document + condition) == []
    assert repetition.find(condition + document + condition + condition)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("축하드려요!!!!!!", "marks"), ("정말?!?!?! 그래요", "marks"), ("글쎄요.......... 음", "marks"),
        ("😀🎉🎂🎁🎈 축하해요", "emoji"), ("음.... 그게.... 조금 더.... 볼게요", "dots"),
        ("오늘은!! 날씨가!! 정말!! 좋아서!! 산책을!! 갔어요!!", "density"),
        ("네!!! 좋아요~~~", ""), ("글쎄요...... 잘 모르겠어요……", ""), ("축하해요 🎉🎂", ""), ("★★★★☆ 좋아요", ""),
        ("- 하나\n- 둘\n- 셋\n- 넷", ""), ("| 가 | 1 |\n|---|---|\n| 나 | 2 |", ""), ("`!!!!!!!!`를 쓰세요", ""),
        ("2025-01-02(월) 10:00~12:00, 3-4층", ""),
    ],
)  # fmt: skip
def test_punctuation(value: str, kind: str) -> None:
    assert {span.found for span in punctuation.find(value)} == ({kind} if kind else set())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("그는 “가자 하고 말했다.", [("“", "quote")]),
        ("서울(대한민국의 수도에 갔다.", [("(", "bracket")]),
        ("담당자] 김 과장", [("]", "bracket")]),
        ('문에 "출입 금지라고 적혀 있다.', [('"', "quote")]),
        ("『푸른 산 아래를 읽었다.", [("『", "quote")]),
        ("‘가’와 ‘나를 골랐다.", [("‘", "quote")]),
    ],
)
def test_quotes_marks_what_has_no_partner(value: str, expected: list[tuple[str, str]]) -> None:
    assert found(quotes.find(value), value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "1) 첫째\n2) 둘째", "가) 나) 다)", "(1) 하나 (2) 둘", "좋아요 :) 반가워요 ^^)",
        "(주 1) 참고", "’24년에 don’t", "구간 [0, 1) 안",
        '27" 모니터', "`print(`", "(가)와 (나)", "「하늘」과 『땅』", "ㅎㅎ) 그래요",
    ],
)  # fmt: skip
def test_quotes_knows_lists_smileys_apostrophes_and_code(value: str) -> None:
    assert quotes.find(value) == []


# -- starts of answers, translationese --------------------------------------------------------------
def test_starts_are_counted_by_hand() -> None:
    seen = answer_starts.starts(["네 좋아요", "네 싫어요", "아니요 괜찮아요", "• 좋아요"])
    assert (seen.top, seen.share, seen.distinct, seen.marks) == ("네", 0.5, 3, 0.25)
    assert seen.entropy == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(4))
    with pytest.raises(ValueError):
        answer_starts.starts([])


def test_answers_that_begin_alike_are_found_with_both_words() -> None:
    answers = [f"두 화자는 {number}번 안건을 두고 이야기한다." for number in range(40)]
    (finding,) = examine(
        "answer_starts", rows(*answers, *(f"{number}번은 다른 이야기로 넘어간다." for number in range(40)))
    )
    assert (finding.values["top"], finding.values["share"], finding.count) == ("두 화자는", 0.5, 40)


def test_bullets_are_marks_and_markdown_is_a_format() -> None:
    answers = [f"{number}번 질문에는 이렇게 답합니다" for number in range(80)]
    (finding,) = examine("answer_starts", rows(*("• " + answer for answer in answers[:20]), *answers[20:]))
    assert (finding.values["marks"], finding.count) == (0.25, 20)
    assert examine("answer_starts", rows(*("**" + answer for answer in answers))) == []


def test_masked_names_at_the_start_are_no_collapse() -> None:
    answers = [f"#Person1#은 #Person2#에게 {number}번 문제를 물어본다." for number in range(80)]
    assert examine("answer_starts", rows(*answers)) == []


def test_a_file_of_few_answers_again_and_again_starts_in_few_ways() -> None:
    answers = [f"{number}째 답은 늘 똑같이 이렇게 이어집니다." for number in range(19)]
    (finding,) = examine("answer_starts", rows(*answers * 200))
    assert (finding.values["starts"], finding.values["why"]) == (19, "few")


def test_translationese_needs_several_cues_and_tells_their_lift() -> None:
    translated = [f"{number}월의 나는 당신에 대한 생각을 가지고 있다. 그녀는 떠났다." for number in range(60)]
    (finding,) = examine("translationese", rows(*translated))
    assert finding.severity == "info"
    assert "가지고 있-" in finding.values["cues"] and "×" in finding.values["cues"]
    formal = [f"{number}월 계획에 대한 보고입니다. 회의에 대해 논의했습니다." for number in range(60)]
    assert examine("translationese", rows(*formal)) == []


@pytest.mark.parametrize(
    "name", ["mixed_speech", "speech_levels", "boilerplate", "translationese", "spacing", "repetition", "answer_starts"]
)
def test_decisions_have_no_free_answers(name: str) -> None:
    mail = [
        Example(
            f"{number}", "m", "m", "m", "축하합니다. 당첨됐다.", [], [{"role": "assistant", "content": "스팸"}], "스팸"
        )
        for number in range(60)
    ]
    assert examine(name, mail, "decide") == []


def test_real_data_is_judged_as_its_readme_says(shared_data: Path) -> None:
    import csv

    with (shared_data / "chat" / "ChatbotData.csv").open(encoding="utf-8-sig") as file:
        answers = [row["A"] for row in csv.DictReader(file)][:3000]
    examples = rows(*answers)
    for name in ("speech_levels", "foreign_script", "boilerplate", "split_syllables", "quotes", "answer_starts"):
        assert examine(name, examples) == [], name


def test_modules_say_what_they_are() -> None:
    for module in (mixed_speech, speech_levels, foreign_script, translationese):
        assert module.CODE.startswith("KO1") and module.__name__.rsplit(".", 1)[1] == module.NAME


@pytest.mark.parametrize(
    ("text", "kind"),
    [("예@쁜^걸@로& 하#나# 사&주&세@요# 지#금@ 바&로#", "debris"), ("주소를 알려 주세요." + "─" * 60, "rule")],
)
def test_signs_between_letters_and_drawn_lines_are_named(text: str, kind: str) -> None:
    assert kind in {span.found for span in punctuation.find(text)}


def test_syllables_on_lines_of_their_own_are_split() -> None:
    assert split_syllables.find("\n".join("뜻대로되는게많지않죠"))
    assert split_syllables.find("\u00a0".join("우산같은사람이네요"))
    assert split_syllables.find("오늘은 비가 와서\n집에 있었어요.\n내일은 나가려고요.") == []


def test_one_letter_of_another_script_glued_to_hangul_is_seen() -> None:
    assert foreign_script.find("손님에的 마음으로 준비했습니다")
    assert foreign_script.find("ユ렇게 배워 가는 거예요")
    assert foreign_script.find("경제(經濟)를 공부했습니다") == []
