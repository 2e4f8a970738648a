from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.clean_steps import Balance, CleanStep, DropPhrases, Resample
from dadeum.core.errors import DataError
from dadeum.core.examples import Example, Turn
from dadeum.data.corpus import Given, read_corpus
from dadeum.data.repairs import cleaning
from dadeum.data.repairs.cleaning import CHANGED, StepCount, clean_examples
from dadeum.data.repairs.transforms import Applied


def turns(*contents: str, first: str = "user") -> list[Turn]:
    roles = ("user", "assistant") if first == "user" else ("assistant", "user")
    return [{"role": roles[number % 2], "content": content} for number, content in enumerate(contents)]


def chat(number: int, *contents: str, **changes: Any) -> Example:
    """A conversation; the last of `contents` is the answer."""
    said = turns(*contents)
    values: dict[str, Any] = {
        "id": f"chat:{number}", "source": "chat", "origin": "chat", "group": str(number),
        "text": "\n".join(turn["content"] for turn in said[:-1]), "label": "",
        "prompt": said[:-1], "completion": said[-1:],
    }  # fmt: skip
    return Example(**(values | changes))


def counted(steps: Sequence[StepCount]) -> list[tuple[str, int, int]]:
    return [(step.step, step.changed, step.removed) for step in steps]


def test_texts_of_all_turns_change_and_untouched_examples_are_the_same_objects() -> None:
    dirty = chat(
        1, "<b>안녕</b>하세요", "네, <i>반갑습니다</i>.", "질문 &amp; 답", "네.", "<p>끝</p>", "마지막 <u>답</u>"
    )
    system: Turn = {"role": "system", "content": "친절하게"}
    clean = chat(2, "안녕하세요", "네.", prompt=[system, {"role": "user", "content": "안녕하세요"}])
    done = clean_examples([dirty, clean], ["strip_html", "squash_spaces"])
    first, second = done.examples
    assert second is clean
    assert [turn["content"] for turn in first.prompt] == ["안녕하세요", "네, 반갑습니다.", "질문 & 답", "네.", "끝"]
    assert first.completion == [{"role": "assistant", "content": "마지막 답"}]
    assert first.text == "안녕하세요\n네, 반갑습니다.\n질문 & 답\n네.\n끝"
    assert counted(done.steps) == [("strip_html", 1, 0), ("squash_spaces", 1, 0)]
    (line,) = done.changed
    assert (line.id, line.kind, line.reason, line.detail) == ("chat:1", CHANGED, CHANGED, "strip_html, squash_spaces")
    assert json.loads(line.original) == {"prompt": dirty.prompt, "completion": dirty.completion}
    assert dirty.completion[0]["content"] == "마지막 <u>답</u>", "what was given is not changed in place"


def test_lines_of_an_answer_survive_the_squashing_of_spaces() -> None:
    done = clean_examples([chat(1, "목록  좀", "- 하나\n- 둘\n\n```\n  if x:\n```")], ["squash_spaces"])
    assert done.examples[0].completion[0]["content"] == "- 하나\n- 둘\n\n```\n  if x:\n```"
    assert done.examples[0].text == "목록 좀"


def test_rejected_answers_are_cleaned_and_restored_too() -> None:
    rejected: list[Turn] = [{"role": "assistant", "content": "<p>나쁜 답</p>"}]
    pair = chat(1, "질문", "좋은 답", rejected=rejected)
    done = clean_examples([pair], ["strip_html", "squash_spaces"])
    assert done.examples[0].rejected == [{"role": "assistant", "content": "나쁜 답"}]
    original = json.loads(done.changed[0].original)
    assert original == {"prompt": pair.prompt, "chosen": pair.completion, "rejected": rejected}


def test_a_label_is_never_touched() -> None:
    example = chat(1, "<p>광고</p>", "<A>", label="<A>")
    done = clean_examples([example], ["strip_html", "squash_spaces", "nfc", "mask_pii", "repair_encoding"])
    assert (done.examples[0].text, done.examples[0].completion, done.examples[0].label) == (
        "광고", example.completion, "<A>",
    )  # fmt: skip


def test_one_question_with_two_answers_is_no_copy() -> None:
    examples = [chat(1, "질문", "답 하나"), chat(2, "질문", "다른 대답입니다"), chat(3, "질문", "답 하나")]
    done = clean_examples(examples, ["drop_exact_duplicates", "drop_near_duplicates"])
    assert [example.id for example in done.examples] == ["chat:1", "chat:2"]
    assert [(item.id, item.reason, item.detail) for item in done.removed] == [("chat:3", "exact_duplicate", "chat:1")]


def test_an_empty_turn_is_reason_enough_to_drop_a_conversation() -> None:
    examples = [chat(1, "질문", "답"), chat(2, "질문", " "), chat(3, "", "답"), chat(4, "질문", "", "질문", "답")]
    unanswered = chat(5, "질문", "답", completion=[])
    silent = chat(6, "", "", prompt=[{"role": "system", "content": "규칙"}], completion=[])
    done = clean_examples([*examples, unanswered, silent], ["drop_empty"])
    assert [example.id for example in done.examples] == ["chat:1", "chat:5"]
    assert {item.reason for item in done.removed} == {"empty"}


def many() -> list[Example]:
    return [
        chat(number, f"{number}번째  질문", f"{number % 7}번 답입니다.", source=("web", "book")[number % 3 == 0])
        for number in range(60)
    ]


STEPS: list[CleanStep] = [
    "squash_spaces", DropPhrases(drop_phrases=("3번",)), "drop_near_duplicates", Resample(resample={"web": 10}),
    Balance(balance=1.5),
]  # fmt: skip


def test_as_many_come_out_as_went_in_each_once_with_its_original() -> None:
    examples = many()
    done = clean_examples(examples, STEPS, seed=3)
    ids = [example.id for example in done.examples] + [item.id for item in done.removed]
    assert sorted(ids) == sorted(example.id for example in examples)
    originals = {item.id: json.loads(item.original) for item in [*done.removed, *done.changed]}
    # squash_spaces changed every row, so every row has its original, and only once.
    assert len(done.removed) + len(done.changed) == len(originals) == len(examples)
    for example in examples:
        assert originals[example.id] == {"prompt": example.prompt, "completion": example.completion}
    assert sum(step.removed for step in done.steps) == len(done.removed)
    assert done.steps[0].changed == 60


def test_the_seed_alone_decides_what_is_drawn() -> None:
    first, again, other = (clean_examples(many(), STEPS, seed=seed) for seed in (3, 3, 4))
    assert (first.examples, first.removed, first.changed) == (again.examples, again.removed, again.changed)
    assert first.examples != other.examples


def test_cleaning_twice_does_nothing_more() -> None:
    done = clean_examples(many(), STEPS, seed=3)
    again = clean_examples(done.examples, STEPS, seed=3)
    assert again.examples == done.examples
    assert counted(again.steps) == [(step.step, 0, 0) for step in done.steps]


def test_no_step_changes_nothing_and_no_row_is_no_error() -> None:
    examples = many()
    assert all(one is other for one, other in zip(clean_examples(examples, []).examples, examples, strict=True))
    assert clean_examples([], STEPS[:3]).examples == []


def test_resample_knows_the_sources_of_the_examples() -> None:
    with pytest.raises(DataError) as caught:
        clean_examples(many(), [Resample(resample={"wep": 1})])
    assert "'web'" in caught.value.in_language("en")


def test_a_row_lost_on_the_way_is_our_bug_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "apply_step", lambda step, rows, rules, memory: Applied(rows[1:], []))
    with pytest.raises(AssertionError, match=r"60 rows in, 59 \+ 0 out"):
        clean_examples(many(), ["nfc"])
    with pytest.raises(AssertionError, match="2 examples have 1 ids"):
        clean_examples([chat(1, "가", "나"), chat(1, "다", "라")], [])


def test_a_text_that_the_turns_do_not_say_is_cleaned_on_its_own() -> None:
    example = chat(1, '{"subject": "<b>광고</b>"}', "BLOCK", text="<b>광고</b>", label="BLOCK")
    (done,) = clean_examples([example], ["strip_html"]).examples
    assert (done.text, done.prompt[0]["content"]) == ("광고", '{"subject": "광고"}')


# -- originals are files again --------------------------------------------------------------------
FILES: dict[str, list[dict[str, Any]]] = {
    "chat": [
        {"messages": [{"role": "system", "content": " 짧게"}, *turns(f"<b>{n}</b>", "답", "더", "답")], "id": f"x{n}"}
        for n in range(4)
    ],
    "pairs": [{"prompt": f"질문 <b>{n}</b>", "chosen": "좋은 답", "rejected": f"나쁜 답 {n}"} for n in range(4)],
    "alpaca": [{"instruction": f"요약하세요 <i>{n}</i>", "input": "긴 글", "output": f"짧은 글 {n}"} for n in range(4)],
    "summary": [{"dialogue": f"#Person1#: <b>안녕</b> {n}", "summary": f"인사 {n}", "id": str(n)} for n in range(4)],
    "labels": [{"text": f"<b>광고</b> {n}", "label": ("스팸", "정상")[n % 2]} for n in range(4)],
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_read_back_to_what_it_was(name: str, tmp_path: Path) -> None:
    source = tmp_path / f"{name}.jsonl"
    source.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in FILES[name]), encoding="utf-8")
    corpus = read_corpus([Given(source)])
    (split,) = [split for split, examples in corpus.splits.items() if examples]
    read = corpus.splits[split]
    done = clean_examples(read, ["strip_html"], split_of={example.id: split for example in read})
    assert len(done.changed) == len(read) == 4
    again = tmp_path / "again.jsonl"
    again.write_text("\n".join(line.original for line in done.changed), encoding="utf-8")
    back = read_corpus([Given(again)], corpus.task)
    content: Callable[[Example], tuple[Any, ...]] = lambda item: (  # noqa: E731
        item.prompt, item.completion, item.rejected, item.label, item.text, item.extra,
    )  # fmt: skip
    assert list(map(content, back.splits[split])) == list(map(content, read))
