"""Chunks as a file: the same as a recipe cuts, in letters or in a model's tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dadeum.core.errors import DataError, ModelError
from dadeum.core.run import read_jsonl
from dadeum.data.builders.chunk_files import FIELDS, count_of, cut, write_chunk_rows
from tests.corpora import documents, recipe_on, save_embedder, write_files


def test_every_chunk_is_a_row_that_can_be_read_again(tmp_path: Path) -> None:
    corpus, _ = write_files(tmp_path)
    passages = cut([corpus], "letters", 40, 10)
    out = tmp_path / "deep" / "chunks.jsonl"
    write_chunk_rows(out, passages.chunks)
    rows = read_jsonl(out)
    assert [tuple(row) for row in rows] == [FIELDS] * len(passages.chunks)
    assert len(rows) > len(documents())
    assert all(row["num_tokens"] == len(row["text"]) <= 40 for row in rows)
    again = cut([out], "letters")
    assert [(chunk.id, chunk.text) for chunk in again.chunks] == [(row["id"], row["text"]) for row in rows]


def test_ids_are_those_of_a_recipe_with_the_same_settings(tmp_path: Path) -> None:
    from dadeum.data.lengths.tokens import counter_of
    from dadeum.data.passages.corpus import read_passages

    model = save_embedder(tmp_path / "embedder")
    recipe = recipe_on(tmp_path, model, {"type": "retrieve"})
    corpus = recipe.data.corpus.model_copy(update={"size_tokens": 24, "overlap_tokens": 0})
    ours = cut([tmp_path / "corpus.json"], str(model), 24, 0)
    assert [chunk.id for chunk in ours.chunks] == [
        chunk.id for chunk in read_passages(corpus, counter_of(recipe).count).chunks
    ]


def test_a_model_that_writes_counts_its_own_tokens(tmp_path: Path) -> None:
    from tests.tiny import save_llama

    llama = save_llama(tmp_path / "llama")
    tokenizer = json.loads((llama / "tokenizer.json").read_text(encoding="utf-8"))
    assert tokenizer
    assert count_of(str(llama))("도서관 입장료는 3천 원입니다.") > 5
    assert count_of("letters")("도서관") == 3


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        cut([tmp_path / "none.pdf"], "letters")
    assert caught.value.key == "documents.missing_file"
    with pytest.raises(ModelError):
        count_of(str(tmp_path / "no-model"))
