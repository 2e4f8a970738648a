from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dadeum.core.examples import read_examples, to_table
from dadeum.documents.chunks import Chunk
from dadeum.documents.stored import read_chunks, write_chunks
from dadeum.training.contrastive.lessons import read_lessons
from tests.corpora import RETRIEVE, built_run, recipe_on


def changed(tmp_path: Path, **relevant: list[str]) -> Any:
    """A run whose first document has two chunks, and whose first questions name what is given."""
    run = built_run(recipe_on(tmp_path / "files", "nobody/nothing", RETRIEVE), tmp_path / "run")
    first, *others = read_chunks(run.split_path("chunks"))
    head, tail = first.text.split(" 도서관 문은")
    cut = [
        Chunk(f"{first.id}-{name}", first.document, text, 1, 1, 9)
        for name, text in (("a", head), ("b", f"도서관 문은{tail}"))
    ]
    write_chunks(run.split_path("chunks"), [*cut, *others])
    rows = read_examples(run.split_path("train"))
    for row, names in zip(rows, [["doc-01"], ["doc-01"], ["doc-01"]], strict=False):
        row.extra["relevant"] = json.dumps(relevant.get(row.id.replace("questions:", "q"), names))
    pq.write_table(to_table(rows), run.split_path("train"))
    return run


def test_of_a_document_the_chunk_that_shares_words_is_taught(tmp_path: Path) -> None:
    lessons = read_lessons(changed(tmp_path))
    fee, opening, telephone = lessons.splits["train"][:3]
    assert lessons.chunks[fee.taught[0]].id.endswith("-a")
    assert lessons.chunks[telephone.taught[0]].id.endswith("-b")
    assert opening.right == {0, 1}
    assert lessons.counts == {"questions_without_gold": 0, "gold_by_words": 3}


def test_several_gold_chunks_and_none(tmp_path: Path) -> None:
    ids = [chunk.id for chunk in read_chunks(changed(tmp_path / "a").split_path("chunks"))]
    lessons = read_lessons(changed(tmp_path / "b", q1=[ids[0], ids[2]], q2=[]))
    first = lessons.splits["train"][0]
    assert first.taught == (0, 2)
    assert {0, 2} <= first.right
    assert [one.id for one in lessons.splits["train"][:2]] == ["questions:1", "questions:3"]
    assert lessons.counts["questions_without_gold"] == 1


def test_what_answers_a_question_answers_it_whoever_asks(tmp_path: Path) -> None:
    run = changed(tmp_path)
    rows = read_examples(run.split_path("train"))
    asked_again = dataclasses.replace(rows[3], text=f"{rows[0].text} ")
    pq.write_table(to_table([*rows[:3], asked_again]), run.split_path("train"))
    lessons = read_lessons(run)
    assert lessons.splits["train"][0].right == lessons.splits["train"][3].right == {0, 1, 2}
