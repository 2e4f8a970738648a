"""Sources of dialogues and summaries: every shape, further references, and what is wrong with the rest."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import DataError
from dadeum.core.examples import Example, Turn, read_examples
from dadeum.core.messages import LANGUAGES, text
from dadeum.core.recipe import Recipe, Source
from dadeum.core.run import Run
from dadeum.data.build import build_data
from dadeum.data.convert import convert_files
from dadeum.data.corpus import Given
from dadeum.data.dialogues import read_dialogues
from dadeum.data.lengths.token_lengths import Fits
from dadeum.data.prepare import Prepared, prepare
from dadeum.data.reading.mapping import SourceRows
from dadeum.data.restore import restore
from dadeum.tasks.summarize import references

TALK = "#Person1#: 몇 시에 볼까?\n#Person2#: 세 시에 보자."
SUMMARY = "두 사람은 세 시에 보기로 합니다."
ASKED = "다음 대화를 요약해주세요."


def say(role: str, content: str) -> Turn:
    return {"role": role, "content": content}


def written(folder: Path, rows: Sequence[Any], name: str = "talks.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, **source: Any) -> SourceRows:
    return read_dialogues(Source.model_validate({"path": str(path), **source}), seed=1)


def recipe_of(path: Path, form: str = "chat", **sections: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "summaries",
            "task": {"type": "summarize", "instruction": ASKED} | sections.pop("task", {}),
            "model": {"base": "none", "adapter": {"type": "none"}},
            "data": {"sources": [{"path": str(path)} | sections.pop("source", {})]} | sections.pop("data", {}),
            "render": {"format": form},
            "stages": [{"name": "sft", "method": "sft"}],
            **sections,
        }
    )


def everything(prepared: Prepared) -> list[Example]:
    return [example for examples in prepared.examples.values() for example in examples]


@pytest.fixture
def talks(distinct: Callable[[int], list[str]]) -> list[dict[str, Any]]:
    """40 dialogues of two lines that have nothing in common."""
    said = distinct(120)
    return [
        {"dialogue": f"#Person1#: {said[3 * at]}\n#Person2#: {said[3 * at + 1]}", "summary": said[3 * at + 2]}
        for at in range(40)
    ]


# -- shapes ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("row", "mapping"),
    [
        ({"dialogue": TALK, "summary": SUMMARY}, None),
        ({"대화": TALK, "요약": SUMMARY}, None),
        ({"dialogue": TALK, "summary1": SUMMARY}, None),
        ({"통화": TALK, "정리": SUMMARY}, {"dialogue": "통화", "summary": "정리"}),
        ({"prompt": TALK, "completion": SUMMARY}, None),
        ({"instruction": "짧게", "input": TALK, "output": SUMMARY}, None),
        ({"messages": [say("user", TALK), say("assistant", SUMMARY)]}, None),
        ({"기록": [say("사용자", TALK), say("챗봇", SUMMARY)]}, {"messages": "기록"}),
        (
            {
                "dialogue": [
                    {"speaker": "#Person1#", "text": "몇 시에 볼까?"},
                    {"speaker": "#Person2#", "text": "세 시에\n보자."},
                ],
                "summary": SUMMARY,
            },
            None,
        ),
        ({"dialogue": TALK.split("\n"), "summary": SUMMARY}, None),
        ({"dialogue": json.dumps(TALK.split("\n"), ensure_ascii=False), "summary": SUMMARY}, None),
        ({"dialogue": str(TALK.split("\n")), "summary": SUMMARY}, None),
        ({"dialogue": TALK, "summary": SUMMARY, "system": "요약가"}, None),
    ],
)
def test_a_dialogue_is_read_in_every_shape(tmp_path: Path, row: dict[str, Any], mapping: dict[str, str] | None) -> None:
    example, _ = read(written(tmp_path, [row, row]), **({"map": mapping} if mapping else {})).examples
    assert example.text == TALK
    assert example.prompt == [say("user", TALK)]
    assert example.completion == [say("assistant", SUMMARY)]


def test_text_in_brackets_is_no_list_of_turns(tmp_path: Path) -> None:
    (example,) = read(written(tmp_path, [{"dialogue": "[속보] 비가 옵니다. [끝]", "summary": "비"}])).examples
    assert example.text == "[속보] 비가 옵니다. [끝]"


def test_a_turn_without_words_is_told_by_its_place(tmp_path: Path) -> None:
    row = {"dialogue": [{"speaker": "가", "text": "응"}, {"speaker": "나"}], "summary": "요약"}
    path = written(tmp_path, [row, row])
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.key == "data.bad_rows.missing_field"
    assert "dialogue[2].text" in str(caught.value)


# -- what cannot be used --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rows", "source", "key", "told"),
    [
        ([{"dialogue": TALK, "summary": SUMMARY}], {"label": "A"}, "data.dialogues.label", "label"),
        ([{"fname": "t1", "dialogue": TALK}], {}, "data.dialogues.no_summary", 'summary: "?"'),
        ([{"질문": TALK, "답변": SUMMARY}], {}, "data.dialogues.no_summary", "summary: 답변"),
        ([{"a": TALK, "b": SUMMARY}], {"map": {"dialog": "a"}}, "data.dialogues.unknown_field", "dialogue"),
        ([{"a": TALK, "b": SUMMARY}], {"map": {"dialogue": "c"}}, "data.missing_column", "c"),
        ([{"a": TALK, "b": SUMMARY}], {"map": {"dialogue": "a"}}, "data.dialogues.half_a_pair", "reference_2"),
        (
            [{"messages": [say("user", "a"), say("assistant", "b"), say("user", "c"), say("assistant", "d")]}],
            {}, "data.bad_rows.not_one_dialogue", "user, assistant, user, assistant",
        ),
        (
            [{"prompt": f"다음 대화를 요약하세요.\n{TALK} {n}", "completion": SUMMARY} for n in range(6)],
            {}, "data.dialogues.instruction_inside", "다음 대화를 요약하세요.",
        ),
        (
            [{"prompt": f"{n}\n{TALK}\n위 대화를 줄이세요.", "completion": SUMMARY} for n in range(6)],
            {}, "data.dialogues.instruction_inside", "위 대화를 줄이세요.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_what_to_write(
    tmp_path: Path, rows: list[Any], source: dict[str, Any], key: str, told: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(written(tmp_path, rows), **source)
    assert caught.value.key == key
    for language in LANGUAGES:
        assert told in text(key, language, **caught.value.values)


def test_dialogues_with_lines_of_their_own_hold_no_instruction(tmp_path: Path, talks: list[dict[str, Any]]) -> None:
    rows = [{"prompt": row["dialogue"], "completion": row["summary"]} for row in talks]
    assert len(read(written(tmp_path, rows)).examples) == 40


def test_bad_rows_are_listed_where_the_recipe_says_so(tmp_path: Path) -> None:
    rows = [{"messages": [say("user", TALK), say("assistant", SUMMARY)]}, {"messages": [say("user", TALK)]}]
    found = read(written(tmp_path, rows), on_bad_rows="drop")
    assert len(found.examples) == 1
    assert [row.reason for row in found.removed] == ["not_one_dialogue"]


def test_system_turns_and_dialogues_told_again_are_said(tmp_path: Path) -> None:
    rows = [
        {"messages": [say("system", "요약가"), say("user", TALK), say("assistant", answer)]}
        for answer in (SUMMARY, SUMMARY, "셋이서 만납니다.")
    ]
    notes = {note.key: note.values["num"] for note in read(written(tmp_path, rows)).notes}
    assert notes == {"data.dialogues.system_unused": 3, "data.dialogues.told_again": 1}


# -- further references ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("names", "mapping"),
    [
        (("summary1", "summary2", "summary3"), None),
        (("요약", "요약2", "요약3"), None),
        (("summary", "reference_2", "reference_3"), None),
        (("a", "b", "c"), {"dialogue": "dialogue", "summary": "a", "reference_2": "b", "reference_3": "c"}),
    ],
)
def test_further_summaries_are_references_and_one_may_be_missing(
    tmp_path: Path, names: tuple[str, str, str], mapping: dict[str, str] | None
) -> None:
    path = tmp_path / "talks.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [
                ["dialogue", *names],
                [TALK, "하나", "둘", "셋"],
                [TALK + "!", "하나", "", "nan"],
                [TALK + "?", "하나", "", "셋"],
            ]
        )
    found = read(path, **({"map": mapping} if mapping else {}))
    assert [references(example) for example in found.examples] == [["하나", "둘", "셋"], ["하나"], ["하나", "셋"]]


def test_a_list_of_references_is_one(tmp_path: Path) -> None:
    (example,) = read(written(tmp_path, [{"dialogue": TALK, "summary": "하나", "references": ["둘", "셋"]}])).examples
    assert references(example) == ["하나", "둘", "셋"]


def test_references_are_cleaned_with_the_rest_and_come_back_as_read(
    tmp_path: Path, talks: list[dict[str, Any]], all_fit: Fits
) -> None:
    talks[0] |= {"reference_2": "두  번째 <b>요약</b>", "reference_3": "<br>"}
    talks[1] |= {"reference_2": talks[1]["summary"] + " 둘"}
    recipe = recipe_of(written(tmp_path, talks))
    run = Run.create(recipe, tmp_path / "run")
    build_data(recipe, run, fits=all_fit)
    rows = {row.id: row for split in ("train", "validation", "test") for row in read_examples(run.split_path(split))}
    assert references(rows["talks:1"])[1:] == ["두 번째 요약"]
    assert references(rows["talks:2"])[1:] == [talks[1]["summary"] + " 둘"]
    assert references(rows["talks:3"]) == [talks[2]["summary"]]
    assert restore(run.folder, None, tmp_path / "back.jsonl") == 1
    (line,) = (tmp_path / "back.jsonl").read_text(encoding="utf-8").splitlines()
    back = json.loads(line)
    assert {name: back[name] for name in talks[0]} == talks[0]
    (again,) = read(tmp_path / "back.jsonl").examples
    assert references(again) == [talks[0]["summary"], "두  번째 <b>요약</b>", "<br>"]


def test_converted_files_keep_references_for_a_recipe(tmp_path: Path, talks: list[dict[str, Any]]) -> None:
    for row in talks:
        row["summary2"] = row["summary"] + " 또"
    convert_files([Given(written(tmp_path, talks))], tmp_path / "out", clean=["squash_spaces"])
    found = read(tmp_path / "out/train.jsonl")
    assert {len(references(example)) for example in found.examples} == {2}
    assert found.examples[0].text.startswith("#Person1#: ")


# -- prepare --------------------------------------------------------------------------------------
def test_the_prompt_has_the_form_of_the_recipe(tmp_path: Path, talks: list[dict[str, Any]]) -> None:
    path = written(tmp_path, talks)
    for form, task, roles in (
        ("chat", {"system": "요약가"}, ["system", "user"]),
        ("chat", {}, ["user"]),
        ("instruction", {}, ["system", "user"]),
        ("instruction", {"instruction": ""}, ["user"]),
    ):
        for example in everything(prepare(recipe_of(path, form, task=task))):
            assert [turn["role"] for turn in example.prompt] == roles
            assert example.prompt[-1]["content"].endswith(example.text)
            told = [turn["content"] for turn in example.prompt if ASKED in turn["content"]]
            assert len(told) == (0 if task.get("instruction") == "" else 1)


def test_cleaning_keeps_speakers_masks_and_the_lines_of_a_dialogue(tmp_path: Path, talks: list[dict[str, Any]]) -> None:
    talks[0]["dialogue"] = (
        "#Person1#:  번호가 <b>뭐예요</b>?  \r\n#Person2#: #PhoneNumber#예요. 메일은 somi@naver.com이에요.\n"
        "#Person1#: 010-1234-5678도 있죠? #Address#는요?"
    )
    clean = ["nfc", "strip_html", "squash_spaces", "mask_pii", "drop_empty"]
    rows = {
        example.id: example
        for example in everything(prepare(recipe_of(written(tmp_path, talks), data={"clean": clean})))
    }
    lines = rows["talks:1"].text.split("\n")
    assert lines[0] == "#Person1#: 번호가 뭐예요?"
    assert lines[1].startswith("#Person2#: #PhoneNumber#예요.") and "somi@" not in lines[1]
    assert lines[2].startswith("#Person1#: ") and "5678" not in lines[2] and lines[2].endswith("#Address#는요?")


def test_empty_summaries_go_and_like_dialogues_stay_together(tmp_path: Path, talks: list[dict[str, Any]]) -> None:
    talks[5]["summary"] = "  "
    shared = "두 사람은 다음 주 수요일 오후에 도서관 앞에서 만나기로 합니다."
    talks[7]["summary"] = talks[30]["summary"] = shared
    again = talks[9] | {"summary": "같은 대화를 다르게 요약한 문장입니다."}
    prepared = prepare(recipe_of(written(tmp_path, [*talks, again])))
    assert prepared.removed_by_reason == {"empty": 1}
    groups = {example.id: example.group for example in everything(prepared)}
    assert groups["talks:8"] == groups["talks:31"]
    assert groups["talks:10"] == groups["talks:41"]
    assert len(set(groups.values())) == 38


def test_a_constant_summary_does_not_make_one_group_of_all(tmp_path: Path, talks: list[dict[str, Any]]) -> None:
    for row in talks:
        row["summary"] = "두 사람이 여러 가지 이야기를 길게 나누고 있습니다."
    groups = {example.group for example in everything(prepare(recipe_of(written(tmp_path, talks))))}
    assert len(groups) == 40
