"""What new conversations are turned away for: each fault is found, and what people wrote is left alone."""

from __future__ import annotations

from functools import cache

import pytest

from dadeum.core.examples import Turn
from dadeum.data.builders.expand_examples import Style, style_of
from dadeum.data.builders.expand_rules import NO_FAULT, fault, shape_fault
from dadeum.data.builders.expand_words import words
from dadeum.data.builders.korean_sft_rows import conversations
from dadeum.data.builders.made_topics import MadeRow

QUESTION = "여름 이불은 얼마나 자주 빨아야 하나요?"
ANSWER = "두 주에 한 번이면 넉넉합니다. 땀을 많이 흘리신다면 한 주에 한 번으로 당기시고 볕에 바짝 말리시면 됩니다."


@cache
def style(category: str = "일상 대화") -> Style:
    return style_of(category, conversations()[category])


@pytest.fixture(scope="module")
def talk() -> Style:
    return style()


def test_a_good_conversation_has_no_fault(talk: Style) -> None:
    assert fault((QUESTION, ANSWER), talk) == NO_FAULT


@pytest.mark.parametrize("category", sorted(conversations()))
def test_what_was_written_for_the_project_has_no_fault(category: str) -> None:
    """The bounds come from the even ones, the odd ones are judged by them."""
    rows = conversations()[category]
    own = style_of(category, rows[::2])
    found = [fault(row.turns, own) for row in rows[1::2]]
    assert [one for one in found if one != NO_FAULT] == []


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        ("template", f"### 답변\n{ANSWER}"),
        ("template", f"**이불 세탁** {ANSWER}"),
        ("template", f"{ANSWER}<|im_end|>"),
        ("template", f"[고객 이름] 고객께서는 {ANSWER}"),
        ("broken", ANSWER.replace("볕", "\ufffd")),
        ("broken", ANSWER.replace(" ", "\x00")),
        ("refusal", f"저는 AI 언어 모델이라 이불을 빨아 본 적이 없습니다. {ANSWER}"),
        ("refusal", "그 물음에는 답변드릴 수 없습니다. 다른 것을 물어봐 주시기를 부탁드립니다."),
        ("stock", f"네, 물론입니다! {ANSWER}"),
        ("stock", f"좋은 질문입니다. {ANSWER}"),
        ("stock", f"주의: {ANSWER}"),
        ("stock", f"{ANSWER} 자세한 것은 전문가와 상담하시기 바랍니다."),
        ("stock", f"{ANSWER} 도움이 되셨기를 바랍니다."),
        ("mark_first", f"- {ANSWER}"),
        ("mark_first", f", {ANSWER}"),
        ("marks", f"{ANSWER} 정말입니다!!!!!!!!"),
        ("short", "두 주에 한 번입니다."),
        ("long", " ".join([ANSWER, "볕이 좋은 날을 고르시면 됩니다.", "그늘도 괜찮습니다.", ANSWER[::-1]] * 2)),
        ("loop", "이불은 자주 빠시면 좋습니다. " + "그리고 또 말리시고 " * 6),
        ("breaks_off", ANSWER.removesuffix("말리시면 됩니다.") + "말리면서"),
        ("foreign", ANSWER.replace("이불", "이불").replace("볕에", "日光에")),
        ("foreign", ANSWER.replace("바짝", "カラカラ")),
        ("not_korean", "You should wash it every two weeks, and more often when it is hot and you sweat a lot."),
        ("latin", ANSWER.replace("땀을", "sweat과 땀 때문에 laundry를")),
        ("code", f"{ANSWER} `wash()`를 부르시면 됩니다."),
        ("speech", "두 주에 한 번이면 충분해요. 땀을 많이 흘리신다면 한 주에 한 번으로 당기고 볕에 말려 주세요."),
        ("speech", "두 주에 한 번이면 충분하다. 땀을 많이 흘린다면 한 주에 한 번으로 당기고 볕에 바짝 말린다."),
        ("mixed_speech", ANSWER + " 그늘에서 말려도 돼. 나도 그렇게 해."),
        ("mixed_speech", ANSWER + " 그늘에서 말려도 괜찮아요."),
        ("personal", f"{ANSWER} 궁금하시면 010-9374-2856으로 거시면 됩니다."),
        ("echo", f"{QUESTION} 두 주에 한 번이면 넉넉합니다."),
    ],
)
def test_each_fault_is_found(talk: Style, reason: str, answer: str) -> None:
    found = fault((QUESTION, answer), talk)
    assert found[0] == reason
    assert found[1]


def test_every_level_has_to_be_the_same_in_all_answers() -> None:
    rows = [
        MadeRow("말", ("오늘 뭐 먹을까?", "국수가 좋겠어요. 날이 더우니까 차게 드세요.")),
        MadeRow("말", ("비가 올까?", "밤에 온다고 합니다. 우산을 챙기시면 됩니다.")),
        MadeRow(
            "말", ("버스는 언제 와?", "오 분 뒤에 와요. 천천히 가셔도 돼요.", "막차는?", "열한 시예요. 서두르세요.")
        ),
    ]
    both = style_of("말", rows)
    assert both.levels == {"haeyo", "hapsyo"}
    said = ("책은 어디에 둘까?", "책상 위에 두면 좋아요. 볕이 안 들어요.", "가방은?", "문 옆에 두시면 됩니다.")
    assert fault(said, both)[0] == "mixed_speech"
    assert fault(said[:2], both) == NO_FAULT


@pytest.mark.parametrize("question", ["왜?", "길다 " * 200])
def test_questions_are_as_long_as_those_of_the_category(talk: Style, question: str) -> None:
    assert fault((question, ANSWER), talk)[0] == "question_length"


def test_questions_are_korean_and_bounded_too(talk: Style) -> None:
    more = ("그럼 담요는요?", "담요는 한 달에 한 번이면 됩니다. 해가 좋은 날 널어 두시기 바랍니다.")
    assert fault((QUESTION, ANSWER, *more), talk) == NO_FAULT
    assert fault(("How often should I wash my blanket?", ANSWER), talk)[0] == "not_korean"
    assert fault((QUESTION, ANSWER, more[0] * 100, more[1]), talk)[0] == "question_length"


def test_a_summary_needs_a_text_to_sum_up() -> None:
    said = ("다음 글을 두 문장으로 요약해 주세요.", ANSWER)
    assert fault(said, style("긴 글 요약"))[0] == "question_length"


def test_a_summary_that_copies_its_text_is_an_echo() -> None:
    summaries = style("긴 글 요약")
    question = summaries.examples[0].turns[0]
    text = question.rpartition("\n")[2]
    assert fault((question, f"{text[:120].rpartition('.')[0]}."), summaries)[0] == "echo"


def test_code_and_terms_stand_where_the_category_has_them() -> None:
    said = ("이 코드가 뭘 하는지 알려 주세요.\n```python\nprint(max(ages))\n```",
            "ages에서 가장 큰 값을 찍는 코드입니다. 빈 목록이면 ValueError가 나니 길이를 먼저 보시면 됩니다.\n"
            "```python\nif ages:\n    print(max(ages))\n```")  # fmt: skip
    assert fault(said, style("코드 설명")) == NO_FAULT
    assert fault(said, style())[0] in ("code", "latin", "template")
    assert fault((said[0], said[1].removesuffix("```")), style("코드 설명"))[0] == "breaks_off"


def test_what_the_examples_have_is_no_fault() -> None:
    rows = [
        MadeRow("한자", (f"{word}의 뜻이 무엇입니까?", f"**{word}** 漢字로 적으면 뜻이 또렷합니다. {more}"))
        for word, more in (("의사", "병을 고치는 사람입니다."), ("사과", "먹는 것입니다."), ("배", "타는 것입니다."))
    ]
    own = style_of("한자", rows)
    assert fault(("배추의 뜻이 무엇입니까?", "**배추** 漢字로 적지 않습니다. 우리말에서 온 말입니다."), own) == NO_FAULT


def turns(*said: str) -> list[Turn]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]


def test_a_conversation_takes_turns_and_is_no_longer_than_shown(talk: Style) -> None:
    assert shape_fault(turns(QUESTION, ANSWER), talk) == NO_FAULT
    assert shape_fault([], talk)[0] == "turns"
    assert shape_fault(turns(QUESTION), talk) == ("turns", "user")
    assert shape_fault(turns(QUESTION, ANSWER)[::-1], talk)[0] == "turns"
    assert shape_fault(turns(QUESTION, ""), talk) == ("empty", "2")
    assert shape_fault(turns(*(QUESTION, ANSWER) * 3), talk) == ("rounds", "6 > 4")


def test_lists_of_words_are_read() -> None:
    assert {"openings", "refusals", "leftovers", "latin_categories"} <= words().keys()
    assert set(words()["latin_categories"]) <= conversations().keys()
