from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.clean_steps import Balance, CapPhraseShare, CleanStep, DropPhrases, Resample
from dadeum.core.errors import DataError
from dadeum.core.examples import Example, Turn
from dadeum.core.messages import LANGUAGES
from dadeum.core.recipe import Recipe
from dadeum.data.builders.made_rows import made_rows
from dadeum.data.repairs.removals import Gone, balanced, most_kept, over_size
from dadeum.data.repairs.row_kinds import ExampleRows, FieldRows
from dadeum.data.repairs.transforms import Applied, Rules, apply_step
from dadeum.data.rows import Row
from dadeum.data.similar.fingerprints import Memory


def chat(number: int, answer: str, source: str = "chat") -> Example:
    return Example(
        id=f"{source}:{number}", source=source, origin=source, group=str(number), text=f"질문 {number}", label="",
        prompt=[{"role": "user", "content": f"질문 {number}"}], completion=[{"role": "assistant", "content": answer}],
    )  # fmt: skip


def run(step: CleanStep, examples: list[Example], seed: int = 1) -> Applied:
    kind = ExampleRows(examples)
    sources = tuple(dict.fromkeys(example.source for example in examples))
    return apply_step(step, kind.rows, Rules(kind, seed, 0.9, sources), Memory())


def labelled(labels: str, source: str = "mail") -> list[Row]:
    return [
        Row(f"{source}:{number}", source, source, {"subject": "가"}, label.strip(), None, "가")
        for number, label in enumerate(labels)
    ]


def left(rows: list[Row], gone: Gone) -> Counter[str]:
    return Counter(row.label for index, row in enumerate(rows) if index not in gone)


# -- phrases --------------------------------------------------------------------------------------
def test_answers_with_a_given_phrase_go_and_name_it() -> None:
    examples = [
        chat(1, "저는 인공지능  언어\n모델로서 답합니다."),
        chat(2, "바로 답합니다."),
        chat(3, "도움이 필요하시면 말씀해 주세요. 저는 AI입니다."),
    ]
    step = DropPhrases(drop_phrases=("인공지능 언어 모델", "저는 ai"))
    done = run(step, examples)
    assert [row.id for row in done.rows] == ["chat:2"]
    assert [(item.id, item.reason, item.detail) for item in done.removed] == [
        ("chat:1", "phrase", "인공지능 언어 모델"),
        ("chat:3", "phrase", "저는 ai"),
    ]
    assert run(step, [examples[1]]).removed == []


def test_a_phrase_in_the_question_is_no_reason() -> None:
    example = chat(1, "네.")
    assert run(DropPhrases(drop_phrases=("질문",)), [example]).removed == []


@pytest.mark.parametrize(
    "step", [DropPhrases(drop_phrases=("가",)), CapPhraseShare(cap_phrase_share=0.1), "trim_mixed_speech"]
)
def test_a_step_on_answers_refuses_rows_without_answers(step: CleanStep, make_recipe: Callable[..., Recipe]) -> None:
    recipe = make_recipe([{"path": "none.csv"}])
    with pytest.raises(DataError) as caught:
        apply_step(step, labelled("AB"), Rules.of(recipe, FieldRows(recipe.task)), Memory())
    assert caught.value.key == "data.repairs.no_answers"
    assert all("data.clean" in caught.value.in_language(language) for language in LANGUAGES)
    assert apply_step(step, [], Rules.of(recipe, FieldRows(recipe.task)), Memory()).removed == []


def test_the_reason_of_a_decision_is_its_answer(make_recipe: Callable[..., Recipe]) -> None:
    recipe = make_recipe([{"path": "none.csv"}], task={"reason_field": "why"})
    rows = labelled("AB")
    rows[0].reason = "광고라서"
    done = apply_step(DropPhrases(drop_phrases=("광고",)), rows, Rules.of(recipe, FieldRows(recipe.task)), Memory())
    assert [item.id for item in done.removed] == ["mail:0"]


@given(st.integers(0, 10_000), st.integers(1, 999))
def test_the_most_that_may_stay_is_just_at_the_share(num_others: int, thousandths: int) -> None:
    kept = most_kept(num_others, thousandths / 1000)
    assert kept * 1000 <= thousandths * (num_others + kept)
    assert (kept + 1) * 1000 > thousandths * (num_others + kept + 1)


def test_the_share_by_hand() -> None:
    # 5 of 100 is 5 %: 95 others carry 5, 94 carry only 4 (5 of 99 is 5.05 %).
    assert (most_kept(95, 0.05), most_kept(94, 0.05), most_kept(0, 0.9)) == (5, 4, 0)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_boilerplate_listed_and_mined_is_thinned_to_its_share(
    share: float, distinct: Callable[[int], list[str]]
) -> None:
    words = distinct(100)
    examples = [chat(number, f"{word} 방법을 씁니다.") for number, word in enumerate(words[:40])]
    examples += [
        chat(100 + number, f"{word} 입니다. 더 궁금한 점이 있으시면 물어보세요.")
        for number, word in enumerate(words[40:60])
    ]
    mined = "오늘도 우리 가게를 찾아 주신 손님께 인사드립니다"
    examples += [chat(200 + number, f"{word} 입니다. {mined}.") for number, word in enumerate(words[60:])]
    step = CapPhraseShare(cap_phrase_share=share)
    done = run(step, examples)
    stock = [row for row in done.rows if int(row.id.split(":")[1]) >= 100]
    assert len(done.rows) - len(stock) == 40, "no row without a phrase goes"
    assert len(stock) == most_kept(40, share) > 0
    assert len(stock) <= share * len(done.rows) < len(stock) + 1
    assert {item.reason for item in done.removed} == {"phrase_capped"}
    assert {item.detail for item in done.removed} == {"궁금한 점이 있으시", mined}
    same, other = run(step, examples), run(step, examples, seed=2)
    assert same.removed == done.removed != other.removed


# -- labels and sources ---------------------------------------------------------------------------
WARNING = "정확한 판단은 반드시 전문가와 상담하세요."


def test_only_what_the_assistant_says_counts_and_every_turn_of_it(distinct: Callable[[int], list[str]]) -> None:
    words = distinct(60)
    examples = [chat(number, f"{word} 방법을 씁니다.") for number, word in enumerate(words[:40])]
    asking = f"이 답을 고쳐 줘: {WARNING}"
    examples += [
        replace(
            chat(100 + number, f"{word} 순서로 고칩니다."), text=asking, prompt=[{"role": "user", "content": asking}]
        )
        for number, word in enumerate(words[40:50])
    ]
    before: list[Turn] = [{"role": "user", "content": "알려 줘"}, {"role": "assistant", "content": WARNING}]
    examples += [
        replace(
            chat(200 + number, f"{word} 뒤에 다시 봅니다."), prompt=[*before, {"role": "user", "content": f"{word}?"}]
        )
        for number, word in enumerate(words[50:])
    ]
    done = run(CapPhraseShare(cap_phrase_share=0.05), examples)
    assert {int(item.id.split(":")[1]) // 100 for item in done.removed} == {2}
    assert len(done.removed) == 10 - most_kept(50, 0.05)


def test_a_cap_on_merged_data_removes_no_made_row(distinct: Callable[[int], list[str]]) -> None:
    words = distinct(200)
    made = [
        Example(f"{name}:{number}", name, name, str(number), row.turns[0],
                [{"role": "user", "content": row.turns[0]}], [{"role": "assistant", "content": row.turns[1]}], "")
        for name in ("no-warning", "correction") for number, row in enumerate(made_rows(name, 200, 42))
    ]  # fmt: skip
    warned = [chat(number, f"{word} 답입니다. {WARNING}", "own") for number, word in enumerate(words[:60])]
    plain = [chat(100 + number, f"{word} 방법을 씁니다.", "own") for number, word in enumerate(words[60:])]
    done = run(CapPhraseShare(cap_phrase_share=0.05), [*warned, *plain, *made])
    assert {item.source for item in done.removed} == {"own"}
    left = sum(WARNING in str(row.fields) for row in done.rows if row.source == "own")
    assert left == most_kept(len(plain) + len(made), 0.05)
    assert left <= 0.05 * len(done.rows)


def test_no_label_has_more_than_so_many_rows_per_row_of_the_rarest() -> None:
    rows = labelled("A" * 50 + "B" * 10 + "C" * 4)
    gone = balanced(rows, 2.5, seed=1)
    assert left(rows, gone) == {"A": 10, "B": 10, "C": 4}
    assert set(gone.values()) == {"10 / 50"}
    kept = [row for index, row in enumerate(rows) if index not in gone]
    assert balanced(kept, 2.5, seed=1) == {}
    assert balanced(rows, 2.5, seed=1) == gone != balanced(rows, 2.5, seed=2)
    assert balanced([], 2.0, seed=1) == {}


def test_rows_without_labels_are_balanced_by_source() -> None:
    rows = labelled(" " * 12, "a") + labelled(" " * 4, "b")
    gone = balanced(rows, 1.5, seed=1)
    assert Counter(row.source for index, row in enumerate(rows) if index not in gone) == {"a": 6, "b": 4}


def test_a_source_keeps_at_most_so_many_rows() -> None:
    rows = labelled("A" * 30, "a") + labelled("A" * 5, "b") + labelled("A" * 7, "c")
    gone = over_size(rows, {"a": 10, "b": 9}, ("a", "b", "c"), seed=1)
    assert Counter(row.source for index, row in enumerate(rows) if index not in gone) == {"a": 10, "b": 5, "c": 7}
    assert set(gone.values()) == {"10 / 30"}
    assert over_size(rows, {"a": 10}, ("a", "b", "c"), seed=2).keys() != gone.keys()


def test_a_source_that_does_not_exist_names_the_nearest() -> None:
    with pytest.raises(DataError) as caught:
        run(Resample(resample={"mial": 3}), [chat(1, "네.", "mail"), chat(2, "네.", "notices")])
    assert "'mail'" in caught.value.in_language("en")
    assert "mail, notices" in caught.value.in_language("ko")


def test_a_source_of_which_nothing_is_left_is_still_known(make_recipe: Callable[..., Recipe]) -> None:
    recipe = make_recipe([{"path": "mail.csv"}, {"path": "b.csv", "name": "notices"}])
    rules = Rules.of(recipe, FieldRows(recipe.task))
    step = Resample(resample={"notices": 3})
    assert apply_step(step, labelled("A"), rules, Memory()).removed == []


@pytest.mark.parametrize("step", [Balance(balance=1.0), Resample(resample={"a": 20})])
def test_what_is_drawn_stays_in_order_and_is_listed(step: Any) -> None:
    chance = random.Random(0)
    examples = [chat(number, str(chance.random()), "a" if number % 3 else "b") for number in range(90)]
    done = run(step, examples)
    ids = [row.id for row in done.rows]
    assert ids == [example.id for example in examples if example.id in ids]
    assert sorted([*ids, *(item.id for item in done.removed)]) == sorted(example.id for example in examples)
    assert {item.reason for item in done.removed} == {"balanced" if isinstance(step, Balance) else "not_sampled"}


# -- speech ---------------------------------------------------------------------------------------
def test_answers_that_mix_polite_and_plain_go() -> None:
    examples = [
        chat(1, "회의는 세 시에 시작합니다. 자료는 책상 위에 있다. 늦지 않게 오시기 바랍니다."),
        chat(2, "회의는 세 시에 시작합니다. 자료는 책상 위에 있습니다."),
        chat(3, "회의는 세 시에 시작한다. 자료는 책상 위에 있다."),
    ]
    done = run("trim_mixed_speech", examples)
    assert [(item.id, item.reason, item.detail) for item in done.removed] == [("chat:1", "mixed_speech", "2 / 1")]
    assert len(done.rows) == 2
