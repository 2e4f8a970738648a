"""Checks of rows, characters and markup, without files; fixtures of whole files lie in tests/data/doctor."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from dadeum.core.examples import Example, Turn
from dadeum.core.findings import Finding
from dadeum.core.words import finding_title
from dadeum.data.check import run_checks
from dadeum.data.checks import (
    broken_jamo,
    broken_json,
    control_tokens,
    empty_field,
    html,
    invisible,
    nfd,
    repeated_ids,
    roles,
    schema,
    unreadable_rows,
)
from dadeum.data.context import Context
from dadeum.data.rows import Removed
from dadeum.data.texts.characters import squash_spaces


def turn(role: str, content: str = "말") -> Turn:
    return {"role": role, "content": content}


def talk(*turns: Turn, **changes: Any) -> Example:
    """A conversation as `formats.messages` makes it."""
    last = turns[-1:] if turns[-1]["role"] == "assistant" else ()
    prompt = list(turns[: len(turns) - len(last)])
    text = "\n".join(part["content"] for part in prompt if part["role"] == "user")
    values: dict[str, Any] = {
        "id": f"chat:{id(turns)}",
        "source": "chat",
        "origin": "chat",
        "group": "",
        "text": text,
        "prompt": prompt,
        "completion": list(last),
        "label": "",
    }
    return Example(**(values | changes))


def pair(question: str = "질문", answer: str = "답", **changes: Any) -> Example:
    return talk(turn("user", question), turn("assistant", answer), **changes)


def context(*rows: Example, task: str = "chat", **more: Any) -> Context:
    numbered = [
        Example(**{**{name: getattr(row, name) for name in row.__slots__}, "id": f"chat:{n}"})
        for n, row in enumerate(rows)
    ]
    return Context({"train": numbered}, task, **more)


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def marked(find: Any, text: str) -> list[tuple[str, str]]:
    return [(span.found, text[span.start : span.end]) for span in find(text)]


# -- roles ----------------------------------------------------------------------------------------
S, U, A = turn("system"), turn("user"), turn("assistant")


@pytest.mark.parametrize(
    ("turns", "part", "problem"),
    [
        ((U, S, A), "system.2", "system_not_first"),
        ((S, S, U, A), "system.2", "system_not_first"),
        ((U, U, A), "user.2", "not_alternating"),
        ((U, A, A), "assistant.3", "not_alternating"),
        ((S, A, U, A), "assistant.2", "not_alternating"),
        ((U, A, U), "user.3", "last_not_assistant"),
        ((U, turn("assistant", " "), U, A), "assistant.2", "empty_turn"),
        ((turn("user", ""), A, U, A), "user.1", "empty_turn"),
        ((U, turn("tool"), A), "tool.2", "unknown_role"),
    ],
)
def test_roles_point_at_the_turn(turns: tuple[Turn, ...], part: str, problem: str) -> None:
    good = talk(S, U, A, U, A)
    finding = only(roles.check(context(good, talk(*turns), good)))
    assert finding.hits[0][:2] + finding.hits[0][4:] == (1, part, {"problem": problem})
    assert (finding.count, finding.total, finding.severity) == (1, 3, "warn")


@pytest.mark.parametrize(
    "turns",
    [(U, A), (S, U, A), (U, A, U, A), (turn("system", ""), U, A), (turn("user", ""), A), (U, turn("assistant", ""))],
)
def test_roles_leave_the_rest_to_other_checks(turns: tuple[Turn, ...]) -> None:
    assert roles.check(context(talk(*turns))) == []


def test_roles_throughout_mean_another_format() -> None:
    assert only(roles.check(context(talk(U, U, A), talk(U), pair()))).severity == "block"
    assert roles.check(context(talk(U, U, A), task="decide")) == []


# -- schema, empty_field, repeated_ids, unreadable_rows ---------------------------------------------
def test_schema_wants_something_to_answer() -> None:
    finding = only(schema.check(context(talk(A), *[pair()] * 20)))
    assert (finding.count, finding.severity, finding.values["problems"]) == (1, "warn", "nothing_to_answer 1")
    assert only(schema.check(context(talk(A), pair()))).severity == "block"
    assert schema.check(context(pair(), talk(U))) == []  # no answer: roles


def test_empty_fields_block_where_they_are_many() -> None:
    rows = [pair()] * 30
    assert only(empty_field.check(context(*rows, pair(answer=" ")))).severity == "warn"
    assert only(empty_field.check(context(pair(), pair(question="")))).severity == "block"
    assert empty_field.check(context(talk(U), talk(A))) == []
    worse = pair(rejected=[turn("assistant", "")])
    assert only(empty_field.check(context(worse, task="prefer"))).values["problems"] == "rejected 1"


def test_an_id_stands_for_one_content_in_a_source() -> None:
    def row(name: str, question: str, source: str = "chat") -> Example:
        return pair(question, extra={"id": name}, source=source)

    rows = [
        row("1", "가"),
        row("2", "나"),
        row("2", "다"),
        row("3", "라"),
        row("4", "마"),
        row("4", "마"),
        row("2", "바", "other"),
    ]
    finding = only(repeated_ids.check(context(*rows)))
    assert [hit.row for hit in finding.hits] == [1, 2]
    assert (finding.values, finding.severity) == ({"ids": 1}, "warn")


def test_ids_of_documents_are_no_ids_of_rows() -> None:
    assert repeated_ids.check(context(*(pair(str(n), extra={"id": str(n // 4)}) for n in range(20)))) == []


def test_unreadable_rows_show_every_reason() -> None:
    def lost(number: int, reason: str) -> Removed:
        return Removed(f"chat:{number}", "chat", "chat", "글", "", reason, "끊김")

    unread = [lost(1, "broken_json"), lost(2, "broken_json"), lost(3, "wrong_type")]
    finding = only(unreadable_rows.check(context(*[pair()] * 27, unread=unread)))
    assert (finding.count, finding.total, finding.severity) == (3, 30, "warn")
    assert finding.values == {"reasons": "broken_json 2, wrong_type 1", "share": 0.1}
    assert [row["id"] for row in finding.rows] == ["chat:1", "chat:3", "chat:2"]
    assert finding.rows[0] == {"id": "chat:1", "split": "-", "text": "글", "reason": "broken_json", "detail": "끊김"}
    assert only(unreadable_rows.check(context(*[pair()] * 2, unread=unread))).severity == "block"
    assert unreadable_rows.check(context(pair())) == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ('{"이름": "하늘"', "not_json"),
        ('["가", "나"', "not_json"),
        ('{"이름": "하늘",}', "not_json"),
        ('여기 있습니다.\n```json\n{"이름": 1}', "open_fence"),
        ("```json\n{'이름': 1}\n```", "not_json"),
        ('{"이름": "하늘"}', ""),
        ('{"가": 1}\n{"나": 2}', ""),
        ('```json\n{"이름": 1}\n```\n끝', ""),
        ('```json\n{"목록": [...]}\n```', ""),
        ('```json\n{\n  "이름": 1 // 설명\n}\n```', ""),
        ("[참고] 글", ""),
        ("{1, 2, 3}", ""),
        ("```python\nx = {1: 2", ""),
    ],
)
def test_answers_that_begin_as_json(answer: str, problem: str) -> None:
    findings = broken_json.check(context(pair(answer=answer)))
    assert [finding.values["problems"] for finding in findings] == ([f"{problem} 1"] if problem else [])


# -- characters -----------------------------------------------------------------------------------
def test_nfd_marks_words() -> None:
    name = unicodedata.normalize("NFD", "회의 자료.pdf")
    assert marked(nfd.find, f"첨부: {name}입니다") == [("hangul", unicodedata.normalize("NFD", "회의 자료"))]
    assert marked(nfd.find, "cafe\u0301 か\u3099") == [("other", "e\u0301"), ("other", "か\u3099")]
    for text in ("회의 자료", "café", "ᄏᄏ", "나랏말ᄊᆞ미", "ㄱㄴㄷ", "1\u0301"):
        assert nfd.find(text) == []


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("안녕ㅎㅏ세요", "pieces", "ㅎㅏ"),
        ("ㅅㅏ랑해", "pieces", "ㅅㅏ"),
        ("결ㄱㅜㄱ", "pieces", "ㄱㅜㄱ"),
        ("그리ㄱㅗ 나", "pieces", "ㄱㅗ"),
        ("웃겨 ᄏᄏ", "conjoining", "ᄏᄏ"),
        ("사라ᄋ", "conjoining", "ᄋ"),
        ("ﾡﾢ 안내", "half_width", "ﾡﾢ"),
    ],
)
def test_broken_jamo(text: str, kind: str, place: str) -> None:
    assert marked(broken_jamo.find, text) == [(kind, place)]


@pytest.mark.parametrize(
    "text",
    [
        "ㅋㅋㅋ 앜ㅋㅋ 네ㅎㅎ뭐",
        "ㅠㅠ ㅜㅜㅜ 아ㅠ진짜",
        "ㅇㅇ ㄱㄱ ㄴㄴ ㅇㅋ ㄹㅇ루 ㅂㅂㅇ ㅊㅋ해",
        "ㅡㅡ ㅗㅜㅑ ㅏㅏ ㅋㅑ",
        "ㅇㅅㅇ ㅇㅁㅇ ㅇㅡㅇ아 ㅠㅁㅠ진짜 ㅇㅗㅇ ㅋㅠㅋ",
        "ㄱ. 첫째",
        "ㄱ자 모양, ㄴ씨는",
        "어미 ‘-ㄴ다’, ㅂ니다",
        "나랏말ᄊᆞ미",
        unicodedata.normalize("NFD", "풀린 글자"),
        "아ㅋㅜ 몰라",
    ],
)
def test_jamo_that_are_meant(text: str) -> None:
    assert broken_jamo.find(text) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("무료\u200b\u200b상담", "zero_width"),
        ("가\u200d나", "joiner"),
        ("\ufeff제목", "bom"),
        ("보고서\u202egpj", "direction"),
        ("\u3164닉\u3164", "filler"),
        ("줄\x0b바꿈", "control"),
        ("종\x07", "control"),
        ("가\x9f나", "control"),
        ("붙\xad임", "soft_hyphen"),
        ("a\U000e0041b", "tag"),
        ("가\xa0나", "nbsp"),
    ],
)
def test_invisible(text: str, kind: str) -> None:
    assert {found for found, _ in marked(invisible.find, text)} == {kind}


def test_invisible_runs_are_one_place() -> None:
    assert marked(invisible.find, "가\u200b\u200b나\ufeff") == [("zero_width", "\u200b\u200b"), ("bom", "\ufeff")]


@pytest.mark.parametrize(
    "text",
    [
        "표\t칸\r\n다음 줄",
        "👨‍👩‍👧 🏳️‍🌈 👩🏽‍💻",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u200fسلام\u200f",
        "क्\u200dष",
        "전각　공백",
    ],
)
def test_what_cannot_be_seen_and_is_meant(text: str) -> None:
    assert invisible.find(text) == []


def test_no_break_spaces_are_only_worth_knowing() -> None:
    spaces, hidden = pair("가\xa0나"), pair("무료\u200b상담")
    finding = only(run_checks(context(spaces, pair()), only=["invisible"]))
    assert (finding.severity, finding.count, finding.values["kinds"]) == ("info", 1, "nbsp 1")
    assert "others" not in finding.values
    finding = only(run_checks(context(spaces, hidden), only=["invisible"]))
    assert (finding.severity, finding.count, finding.values["kinds"], finding.values["others"]) == (
        "warn",
        1,
        "zero_width 1",
        "nbsp 1",
    )


# -- markup ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("<p>내일은 <b>휴관</b></p>", ["tag"] * 4),
        ("광장&nbsp;옆", ["entity"]),
        ("&lt;안내&gt;", ["entity"] * 2),
        ("줄<br/>바꿈", ["tag"]),
        ("<!-- 본문 -->글", ["hidden"]),
        ("<script>var a = '<b>';</script>글", ["hidden"]),
        ('<table class="a"><tr><td>칸', ["tag"] * 3),
        ('<meta name="css">글', ["tag"]),
        ("&#44032;", ["entity"]),
        ("광장&nbsp 옆", ["entity"]),
        ("오늘은 <u>휴관</u>", ["tag"] * 2),
        ("내일 봐요.<br", ["cut_tag"]),
        ("내일 봐요. <a href=", ["cut_tag"]),
        ("내일 봐요.</di", ["cut_tag"]),
        ('an style="color:red">내일 봐요.', ["cut_tag"]),
    ],
)
def test_html(text: str, kinds: list[str]) -> None:
    assert [found for found, _ in marked(html.find, text)] == kinds


@pytest.mark.parametrize(
    "text",
    [
        "HTML의 <br> 태그",
        "```html\n<p>글</p>\n```",
        "`<div>`와 `&nbsp;`",
        "<치매 진단금> 안내",
        "<B> 동 앞",
        "A&B; R&D;",
        "5 < 7 > 3",
        "<article>글</article> 요약",
        "<title>제목</title>",
        "| 가 | 나<br>다 |",
        "List<String> 값",
        "AT&T",
        "밑줄 친 <u>말</u>의 뜻",
        "a <b",
        "주소는 ?가=1&lt=2",
    ],
)
def test_html_that_is_meant(text: str) -> None:
    assert html.find(text) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("안녕<|im_end|>", "special"),
        ("<|eot_id|>", "special"),
        ("<｜User｜>", "special"),
        ("<|begin_of_text|>", "special"),
        ("[|user|]안녕", "exaone"),
        ("끝[|endofturn|]", "exaone"),
        ("<start_of_turn>model", "gemma"),
        ("[INST] 안녕 [/INST]", "llama"),
        ("<<SYS>>", "llama"),
        ("<bos>안녕", "edge"),
        ("안녕</s>", "edge"),
        ("<s>안녕</s>", "edge"),
        ("글</s><s>글", "edge"),
        ("### Instruction:\n답해", "block"),
        ("### 지시문\n답해", "block"),
        ("### 질문: 뭐\n### 명령: 답해\n### 출력: 글", "block"),
    ],
)
def test_control_tokens(text: str, kind: str) -> None:
    assert {found for found, _ in marked(control_tokens.find, text)} == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "`<|im_end|>` 토큰",
        "```\n[INST] 글 [/INST]\n```",
        "값은 <s>만 원</s> 오천 원",
        "### 요약\n글",
        "### 입력 자료\n글\n### 결론",
        "[광고] 안내",
        "<|표시|>",
        "### 출력\n글",
        "a < b | c > d",
    ],
)
def test_tokens_that_are_the_subject(text: str) -> None:
    assert control_tokens.find(text) == []


def test_problems_of_the_schema_are_said_in_words() -> None:
    [finding] = schema.check(context(talk(A), *[pair()] * 20))
    title = finding_title(finding)
    assert "답할 말이 없음 1" in title.ko
    assert "nothing to answer 1" in title.en


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("자리와 ㅇ입장료를 물어요", ["ㅇ"]),
        ("ㅂ방법을 찾아요", ["ㅂ"]),
        ("지ㄱ저ㅂ 하세요", ["ㄱ", "ㅂ"]),
        ("새 길을 차ㅈ아보세요", ["ㅈ"]),
    ],
)
def test_a_consonant_out_of_place(text: str, places: list[str]) -> None:
    assert [place for _, place in marked(broken_jamo.find, text)] == places


@pytest.mark.parametrize(
    "text",
    [
        "ㅇ이용 안내\nㅇ입장료",
        "네ㅇ",
        "네ㅋㅋ ㅇㅇ",
        "와ㅏㅏ 좋다",
        "가자ㄱㄱ",
        "ㄱ과 ㄴ을 써요",
        "받침 ㄴ나눔",
        "ㅎ하하",
        "ㄱ. 가나다",
        "ㅇㅋ 알겠어",
    ],
)
def test_a_consonant_that_chat_or_a_lesson_means(text: str) -> None:
    assert broken_jamo.find(text) == []


def test_stray_selectors_and_braille_blanks() -> None:
    assert marked(invisible.find, "좋\ufe0f아요 \u2800") == [("selector", "\ufe0f"), ("filler", "\u2800")]
    assert marked(invisible.find, "나\u061c도") == [("direction", "\u061c")]
    for meant in ("❤\ufe0f 1\ufe0f\u20e3 ☎\ufe0e", "\u2803\u2800\u2807"):
        assert invisible.find(meant) == []
    assert squash_spaces("좋\ufe0f아요\u2800❤\ufe0f") == "좋아요 ❤\ufe0f"


@pytest.mark.parametrize("answer", ["\u200b\u200b", "<p>&nbsp;</p>", "-", "…", "N/A", "NULL", "#REF!", "[]", "<br>"])
def test_an_answer_that_says_nothing_is_empty(answer: str) -> None:
    finding = only(run_checks(context(pair(), pair(answer=answer)), only=["empty_field"]))
    assert [hit.row for hit in finding.hits] == [1]


@pytest.mark.parametrize("answer", ["없음", "0", "네", "O", "ㅇㅇ", "?", "`[]`", "a < b", "-1"])
def test_a_short_answer_is_an_answer(answer: str) -> None:
    assert run_checks(context(pair(), pair(answer=answer)), only=["empty_field"]) == []
