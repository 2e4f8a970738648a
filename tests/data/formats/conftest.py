"""Small files of any shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.examples import Example
from dadeum.data.corpus import Corpus, Given, read_corpus

ReadRows = Callable[..., Corpus]


@pytest.fixture
def read_rows(tmp_path: Path) -> ReadRows:
    """`read_rows([{...}, ...])` → the corpus of a JSONL file with these rows."""

    def read(
        rows: Sequence[Any], task: str | None = None, name: str = "rows.jsonl", label: str | None = None
    ) -> Corpus:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return read_corpus([Given(path, label)], task)

    return read


def only(corpus: Corpus) -> Example:
    """The one example of a corpus."""
    (example,) = [example for examples in corpus.splits.values() for example in examples]
    return example
