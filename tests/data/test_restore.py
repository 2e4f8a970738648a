from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import DataError, RunError
from dadeum.core.examples import SPLITS, Example, read_examples
from dadeum.core.recipe import Recipe, Source
from dadeum.core.run import Run, read_jsonl
from dadeum.data.build import BuildResult, build_data
from dadeum.data.convert import convert_files
from dadeum.data.corpus import Given, read_corpus
from dadeum.data.prepare import prepare
from dadeum.data.reading.mapping import read_rows
from dadeum.data.repairs.step_list import parse_steps
from dadeum.data.restore import restore
from dadeum.data.rows import Row
from dadeum.models.render import Fitted

MakeRecipe = Callable[..., Recipe]
STEPS = [
    "repair_encoding", "nfc", "strip_html", "squash_spaces", "mask_pii", "drop_empty", "drop_exact_duplicates",
    "drop_near_duplicates", {"resample": {"mail": 80}}, {"balance": 1.2},
]  # fmt: skip


def mail(num: int) -> list[dict[str, Any]]:
    """Rows of which about half are dirty in some way: HTML, spaces, a phone number, nothing, a copy."""
    chance = random.Random(5)
    rows: list[dict[str, Any]] = []
    for number in range(num):
        subject = "".join(chance.choices("가나다라마바사아자차카타파하고노도로모보소오조초", k=14))
        kind = number % 8
        subject = {1: f"<b>{subject}</b>", 2: f"{subject}  끝 ", 3: f"{subject} 010-1234-{number:04}", 4: ""}.get(
            kind, subject
        )
        files = [f"<i>{number}</i>.pdf", "b.hwp"] if number % 5 == 0 else []
        reason = f"{'  ' * (number % 6 == 1)}이유 {number % 3}"
        rows.append({"제목": subject, "첨부": files, "왜": reason, "분류": ("BLOCK", "ALLOW")[number % 3 == 0]})
        if kind == 5:
            rows.append(dict(rows[-1]))
    return rows


def make(make_recipe: MakeRecipe, path: Path, **data: Any) -> Recipe:
    mapping = {"subject": "제목", "attachments": "첨부", "why": "왜", "label": "분류"}
    source = {"path": str(path), "map": mapping, "name": "mail", "on_bad_rows": "drop"}
    task = {"input_fields": ["subject", "attachments"], "reason_field": "why"}
    return make_recipe([source], task=task, data={"clean": STEPS} | data)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "mail.jsonl"
    bad = ['{"제목": "라벨 없음", "왜": "?"}', '{"제목": "깨진', '{"제목": "모르는 라벨", "분류": "몰라"}']
    lines = [json.dumps(row, ensure_ascii=False) for row in mail(120)] + bad
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


class CutsOne:
    """A tokenizer for which one row is too long and one has to be cut."""

    def __call__(self, examples: list[Any]) -> list[Fitted]:
        return [
            Fitted(None, 30, 3) if item.id == "mail:1" else Fitted(item, 9, 3, was_cut=item.id.endswith(("2", "7")))
            for item in examples
        ]


def build(recipe: Recipe, folder: Path) -> tuple[Run, BuildResult]:
    run = Run.create(recipe, folder)
    return run, build_data(recipe, run, fits=CutsOne())


def content(row: Row) -> str:
    return json.dumps([row.fields, row.reason, row.label], ensure_ascii=False)


def read(path: Path, recipe: Recipe, **changes: Any) -> list[Row]:
    return read_rows(Source.model_validate({"path": str(path), "on_bad_rows": "drop", **changes}), recipe.task, 1).rows


def test_used_and_restored_rows_together_are_the_rows_as_read(
    source: Path, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = make(make_recipe, source)
    run, built = build(recipe, tmp_path / "run")
    every = {row.id: row for row in read(source, recipe, map=recipe.data.sources[0].map, name="mail")}
    table = pq.read_table(run.split_path("removed")).to_pylist()
    changed = {row["id"] for row in table if row["kind"] == "changed"}
    used = {example.id for split in SPLITS for example in read_examples(run.split_path(split))}
    assert changed < used
    assert len(changed) == built.changed > 30
    assert len(used) == sum(built.used.values()) == built.rows_in - sum(built.removed.values())

    out = tmp_path / "back.jsonl"
    num = restore(run.folder, None, out)
    same = {name: name for name in ("subject", "attachments", "why", "label")}
    restored = read(out, recipe, map=same)
    # The row with a label of its own and the one without are rows of the file, though not of the task.
    assert num == len(restored) + 2
    untouched = [every[name] for name in used - changed]
    assert Counter(map(content, [*untouched, *restored])) == Counter(map(content, every.values()))
    # What is untouched is used exactly as it was read.
    examples = {example.id: example for split in SPLITS for example in read_examples(run.split_path(split))}
    assert all(examples[row.id].text.split("\n")[0] == row.fields["subject"] for row in untouched)


def test_counts_add_up_without_the_changed_rows(source: Path, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run, built = build(make(make_recipe, source), tmp_path / "run")
    data = run.manifest()["data"]
    table = pq.read_table(run.split_path("removed")).to_pylist()
    removed = [row for row in table if row["kind"] == "removed"]
    assert data["rows_in"] == sum(data["used"].values()) + len(removed)
    assert Counter(row["reason"] for row in removed) == data["removed"] == built.removed
    assert data["changed"] == built.changed == len(table) - len(removed)
    assert "changed" not in data["removed"]
    assert [row["step"] for row in data["clean"]] == [
        step if isinstance(step, str) else next(iter(step)) for step in STEPS
    ]
    by_step = {row["step"]: row for row in data["clean"]}
    assert by_step["strip_html"]["changed"] > 0
    assert by_step["mask_pii"]["changed"] > 0
    assert by_step["nfc"] == {"step": "nfc", "changed": 0, "removed": 0}
    assert by_step["balance"]["removed"] == data["removed"]["balanced"] > 0
    assert by_step["resample"]["removed"] == data["removed"]["not_sampled"] > 0


def test_one_line_per_row_lists_all_that_changed_it(source: Path, make_recipe: MakeRecipe) -> None:
    recipe = make(make_recipe, source)
    prepared = prepare(recipe, CutsOne())
    ids = [row.id for row in [*prepared.removed, *prepared.changed]]
    assert len(ids) == len(set(ids))
    assert all(row.kind == "changed" and row.reason == "changed" for row in prepared.changed)
    details = Counter(row.detail for row in prepared.changed)
    assert details["strip_html, squash_spaces"] > 0
    assert details["cut_input"] > 0
    assert any(detail.endswith(", cut_input") for detail in details)
    assert all(json.loads(row.original) for row in [*prepared.removed, *prepared.changed])


def test_the_original_is_what_was_read_however_often_the_row_changed(
    mail_file: Callable[..., Path], make_recipe: MakeRecipe, distinct: Callable[[int], list[str]]
) -> None:
    rows = [(subject, ("BLOCK", "ALLOW")[number % 2]) for number, subject in enumerate(distinct(30))]
    path = mail_file([("<b>광고  010-1234-5678</b>", "BLOCK"), *rows, ("<i>가</i>", "모름")])
    recipe = make_recipe([{"path": str(path), "on_bad_rows": "drop"}], data={"clean": STEPS[:5]})
    prepared = prepare(recipe)
    (changed,) = prepared.changed
    assert json.loads(changed.original) == {"subject": "<b>광고  010-1234-5678</b>", "label": "BLOCK"}
    assert changed.detail == "strip_html, squash_spaces, mask_pii"
    assert "<" not in changed.text.replace("<전화번호>", "")
    (removed,) = prepared.removed
    assert json.loads(removed.original) == {"subject": "<i>가</i>", "label": "모름"}


def test_reasons_choose_what_comes_back(source: Path, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run, built = build(make(make_recipe, source), tmp_path / "run")
    out = tmp_path / "back.jsonl"
    assert restore(run.folder, ["balanced"], out) == built.removed["balanced"] == len(read_jsonl(out))
    assert set(read_jsonl(out)[0]) == {"subject", "attachments", "why", "label"}
    assert restore(run.folder, ["changed"], out) == built.changed
    assert restore(run.folder, ["balanced", "empty"], out) == built.removed["balanced"] + built.removed["empty"]
    assert restore(run.folder, [], out) == 0
    assert out.read_text() == ""
    everything = restore(run.folder, None, out)
    assert everything == sum(built.removed.values()) + built.changed - built.removed["broken_json"]


def test_unreadable_rows_come_back_only_when_they_are_asked_for(
    source: Path, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    run, _ = build(make(make_recipe, source), tmp_path / "run")
    out = tmp_path / "back.jsonl"
    assert restore(run.folder, ["broken_json"], out) == 1
    assert read_jsonl(out) == [{"unreadable": '{"제목": "깨진'}]


def test_an_unknown_reason_names_the_nearest(source: Path, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    run, _ = build(make(make_recipe, source), tmp_path / "run")
    out = tmp_path / "back.jsonl"
    with pytest.raises(DataError) as caught:
        restore(run.folder, ["balnced"], out)
    assert "'balanced'" in caught.value.in_language("ko")
    assert "broken_json" in caught.value.in_language("en")
    assert not out.exists()


def test_a_folder_without_a_table_or_without_originals_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        restore(tmp_path, None, tmp_path / "back.jsonl")
    assert "data build" in caught.value.in_language("en")
    pq.write_table(pa.table({"id": ["a"], "reason": ["empty"]}), tmp_path / "removed.parquet")
    with pytest.raises(RunError) as caught:
        restore(tmp_path, None, tmp_path / "back.jsonl")
    assert caught.value.key == "data.repairs.no_originals"


# -- files without a recipe -----------------------------------------------------------------------
def said(example: Example) -> str:
    facts = {name: value for name, value in example.extra.items() if name != "id"}
    turns = [example.prompt, example.completion, example.rejected]
    return json.dumps([*turns, example.label, facts], ensure_ascii=False, sort_keys=True)


def corpus_of(*paths: Path) -> Counter[tuple[str, str]]:
    splits = read_corpus([Given(path) for path in paths]).splits
    return Counter((split, said(example)) for split, examples in splits.items() for example in examples)


@pytest.mark.parametrize("kind", ["chat", "pairs", "labels"])
def test_a_converted_file_comes_back_split_by_split(kind: str, tmp_path: Path) -> None:
    chance = random.Random(2)
    rows: list[dict[str, Any]] = []
    for number in range(60):
        question = f"{number}번째 {'<b>굵은</b>  ' * (number % 3 == 0)}질문 {chance.random()}"
        answer = f"답 {number}. {'전화는 010-1234-5678입니다.' * (number % 7 == 0)}" * (number % 10 != 9)
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        row = {
            "chat": {"messages": turns, "output": f"열 {number}"},
            "pairs": {"prompt": question, "chosen": answer, "rejected": "몰라요"},
            "labels": {"text": question, "label": ("스팸", "정상")[number % 4 == 0]},
        }[kind]
        rows.append(row | {"split": ("train", "test")[number % 5 == 0], "topic": f"주제 {number % 2}"})
    source, out, back = tmp_path / "source.jsonl", tmp_path / "out", tmp_path / "back.jsonl"
    source.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in [*rows, *rows[:5]]), encoding="utf-8")
    steps = parse_steps(
        "strip_html,squash_spaces,mask_pii,drop_empty,drop_exact_duplicates,resample=source:40,balance=2"
    )
    done = convert_files([Given(source)], out, clean=steps)
    assert done.rows_in == 65 == sum(done.used.values()) + sum(done.removed.values())
    changed = {row["id"] for row in pq.read_table(out / "removed.parquet").to_pylist() if row["kind"] == "changed"}
    assert restore(out, None, back) == sum(done.removed.values()) + done.changed
    assert done.changed == len(changed) > 5

    used = [(path.stem, row) for path in out.glob("*.jsonl") for row in read_jsonl(path)]
    untouched = [row | {"split": split} for split, row in used if row["id"] not in changed]
    with back.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in untouched)
    assert corpus_of(back) == corpus_of(source)


def test_rows_that_no_format_could_read_come_back_only_when_they_are_asked_for(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "질문"}, {"from": "gpt", "value": "답"}]
    rows: list[dict[str, Any]] = [
        {"conversations": turns}, {"conversations": [{"from": "human", "value": " "}, turns[1]]},
        {"conversations": [*turns, {"from": "tool", "value": "{}"}]},
    ]  # fmt: skip
    source, out, back = tmp_path / "source.jsonl", tmp_path / "out", tmp_path / "back.jsonl"
    source.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    done = convert_files([Given(source)], out, clean=parse_steps("drop_empty"))
    assert done.removed == {"unknown_role": 1, "empty": 1}
    assert restore(out, None, back) == 1
    assert corpus_of(out / "train.jsonl", back) == corpus_of(source)
    assert restore(out, ["unknown_role"], back) == 1
    assert read_jsonl(back) == [rows[2]]


def test_what_the_build_wrote_is_not_overwritten(tmp_path: Path) -> None:
    source, out = tmp_path / "source.jsonl", tmp_path / "out"
    source.write_text('{"prompt": "가", "completion": "나"}\n', encoding="utf-8")
    convert_files([Given(source)], out)
    before = (out / "train.jsonl").read_bytes()
    with pytest.raises(DataError) as raised:
        restore(out, None, out / "train.jsonl")
    assert raised.value.key == "data.repairs.own_file"
    assert (out / "train.jsonl").read_bytes() == before
