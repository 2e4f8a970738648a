from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dadeum.core.errors import DataError
from dadeum.core.examples import SPLITS, Example
from dadeum.data.convert import convert_files, line_of
from dadeum.data.corpus import Corpus, Given, read_corpus
from dadeum.data.repairs.step_list import parse_steps


def write(path: Path, rows: list[dict[str, Any]]) -> Given:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return Given(path)


def content(example: Example) -> tuple[Any, ...]:
    """All of an example but its place: id, source and group say in which file it stands."""
    facts = {name: value for name, value in example.extra.items() if name != "id"}
    return example.text, example.prompt, example.completion, example.rejected, example.label, facts


def contents(corpus: Corpus) -> dict[str, list[tuple[Any, ...]]]:
    return {split: [content(example) for example in examples] for split, examples in corpus.splits.items()}


def read_back(folder: Path) -> Corpus:
    return read_corpus([Given(folder / f"{split}.jsonl") for split in SPLITS if (folder / f"{split}.jsonl").exists()])


ROWS: dict[str, list[dict[str, Any]]] = {
    "chat": [
        {"messages": [{"role": "user", "content": "가"}, {"role": "assistant", "content": "나"}], "topic": "인사"}
    ],
    "open": [{"messages": [{"role": "user", "content": "가"}]}, {"messages": [{"role": "assistant", "content": "나"}]}],
    "alpaca": [{"instruction": "가", "input": "나", "output": "다", "split": "test"}],
    "answer": [{"Q": "가", "A": "나", "label": 0}],
    "summarize": [{"fname": "d0", "dialogue": "가", "summary": "나"}],
    "prefer": [{"system": "규칙", "prompt": "가", "chosen": "나", "rejected": "다"}],
    "decide": [{"제목": "가", "분류": "스팸", "보낸사람": "a@b.kr", "수신일자": "2024-01-01"}],
    "text": [{"text": "가 나 다"}],
    "kept": [
        {"messages": [{"role": "user", "content": "가"}], "output": "나", "system prompt 2": "다", "instruction": "라"}
    ],
}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_written_reads_back(tmp_path: Path, name: str) -> None:
    given_file = write(tmp_path / "rows.jsonl", ROWS[name])
    corpus = read_corpus([given_file])
    converted = convert_files([given_file], tmp_path / "out")
    again = read_back(tmp_path / "out")
    assert again.task == corpus.task == converted.task
    if name == "alpaca":  # one file is for training, whatever its name says
        again.splits["test"], again.splits["train"] = again.splits["train"], []
    assert contents(again) == contents(corpus)


def test_retrieval_reads_back(tmp_path: Path) -> None:
    for name, value in {"queries": {"q1": "누가?"}, "relevant_docs": {"q1": ["d1", "d2"]}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    files = [Given(tmp_path / "queries.json"), Given(tmp_path / "relevant_docs.json")]
    convert_files(files, tmp_path / "out")
    again = read_back(tmp_path / "out")
    assert again.task == "retrieve"
    assert contents(again) == contents(read_corpus(files))


def test_converting_twice_changes_nothing(tmp_path: Path) -> None:
    first = convert_files([write(tmp_path / "rows.jsonl", ROWS["decide"])], tmp_path / "a")
    second = convert_files([Given(tmp_path / "a" / "train.jsonl")], tmp_path / "b")
    assert first.used == second.used
    assert (tmp_path / "a" / "train.jsonl").read_bytes() == (tmp_path / "b" / "train.jsonl").read_bytes()


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
TURNS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(("system", "user", "assistant")), "content": WORDS}),
    min_size=1,
    max_size=4,
)
FACTS = st.dictionaries(
    st.sampled_from(
        ("topic", "문서", "화자", "output", "system", "split", "task", "label", "chosen", "date", "메모", "id")
    ),
    st.one_of(WORDS, st.integers(), st.none(), st.lists(WORDS, max_size=2)),
    max_size=4,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(st.tuples(TURNS, FACTS), min_size=1, max_size=4))
def test_any_conversation_reads_back(rows: list[tuple[list[dict[str, str]], dict[str, Any]]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = write(folder / "rows.jsonl", [facts | {"messages": turns} for turns, facts in rows])
        try:
            corpus = read_corpus([file])
        except DataError:
            return  # every row may be unread: a system column of another type
        converted = convert_files([file], folder / "out")
        again = read_back(folder / "out")
        written = [example for split in SPLITS for example in again.splits[split]]
        before = [example for split in SPLITS for example in corpus.splits[split]]
        assert [content(example) for example in written] == [content(example) for example in before]
        assert converted.rows_in == sum(converted.used.values()) + sum(converted.removed.values()) == len(rows)


def test_a_file_per_split_and_every_row_that_is_not_used(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "가", "completion": "나"}, {"prompt": "다", "completion": "라", "split": "test"}, {"prompt": "마"},
    ]  # fmt: skip
    rows = [{"split": "train"} | row for row in rows]
    (tmp_path / "out").mkdir()
    for left_over in ("validation.jsonl", "removed.parquet"):
        (tmp_path / "out" / left_over).write_text("{}\n")
    converted = convert_files([write(tmp_path / "rows.jsonl", rows)], tmp_path / "out")
    assert (converted.used, converted.removed) == ({"train": 1, "test": 1}, {"missing_field": 1})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "removed.parquet",
        "test.jsonl",
        "train.jsonl",
    ]
    removed = pq.read_table(tmp_path / "out" / "removed.parquet").to_pylist()
    assert [(row["id"], row["reason"]) for row in removed] == [("rows:3", "missing_field")]
    line = json.loads((tmp_path / "out" / "train.jsonl").read_text(encoding="utf-8"))
    assert line == {
        "id": "rows:1", "prompt": [{"role": "user", "content": "가"}],
        "completion": [{"role": "assistant", "content": "나"}], "task": "chat",
    }  # fmt: skip
    (shown,) = converted.shown
    assert json.loads(shown.before) == rows[0]
    assert shown.after is not None and json.loads(shown.after) == line


def test_rows_can_be_cleaned_on_the_way(tmp_path: Path) -> None:
    rows = [{"prompt": "<b>가</b>", "completion": "나"}, {"prompt": "가", "completion": "나"}]
    steps = parse_steps("strip_html,drop_exact_duplicates")
    converted = convert_files([write(tmp_path / "rows.jsonl", rows)], tmp_path / "out", clean=steps)
    assert (converted.used, converted.removed, converted.changed) == ({"train": 1}, {"exact_duplicate": 1}, 1)
    assert [step.step for step in converted.steps] == ["strip_html", "drop_exact_duplicates"]
    assert converted.rows_in == 2


def test_nothing_left_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    given_file = write(tmp_path / "rows.jsonl", [{"messages": [{"role": "user", "content": ""}]}])
    with pytest.raises(DataError) as raised:
        convert_files([given_file], tmp_path / "out", clean=parse_steps("drop_empty"))
    assert raised.value.key == "data.nothing_left"
    assert not (tmp_path / "out").exists()


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    given_file = write(tmp_path / "train.jsonl", ROWS["text"])
    before = given_file.path.read_bytes()
    with pytest.raises(DataError) as raised:
        convert_files([given_file], tmp_path)
    assert raised.value.key == "data.would_overwrite"
    assert given_file.path.read_bytes() == before


def test_files_of_another_maker_are_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    given_file = write(tmp_path / "rows.jsonl", ROWS["chat"])
    (tmp_path / "validation.jsonl").write_text("mine")
    with pytest.raises(DataError, match=r"validation\.jsonl") as raised:
        convert_files([given_file], tmp_path)
    assert raised.value.key == "data.not_ours"
    assert (tmp_path / "validation.jsonl").read_text() == "mine"
    assert not (tmp_path / "train.jsonl").exists()


def test_facts_never_hide_what_is_taught() -> None:
    turns: Any = [{"role": "user", "content": "가"}]
    example = Example(
        "a:1", "a", "a", "a:1", "가", turns, [], "", extra={"output": "나", "prompt": "다", "topic": "라"}
    )
    line = line_of(example, "chat")
    assert line["prompt"] == turns
    assert (line["extra.output"], line["extra.prompt"], line["topic"]) == ("나", "다", "라")
    labelled = line_of(replace(example, label="x", extra={"label": "y"}), "decide")
    assert (labelled["label"], labelled["extra.label"]) == ("x", "y")


def test_real_spam_reads_back(shared_data: Path, tmp_path: Path) -> None:
    files = [
        Given(shared_data / "spam/notice_allow_titles.jsonl", "ALLOW"),
        Given(shared_data / "spam/postal_block_list.csv", "BLOCK"),
    ]
    convert_files(files, tmp_path)
    assert contents(read_back(tmp_path)) == contents(read_corpus(files))
