"""Conversations through prepare, build, check and restore: counted, cleaned, split apart, and silent about labels."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import CheckBlocked, DataError
from dadeum.core.examples import SPLITS, Example, Turn, read_examples
from dadeum.core.findings import read_findings
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.data.build import build_data
from dadeum.data.check import check_data, context_of, find_problems, run_checks
from dadeum.data.prepare import Prepared, prepare
from dadeum.data.restore import restore

MakeRecipe = Callable[..., Recipe]
LABEL_CHECKS = {"single_class", "unknown_label", "label_collision", "imbalance", "label_noise", "conflicting_labels"}


def say(role: str, content: str) -> Turn:
    return {"role": role, "content": content}


def talk(*lines: str, system: str | None = None) -> dict[str, Any]:
    """A conversation of lines that user and assistant say in turn."""
    turns = [say(("user", "assistant")[at % 2], line) for at, line in enumerate(lines)]
    return {"messages": [say("system", system), *turns] if system else turns}


def written(folder: Path, rows: Sequence[Any], name: str = "talks.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def talks(distinct: Callable[[int], list[str]]) -> list[dict[str, Any]]:
    """60 conversations that have nothing in common, every third of two exchanges."""
    said = distinct(240)
    rows = []
    for at in range(60):
        lines = said[4 * at : 4 * at + 4]
        rows.append(talk(*(lines if at % 3 == 0 else lines[:2])))
    return rows


def everything(prepared: Prepared) -> list[Example]:
    return [example for examples in prepared.examples.values() for example in examples]


# -- prepare ------------------------------------------------------------------------------------------------
def test_conversations_are_split_under_the_instruction_and_counted(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe
) -> None:
    prepared = prepare(make_chat([{"path": written(tmp_path, talks)}]))
    assert prepared.used == {"train": 48, "validation": 6, "test": 6}
    assert prepared.rows_in == 60
    assert prepared.removed == prepared.changed == []
    for example in everything(prepared):
        assert example.prompt[0] == say("system", "상담사입니다.")
        assert [turn["role"] for turn in example.prompt[1:]] in (["user"], ["user", "assistant", "user"])
        assert example.completion[0]["role"] == "assistant"
        assert example.label == ""
        assert not example.text.startswith("상담사")


def test_a_system_turn_of_the_row_stays(tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe) -> None:
    rows = [*talks, talk("꿈이 없어서 고민이에요.", "천천히 찾아봐요.", system="다정한 선배입니다.")]
    prepared = prepare(make_chat([{"path": written(tmp_path, rows)}]))
    systems = [example.prompt[0]["content"] for example in everything(prepared)]
    assert sorted(set(systems)) == ["다정한 선배입니다.", "상담사입니다."]
    assert systems.count("다정한 선배입니다.") == 1


def test_several_sources_of_different_shapes_make_one_data_set(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe
) -> None:
    pairs = [{"Q": row["messages"][0]["content"], "A": row["messages"][1]["content"]} for row in talks[30:]]
    sources = [{"path": written(tmp_path, talks[:30])}, {"path": written(tmp_path, pairs, "pairs.jsonl")}]
    prepared = prepare(make_chat(sources))
    assert {example.source for example in everything(prepared)} == {"talks", "pairs"}
    assert sum(prepared.used.values()) + len(prepared.removed) == prepared.rows_in == 60
    assert set(prepared.guesses) == {"talks", "pairs"}


def test_cleaning_reaches_every_turn_and_the_row_as_read_is_kept(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe
) -> None:
    soiled = talk(
        "진로가  <b>너무</b> 고민이에요.",
        "그러셨군요.&nbsp;천천히 봐요.",
        "네  네.",
        "좋아요!<br>",
        system="상담사입니다.",
    )
    empty, copy = talk("대답 없는 고민이에요.", "  "), talks[5]
    prepared = prepare(make_chat([{"path": written(tmp_path, [*talks, soiled, empty, copy])}]))
    assert prepared.removed_by_reason == {"empty": 1, "exact_duplicate": 1}
    (changed,) = prepared.changed
    (example,) = [example for example in everything(prepared) if example.id == changed.id]
    assert [turn["content"] for turn in [*example.prompt, *example.completion]] == [
        "상담사입니다.", "진로가 너무 고민이에요.", "그러셨군요. 천천히 봐요.", "네 네.", "좋아요!",
    ]  # fmt: skip
    assert example.text == "진로가 너무 고민이에요.\n그러셨군요. 천천히 봐요.\n네 네."
    original = json.loads(changed.original)
    assert [*original["prompt"], *original["completion"]] == soiled["messages"]
    assert changed.detail == "strip_html, squash_spaces"


def test_an_instruction_with_two_spaces_changes_no_row(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe
) -> None:
    prepared = prepare(make_chat([{"path": written(tmp_path, talks)}], task={"instruction": "상담사  입니다."}))
    assert prepared.changed == []
    assert everything(prepared)[0].prompt[0]["content"] == "상담사  입니다."


def test_personal_data_is_masked_in_every_turn(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe
) -> None:
    row = talk("제 번호는 010-2345-6789예요.", "010-2345-6789로 연락드릴게요.")
    prepared = prepare(make_chat([{"path": written(tmp_path, [*talks, row])}], data={"clean": ["mask_pii"]}))
    (changed,) = prepared.changed
    (example,) = [example for example in everything(prepared) if example.id == changed.id]
    assert "2345" not in example.text + example.completion[0]["content"]
    assert "010-2345-6789" in changed.original


def test_bad_rows_and_unsampled_ones_add_up_too(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe
) -> None:
    rows = [*talks, talk("끝말은 내 것"), {"messages": "글"}]
    source = {"path": written(tmp_path, rows), "on_bad_rows": "drop", "sample": 40}
    prepared = prepare(make_chat([source]))
    assert prepared.removed_by_reason == {"not_sampled": 20, "no_answer": 1, "broken_json": 1}
    assert sum(prepared.used.values()) == 40
    assert prepared.rows_in == 62


# -- split -----------------------------------------------------------------------------------------------------
def split_of(prepared: Prepared) -> dict[str, str]:
    return {example.id: split for split in SPLITS for example in prepared.examples[split]}


def test_short_questions_that_differ_in_spaces_and_signs_stand_together(tmp_path: Path, make_chat: MakeRecipe) -> None:
    chance = random.Random(3)
    words = [
        "돈",
        "밥",
        "잠",
        "꿈",
        "일",
        "책",
        "옷",
        "집",
        "차",
        "술",
        "비",
        "눈",
        "산",
        "강",
        "별",
        "달",
        "해",
        "손",
        "발",
        "말",
    ]
    rows = []
    for first in words:
        for second in words[:6]:
            rows.append({"Q": f"{first} {second} 싫어", "A": "".join(chance.choices("가나다라마바사", k=12))})
            rows.append({"Q": f"{first}{second}싫어!", "A": "".join(chance.choices("아자차카타파하", k=12))})
    recipe = make_chat([{"path": written(tmp_path, rows)}], data={"clean": ["drop_exact_duplicates"]})
    prepared = prepare(recipe)
    place = split_of(prepared)
    assert all(place[f"talks:{at}"] == place[f"talks:{at + 1}"] for at in range(1, len(rows), 2))
    assert min(prepared.used.values()) > 0
    assert run_checks(context_of(recipe, prepared.examples), only=["split_leakage"]) == []


def test_rows_cut_from_one_conversation_stand_together(
    tmp_path: Path, make_chat: MakeRecipe, distinct: Callable[[int], list[str]]
) -> None:
    said = distinct(320)
    rows = []
    for at in range(40):
        lines = [f"{said[8 * at + n]} {said[8 * at + n + 1]} 이야기예요." for n in range(6)]
        rows += [talk(*lines[:2]), talk(*lines[:4]), talk(*lines)]
    prepared = prepare(make_chat([{"path": written(tmp_path, rows)}], data={"clean": ["nfc"]}))
    place = split_of(prepared)
    assert all(len({place[f"talks:{3 * at + n}"] for n in (1, 2, 3)}) == 1 for at in range(40))
    assert set(place.values()) == set(SPLITS)


def test_a_common_greeting_does_not_bind_conversations_together(
    tmp_path: Path, make_chat: MakeRecipe, distinct: Callable[[int], list[str]]
) -> None:
    said = distinct(120)
    rows = [
        talk("안녕하세요", "반가워요.", f"{a} {b}", c)
        for a, b, c in zip(said[:40], said[40:80], said[80:], strict=True)
    ]
    prepared = prepare(make_chat([{"path": written(tmp_path, rows)}]))
    assert min(prepared.used.values()) >= 3


def test_too_few_conversations_for_the_splits_that_were_asked_for(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe
) -> None:
    path = written(tmp_path, talks[:2])
    with pytest.raises(DataError) as caught:
        prepare(make_chat([{"path": path}]))
    assert caught.value.key == "data.cannot_split"
    assert "validation" in str(caught.value)
    prepared = prepare(make_chat([{"path": path}], data={"split": {"validation": 0, "test": 0}}))
    assert prepared.used == {"train": 2, "validation": 0, "test": 0}


# -- build, check, restore --------------------------------------------------------------------------------------
@pytest.fixture
def run_of(tmp_path: Path) -> Callable[[Recipe], Run]:
    return lambda recipe: Run.create(recipe, tmp_path / "run")


def test_build_writes_what_restore_brings_back(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe, all_fit: Any, run_of: Callable[[Recipe], Run]
) -> None:
    bad = talk("끝말은 내 것")
    soiled = talk("아주  <b>먼</b> 앞날이 걱정돼요.", "오늘 하루부터 봐요.")
    rows = [*talks, talks[0] | {"topic": "진로"}, soiled, bad]
    recipe = make_chat([{"path": written(tmp_path, rows), "on_bad_rows": "drop"}])
    run = run_of(recipe)
    built = build_data(recipe, run, fits=all_fit)
    assert built.rows_in == sum(built.used.values()) + sum(built.removed.values()) == 63
    assert built.removed == {"exact_duplicate": 1, "no_answer": 1}
    table = pq.read_table(run.split_path("removed")).to_pylist()
    assert {row["kind"] for row in table} == {"removed", "unread", "changed"}
    back = tmp_path / "back.jsonl"
    assert restore(run.folder, None, back) == 2
    again = prepare(make_chat([{"path": str(back)}], data={"split": {"validation": 0, "test": 0}, "clean": ["nfc"]}))
    turns = [[*example.prompt[1:], *example.completion] for example in everything(again)]
    assert sorted(map(str, turns)) == sorted(map(str, [talks[0]["messages"], soiled["messages"]]))
    assert {example.extra.get("topic") for example in everything(again)} == {"진로", None}
    assert restore(run.folder, ["no_answer"], back) == 1
    assert json.loads(back.read_text(encoding="utf-8")) == bad


def test_checks_that_need_labels_are_silent_and_the_others_work(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe, all_fit: Any, run_of: Callable[[Recipe], Run]
) -> None:
    mixed = [
        talk(
            f"{number}번째 고민이에요 {row['messages'][0]['content']}",
            f"{row['messages'][1]['content']} 그렇다. 그래요. 했다.",
        )
        for number, row in enumerate(talks)
    ]
    recipe = make_chat([{"path": written(tmp_path, [*talks, *mixed])}])
    run = run_of(recipe)
    build_data(recipe, run, fits=all_fit)
    all_fit.label_spans = []
    result = check_data(recipe, run, tokens=all_fit)
    found = {finding.name for finding in read_findings(run.findings_path)}
    assert found & LABEL_CHECKS == set()
    assert "mixed_speech" in found
    assert result.num_checks > 30


def test_a_leak_between_splits_stops_the_run(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe, all_fit: Any, run_of: Callable[[Recipe], Run]
) -> None:
    recipe = make_chat([{"path": written(tmp_path, talks)}])
    run = run_of(recipe)
    build_data(recipe, run, fits=all_fit)
    pq.write_table(pq.read_table(run.split_path("train")).slice(0, 6), run.split_path("test"))
    all_fit.label_spans = []
    with pytest.raises(CheckBlocked) as caught:
        check_data(recipe, run, tokens=all_fit)
    assert "split_leakage" in str(caught.value)


def test_an_empty_answer_stops_the_run_where_nothing_removes_it(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe, all_fit: Any, run_of: Callable[[Recipe], Run]
) -> None:
    rows = [*talks, talk("대답 없는 고민이에요.", "")]
    recipe = make_chat([{"path": written(tmp_path, rows)}], data={"clean": ["nfc"]})
    run = run_of(recipe)
    build_data(recipe, run, fits=all_fit)
    all_fit.label_spans = []
    with pytest.raises(CheckBlocked) as caught:
        check_data(recipe, run, tokens=all_fit)
    assert "empty_field" in str(caught.value)
    assert sum(len(read_examples(run.split_path(split))) for split in SPLITS) == 61


def test_broken_json_in_answers_is_still_seen(
    tmp_path: Path, talks: list[dict[str, Any]], make_chat: MakeRecipe
) -> None:
    recipe = make_chat([{"path": written(tmp_path, [*talks, talk("목록을 주세요.", '{"items": ["하나", "둘"')])}])
    prepared = prepare(recipe)
    assert "broken_json" in {finding.name for finding in find_problems(recipe, prepared.examples)}


# -- the public chat file ------------------------------------------------------------------------------------------
def test_the_public_chat_file_is_read_and_split_without_leaks(shared_data: Path, make_chat: MakeRecipe) -> None:
    recipe = make_chat([{"path": str(shared_data / "chat/ChatbotData.csv")}])
    prepared = prepare(recipe)
    assert prepared.rows_in == 11_823
    assert sum(prepared.used.values()) + len(prepared.removed) == prepared.rows_in
    assert prepared.used["test"] > 1000
    assert {example.extra["label"] for example in prepared.examples["test"]} == {"0", "1", "2"}
    assert prepared.guesses["ChatbotData"].columns == {"question": "Q", "answer": "A"}
    stoppers = run_checks(context_of(recipe, prepared.examples), only=recipe.checks.block_on)
    assert [finding.name for finding in stoppers] == []


def test_the_public_chat_file_without_its_answers_is_refused(
    shared_data: Path, tmp_path: Path, make_chat: MakeRecipe
) -> None:
    lines = (shared_data / "chat/ChatbotData.csv").read_text(encoding="utf-8").splitlines()[:50]
    path = tmp_path / "questions.csv"
    path.write_text("\n".join(["Q,label", *(f'"{line.split(",")[0]}",0' for line in lines[1:])]), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        prepare(make_chat([{"path": str(path)}]))
    assert caught.value.key == "data.chat.no_turns"
