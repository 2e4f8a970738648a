"""Whether rows can be learned from: repetition, many answers, labels that are doubtful or told by something else."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.examples import Example, Turn
from dadeum.core.findings import Finding
from dadeum.core.messages import LANGUAGES, text
from dadeum.core.plugins import find
from dadeum.data.checks import field_shortcut
from dadeum.data.checks._fields import binned, time_of
from dadeum.data.context import Context

SUBJECTS = ["화분", "책상", "이불", "냄비", "운동화", "달력", "우산", "거울", "베개", "양말", "의자", "커튼"]


def chat(number: int, question: str, answer: str, system: str = "", **changes: Any) -> Example:
    prompt: list[Turn] = [{"role": "system", "content": system}] if system else []
    prompt.append({"role": "user", "content": question})
    values: dict[str, Any] = {
        "id": f"chat:{number}", "source": "chat", "origin": "chat", "group": str(number), "text": question,
        "prompt": prompt, "completion": [{"role": "assistant", "content": answer}], "label": "",
    }  # fmt: skip
    return Example(**(values | changes))


def labelled(number: int, subject: str, label: str, **changes: Any) -> Example:
    return chat(number, subject, f'{{"label": "{label}"}}', label=label, **changes)


def examine(name: str, splits: dict[str, list[Example]] | list[Example], task: str = "chat") -> Finding | None:
    """The check's one finding, after it was said in both languages."""
    context = Context(splits if isinstance(splits, dict) else {"train": splits}, task)
    findings = find("data.checks", name).check(context)
    for finding in findings:
        for language in LANGUAGES:
            for part in ("title", "effect", "action"):
                values = {"count": finding.count, "total": finding.total} | finding.values
                assert "{" not in text(f"checks.{name}.{part}", language, **values)
        assert all(0 <= hit.row < context.num_rows for hit in finding.hits)
        assert {hit.row for hit in finding.hits} and finding.count <= finding.total
    assert len(findings) <= 1
    return findings[0] if findings else None


def plain_questions(num: int) -> list[Example]:
    return [
        chat(n, f"{SUBJECTS[n % 12]} {n}번은 언제 오나요?", f"{SUBJECTS[n % 12]} {n}번은 {n % 28 + 1}일에 도착합니다.")
        for n in range(num)
    ]


# -- duplicates -----------------------------------------------------------------------------------
def duplicates(*pairs: tuple[str, str]) -> list[tuple[int, str]]:
    finding = examine("duplicates", [chat(number, *pair) for number, pair in enumerate(pairs)])
    return [(hit.row, hit.found["like"]) for hit in finding.hits if hit.found] if finding else []


def test_equal_and_nearly_equal_pairs_are_duplicates() -> None:
    question, answer = "부재중이라 택배를 못 받았는데 어떻게 하면 되나요?", "가까운 우체국에서 찾으시면 됩니다."
    assert duplicates((question, answer), ("다른 말", "다른 답"), (question, answer)) == [(2, "chat:0")]
    assert duplicates((question, answer), (question + "?", answer + "!")) == [(1, "chat:0")]
    assert duplicates(("잘 지내?", "네, 잘 지내요."), ("잘지내", "네, 잘 지내요.")) == [(1, "chat:0")]


def test_a_like_question_with_another_answer_is_no_duplicate() -> None:
    question = "부재중이라 택배를 못 받았는데 어떻게 하면 되나요?"
    assert duplicates((question, "우체국에서 찾으세요."), (question, "기사님께 전화해 보세요.")) == []
    # The third repeats the second, though the first of its kind has another answer.
    rows = [
        (question, "우체국에서 찾으세요."),
        (question, "기사님께 전화해 보세요."),
        (question, "기사님께 전화해 보세요."),
    ]
    assert duplicates(*rows) == [(2, "chat:1")]


def test_two_questions_about_one_long_document_are_no_duplicates() -> None:
    document = "\n".join(
        f"{number}조 {subject}의 보관은 {number}층에서 맡는다." for number, subject in enumerate(SUBJECTS * 4)
    )
    asked = [
        f"{document}\n\n{question}" for question in ("우산은 어디에 두나요?", "누가 맡나요?", "우산은 어디다 두나요?")
    ]
    assert duplicates(*((question, "3층입니다.") for question in asked)) == [(2, "chat:0")]


def test_another_instruction_makes_another_row() -> None:
    question = "부재중이라 택배를 못 받았는데 어떻게 하면 되나요?"
    rows = [chat(number, question, "네.", system=system) for number, system in enumerate(["높임말로", "반말로"])]
    assert examine("duplicates", rows) is None


def test_more_texts_than_fit_are_compared_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dadeum.data.similar.repeats.MAX_TEXTS", 20)
    rows = plain_questions(50)
    rows += [replace(row, id=f"again:{row.id}") for row in rows[:10]]
    finding = examine("duplicates", rows)
    assert finding is not None
    assert {50, 51, 52, 53, 54, 55, 56, 57, 58, 59} <= {hit.row for hit in finding.hits}


# -- one input, many answers ----------------------------------------------------------------------
def grid(num_inputs: int, num_answers: int, num_rows: int) -> list[Example]:
    chance = random.Random(0)
    cells = [(i % num_inputs, chance.randrange(num_answers)) for i in range(num_rows)]
    return [
        chat(n, f"{i}번 답변을 다시 써 주세요.", f"{a}번째로 정해 둔 답변 문장입니다.")
        for n, (i, a) in enumerate(cells)
    ]


def test_answers_drawn_apart_from_their_inputs_block() -> None:
    finding = examine("many_answers", grid(9, 20, 3500))
    assert finding is not None
    assert (finding.severity, finding.count, finding.total) == ("block", 3500, 3500)
    assert (finding.values["inputs"], finding.values["answers"], finding.values["most"]) == (9, 20, 20)
    assert finding.values["entropy"] == pytest.approx(math.log(20), abs=0.05)
    assert finding.values["shared"] == 1.0


def test_every_answer_once_to_every_input_has_an_entropy_of_ln_20() -> None:
    cells = [chat(n, f"{n // 20}번 답변을 다시 써 주세요.", f"{n % 20}번째로 정해 둔 답변입니다.") for n in range(180)]
    finding = examine("many_answers", cells)
    assert finding is not None
    assert finding.values["entropy"] == pytest.approx(math.log(20))
    assert finding.values["effective"] == pytest.approx(20)


def test_two_wordings_of_each_answer_are_fine() -> None:
    rows = [replace(row, id=f"{row.id}:{n}", completion=[{"role": "assistant", "content": f"{n} {row.text}"}])
            for row in plain_questions(60) for n in range(2)]  # fmt: skip
    assert examine("many_answers", rows) is None
    assert examine("many_answers", rows, "prefer") is None


def test_many_answers_of_their_own_are_a_warning_and_no_grid() -> None:
    rows = [chat(n, f"{n % 10}번 시를 지어 주세요.", f"바람 {n} 구름 {n * 7} 노을 {n * 13}") for n in range(80)]
    finding = examine("many_answers", rows)
    assert finding is not None
    assert (finding.severity, finding.values["shared"]) == ("warn", 0.0)
    assert examine("many_answers", rows, "retrieve") is None


def test_a_greeting_with_many_answers_stays_unmentioned_in_a_large_set() -> None:
    greetings = [chat(1000 + n, "안녕하세요", f"안녕하세요, {SUBJECTS[n]} 문의이신가요?") for n in range(6)]
    assert examine("many_answers", [*plain_questions(700), *greetings]) is None


def test_canned_answers() -> None:
    canned = "자세한 내용은 고객 센터로 전화하시면 안내해 드립니다."
    rows = [replace(row, completion=[{"role": "assistant", "content": canned}]) for row in plain_questions(20)]
    finding = examine("many_prompts", rows + plain_questions(60)[20:])
    assert finding is not None
    assert (finding.severity, finding.count, finding.values["commonest"]) == ("warn", 20, canned)
    short = [replace(row, completion=[{"role": "assistant", "content": "네."}]) for row in rows]
    assert examine("many_prompts", short) is None


def test_a_refusal_that_the_recipe_teaches_is_no_canned_answer() -> None:
    refused = [{"role": "assistant", "content": "문서에서 답을 찾을 수 없습니다."}]
    rows = [replace(row, completion=refused, extra={"kind": "unanswerable"}) for row in plain_questions(20)]
    assert examine("many_prompts", rows + plain_questions(60)[20:]) is None


def test_few_texts() -> None:
    rows = [replace(row, id=f"{row.id}:{n}") for n in range(10) for row in plain_questions(12)]
    finding = examine("few_texts", rows)
    assert finding is not None
    assert (finding.count, finding.total, finding.values["inputs"], finding.values["times"]) == (108, 120, 12, 10)
    assert examine("few_texts", plain_questions(120)) is None
    labels = [labelled(n, f"{n % 12}번 글", "가나"[n % 2]) for n in range(120)]
    found = examine("few_texts", labels, "decide")
    assert found is not None
    assert (found.values["inputs"], found.values["answers"]) == (12, 2)


@pytest.mark.parametrize(
    ("question", "answer", "how"),
    [
        ("우리 동네 빵집은 새벽에 연다.", "우리 동네 빵집은 새벽에 연다.", "equal"),
        ("높임말로 바꿔 주세요.\n우리 동네 빵집은 새벽에 연다.", "우리 동네 빵집은  새벽에 연다.", "equal"),
        ("우리 동네 빵집은 새벽에 문을 연다.", "동네 빵집은 새벽에 문을 연다", "part"),
        ("우리 동네 빵집은 새벽에 연다.", "우리 동네 빵집은 새벽에 연다. 네.", "echo"),
        ("우리 동네에서 가장 먼저 불을 켜는 집은 빵집이고 다음은 두부 가게다.", "가장 먼저 불을 켜는 집은 빵집", ""),
        ("안녕하세요", "안녕하세요", ""),
        ("우리 동네 빵집은 몇 시에 여나요?", "새벽 다섯 시에 엽니다.", ""),
    ],
)
def test_answer_copied(question: str, answer: str, how: str) -> None:
    finding = examine("answer_copied", [chat(0, question, answer), *plain_questions(5)[1:]])
    assert (finding.rows[0]["copied"] if finding else "") == how


# -- labels ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rare", "common", "slips"),
    [
        ("2   ", "2", True), ("Spam", "spam", True), ("ＳＰＡＭ", "SPAM", True), ("배송 문의", "배송문의", True),
        ("스팸메일", "스팸", True), ("배송믄의사항", "배송문의사항", True), ("positve", "positive", True),
        ("1", "2", False), ("부정", "긍정", False), ("비스팸", "스팸", False), ("스팸 아님", "스팸", False),
        ("not spam", "spam", False), ("class_11", "class_1", False), ("C", "C++", False),
    ],
)  # fmt: skip
def test_label_spelling(rare: str, common: str, slips: bool) -> None:
    rows = [labelled(n, f"{n}번 글", common) for n in range(150)] + [labelled(150, "끝 글", rare)]
    rows += [labelled(200 + n, f"{n}번째 문서", "전혀 다른 이름") for n in range(150)]
    finding = examine("label_spelling", rows, "decide")
    assert (finding is not None) == slips
    if finding:
        assert [hit.row for hit in finding.hits] == [150]


def test_a_common_label_inside_another_is_a_class_of_its_own() -> None:
    rows = [labelled(n, f"{n}번 글", ("만족", "매우 만족")[n % 2]) for n in range(60)]
    assert examine("label_spelling", rows, "decide") is None


def test_a_number_written_as_pandas_does_is_the_same_label() -> None:
    rows = [labelled(n, f"{n}번 글", ("1", "0", "1.0", "1.5")[n % 4]) for n in range(40)]
    finding = examine("label_spelling", rows, "decide")
    assert finding is not None and finding.count == 10
    assert "'1.0' 10 ≈ '1' 10" in finding.values["pairs"]


def mails(num: int) -> list[Example]:
    chance = random.Random(3)
    words = {"배송": ["택배", "송장", "기사님", "도착", "상자"], "결제": ["카드", "환불", "쿠폰", "영수증", "할인"]}
    rows = []
    for number in range(num):
        label = ("배송", "결제")[number % 2]
        first, second = chance.sample(words[label], 2)
        rows.append(
            labelled(number, f"{chance.choice(SUBJECTS)} {first} {second} {chance.choice(SUBJECTS)} 문의", label)
        )
    return rows


def test_flipped_labels_are_found_and_clean_ones_left_alone() -> None:
    rows = mails(400)
    assert examine("label_noise", rows, "decide") is None
    flipped = set(random.Random(1).sample(range(400), 20))
    noisy = [
        replace(row, label="결제" if row.label == "배송" else "배송") if n in flipped else row
        for n, row in enumerate(rows)
    ]
    finding = examine("label_noise", noisy, "decide")
    assert finding is not None
    found = {hit.row for hit in finding.hits}
    assert finding.severity == "warn"
    assert len(found & flipped) >= 18
    assert len(found - flipped) <= 4
    assert examine("label_noise", noisy, "chat") is None
    assert examine("label_noise", noisy[:150], "decide") is None


def test_conflicting_labels_stand_together_and_ignore_white_space() -> None:
    rows = [labelled(n, subject, label) for n, (subject, label) in enumerate(
        [("가 나", "x"), ("다", "x"), ("마", "y"), ("다", "y"), ("가  나", "y"), ("마", "y")])]  # fmt: skip
    finding = examine("conflicting_labels", rows, "decide")
    assert finding is not None
    assert [hit.row for hit in finding.hits] == [0, 4, 1, 3]
    assert finding.values["texts"] == 2


# -- shortcuts ------------------------------------------------------------------------------------
def test_the_hour_that_tells_the_label() -> None:
    def at(number: int, label: str) -> str:
        return f"2031-03-{number % 28 + 1:02d} {0 if label == '결제' else 9 + number % 9:02d}:15:00"

    rows = [replace(row, extra={"time": at(n, row.label)}) for n, row in enumerate(mails(100))]
    finding = examine("field_shortcut", rows, "decide")
    assert finding is not None
    assert (finding.severity, finding.values["best"]) == ("warn", "hour")
    assert finding.values["auc"] > 0.99
    assert finding.rows[0]["hour"] in {"0", "9"} | {str(hour) for hour in range(10, 18)}
    assert examine("field_shortcut", mails(100), "decide") is None


def test_the_label_by_another_name_is_no_shortcut() -> None:
    names = {"배송": "1", "결제": "2"}
    rows = [replace(row, extra={"label_id": names[row.label], "row": str(n)}) for n, row in enumerate(mails(100))]
    assert examine("field_shortcut", rows, "decide") is None


def test_attachments_and_length_count() -> None:
    files = {"배송": "", "결제": "a.pdf\nb.pdf"}
    rows = [replace(row, extra={"첨부파일": files[row.label]}) for row in mails(100)]
    finding = examine("field_shortcut", rows, "decide")
    assert finding is not None
    assert finding.values["best"] == "attachments"
    long = [replace(row, text=row.text * (4 if row.label == "배송" else 1)) for row in mails(100)]
    found = examine("field_shortcut", long, "decide")
    assert found is not None
    assert found.values["best"] == "characters"


def test_area_under_the_curve_by_hand() -> None:
    # Pairs (positive, negative): 3>1, 3>2, 2>1 and 2=2, which counts half: 3.5 of 4.
    scores, positive = np.array([3.0, 2.0, 1.0, 2.0]), np.array([True, True, False, False])
    assert field_shortcut.area_under_curve(scores, positive) == pytest.approx(3.5 / 4)


@pytest.mark.parametrize(
    ("value", "hour"),
    [("2024-01-31", 0), ("2024.1.31 13:05", 13), ("20240131130500", 13), ("2024-08-01T09:30:00+09:00", 9),
     ("2024년 8월 1일 7:30", 7), ("어제", None), ("2024-13-45", None), ("", None)],
)  # fmt: skip
def test_times_are_read_in_korean_and_iso_forms(value: str, hour: int | None) -> None:
    time = time_of(value)
    assert (time.hour if time else None) == hour


def test_bins_hold_equally_many() -> None:
    values = binned([float(number) for number in range(1000)])
    assert len(set(values)) == 20
    assert {values.count(value) for value in set(values)} == {50}


def test_sources_of_one_label_each() -> None:
    rows = [replace(row, source=f"{row.label} {n % 3}") for n, row in enumerate(mails(12))]
    finding = examine("source_shortcut", rows, "decide")
    assert finding is not None
    assert finding.values["pairs"] == "배송 = 배송 0 + 배송 2 + 배송 1, 결제 = 결제 1 + 결제 0 + 결제 2"
    assert examine("source_shortcut", mails(12), "decide") is None


# -- splits ---------------------------------------------------------------------------------------
def test_a_question_that_training_answers_is_known_whatever_the_answer() -> None:
    train = plain_questions(30)
    test = [
        replace(train[0], id="test:0"),
        replace(train[1], id="test:1", completion=[{"role": "assistant", "content": "아직 모릅니다."}]),
        chat(100, train[2].text.replace(" ", ""), "2번은 3일에 옵니다."),
        chat(101, "김민수님의 3월 보험료를 알려 주세요.", "김민수님의 3월 보험료는 2만 원입니다."),
        chat(102, "가게는 언제 쉬나요?", "월요일에 쉽니다."),
    ]
    train.append(chat(200, "이영희님의 4월 보험료를 알려 주세요.", "이영희님의 4월 보험료는 5만 원입니다."))
    finding = examine("split_leakage", {"train": train, "test": test})
    assert finding is not None
    assert [hit.found["how"] for hit in finding.hits if hit.found] == ["exact", "input", "near", "masked"]
    assert finding.severity == "block"
    assert {kind: finding.values[kind] for kind in ("exact", "input", "masked", "near")} == {
        "exact": 1, "input": 1, "masked": 1, "near": 1,
    }  # fmt: skip


def test_like_questions_about_different_things_do_not_leak() -> None:
    train = [chat(0, "장애인 연금은 어디에서 어떻게 신청하나요?", "읍면동 주민 센터에 내시면 됩니다.")]
    test = [chat(1, "기초 연금은 어디에서 어떻게 신청하나요?", "국민연금공단 지사나 복지로에서 합니다.")]
    assert examine("split_leakage", {"train": train, "test": test}) is None


def test_sums_are_not_equal_once_their_numbers_are_masked() -> None:
    train, test = [chat(0, "3 + 5 = ?", "8")], [chat(1, "7 + 2 = ?", "9")]
    assert examine("split_leakage", {"train": train, "test": test}) is None


def test_known_documents_and_speakers() -> None:
    rows = [
        replace(row, extra={"document": f"d{n % 20}\nd{n % 7}", "speaker": f"s{n}"})
        for n, row in enumerate(plain_questions(60))
    ]
    splits = {"train": rows[:40], "test": rows[40:]}
    finding = examine("group_leakage", splits, "retrieve")
    assert finding is not None
    assert (finding.severity, finding.count, finding.total) == ("block", 20, 20)
    assert finding.values["kind"] == "document"
    other = [replace(row, extra={"document": f"e{n}"}) for n, row in enumerate(rows[40:])]
    assert examine("group_leakage", {"train": rows[:40], "test": other}, "retrieve") is None
    spoken = [replace(row, extra={"speaker": f"s{n % 30}"}) for n, row in enumerate(rows)]
    found = examine("group_leakage", {"train": spoken[:40], "test": spoken[40:]})
    assert found is not None
    assert (found.severity, found.values["kind"]) == ("warn", "speaker")


def test_roles_are_no_speakers() -> None:
    rows = [replace(row, extra={"speaker": f"A\nB\n{n % 3}"}) for n, row in enumerate(plain_questions(60))]
    assert examine("group_leakage", {"train": rows[:40], "test": rows[40:]}) is None


# -- single class without a recipe ------------------------------------------------------------------
def test_a_rare_label_missing_from_a_small_test_is_chance() -> None:
    rows = [labelled(n, f"{n}번 글", "가나"[n % 2]) for n in range(200)] + [
        labelled(200 + n, f"{n}번째", "다") for n in range(3)
    ]
    assert examine("single_class", {"train": rows, "validation": [], "test": mails(0) + rows[:10]}, "decide") is None
    missing = examine("single_class", {"train": rows[:200], "validation": [], "test": rows[180:]}, "decide")
    assert missing is not None
    assert (missing.severity, missing.values["lacking"]) == ("warn", "train(다)")
    alone = examine("single_class", rows[:200:2], "decide")
    assert alone is not None
    assert (alone.severity, alone.values["lacking"]) == ("block", "train(가 100%)")


# -- real files -----------------------------------------------------------------------------------
def test_the_public_correction_file_is_a_grid(shared_data: Path, doctor: Callable[..., Context]) -> None:
    context = doctor(shared_data / "korean_sft" / "korean_sft_correction.jsonl")
    (finding,) = find("data.checks", "many_answers").check(context)
    assert (finding.severity, finding.count, finding.values["inputs"], finding.values["answers"]) == (
        "block",
        3500,
        9,
        20,
    )
    (repeated,) = find("data.checks", "duplicates").check(context)
    assert repeated.values["exact"] == 3500 - 180


def test_the_public_chat_lines_are_learnable(shared_data: Path, doctor: Callable[..., Context]) -> None:
    context = doctor(shared_data / "chat" / "ChatbotData.csv")
    for name in ("many_answers", "many_prompts", "few_texts", "answer_copied"):
        assert find("data.checks", name).check(context) == []
    (repeated,) = find("data.checks", "duplicates").check(context)
    assert (repeated.severity, repeated.values["exact"]) == ("info", 73)


def test_all_test_documents_of_the_welfare_set_are_known(shared_data: Path, doctor: Callable[..., Context]) -> None:
    context = doctor(*sorted((shared_data / "pdf_qa").glob("*.json")))
    (finding,) = find("data.checks", "group_leakage").check(context)
    assert (finding.count, finding.total, finding.values["groups"], finding.values["known"]) == (1910, 1910, 442, 442)


@pytest.fixture
def doctor() -> Callable[..., Context]:
    """`doctor(path, ...)` → the context of files as `data check` reads them."""
    from dadeum.data.corpus import Given, read_corpus

    def look(*paths: Path) -> Context:
        corpus = read_corpus([Given(path) for path in paths])
        return Context(corpus.splits, corpus.task, unread=corpus.unread)

    return look


@pytest.mark.parametrize(("num_equal", "severity"), [(0, None), (1, "info"), (2, "warn"), (150, "block")])
def test_pairs_of_equal_answers(num_equal: int, severity: str | None) -> None:
    rows = plain_questions(200)
    worse: list[list[Turn]] = [
        [{"role": "assistant", "content": f" {row.completion[0]['content']}" if n < num_equal else "몰라요."}]
        for n, row in enumerate(rows)
    ]
    pairs = [replace(row, rejected=turns) for row, turns in zip(rows, worse, strict=True)]
    finding = examine("equal_pair", [*pairs, chat(200, "짝이 없는 질문", "답")], "prefer")
    assert (finding.severity if finding else None) == severity
    if finding:
        assert (finding.count, finding.total) == (num_equal, 200)


def test_two_blank_answers_are_no_equal_pair() -> None:
    blank: list[Turn] = [{"role": "assistant", "content": " "}]
    assert examine("equal_pair", [chat(0, "질문", "", rejected=blank)], "prefer") is None


def test_the_index_of_pandas_is_no_shortcut() -> None:
    rows = [labelled(n, f"{n:03}번 글", ("가", "나")[n >= 100], extra={"(1)": str(n)}) for n in range(200)]
    assert examine("field_shortcut", rows, "decide") is None
