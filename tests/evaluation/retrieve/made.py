"""A run of task `retrieve` whose outcome is known beforehand: questions in the document's words, and in other words.

BM25 finds the first kind and none of the second. An `Encoder` knows the words that it is told to know, and nothing
else: what it does not know gets a vector of chance.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from dadeum.core.examples import Example, to_table
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.documents.chunks import Chunk
from dadeum.documents.stored import write_chunks
from dadeum.tasks import retrieve

NUM = 32
SPLITS = {"train": range(0, 10), "validation": range(10, 20), "test": range(20, NUM)}
WORDS = [f"{'bdfgklmn'[number // 4]}{'aeio'[number % 4]}rta" for number in range(NUM)]
OTHERS = [word.replace("rta", "vuso") for word in WORDS]
_TOPIC = {word: number for words in (WORDS, OTHERS) for number, word in enumerate(words)}
RAW: dict[str, Any] = {
    "name": "tiny",
    "task": {"type": "retrieve"},
    "model": {"base": "some/base", "adapter": {"type": "none"}},
    "data": {"sources": [{"path": "unused.jsonl"}], "corpus": {"sources": ["unused.json"], "size_tokens": None}},
    "stages": [{"name": "only", "method": "contrastive", "matryoshka": [4, 16]}],
    "evaluate": {"bootstrap_samples": 200},
}


class Known:
    """An encoder that knows some words."""

    def __init__(self, name: str, words: Iterable[str], revision: str = "1") -> None:
        self.name, self.revision, self._words = name, revision, set(words)
        self.read: list[str] = []

    def encode_questions(self, texts: list[str]) -> np.ndarray:
        self.read += texts
        return np.stack([self._vector(text) for text in texts]) if texts else np.zeros((0, NUM), dtype=np.float32)

    def encode_chunks(self, texts: list[str], progress: Progress = silent) -> np.ndarray:
        return self.encode_questions(texts)

    def _vector(self, text: str) -> np.ndarray:
        seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
        vector = np.random.default_rng(seed).normal(size=NUM)
        for word in re.findall("[a-z]+", text):
            if word in self._words:
                vector[_TOPIC[word]] += 40
        return (vector / np.linalg.norm(vector)).astype(np.float32)


def chunk(number: int, part: int = 1) -> Chunk:
    text = f"{WORDS[number]} 이용 안내입니다. 문의는 창구에서 받습니다."
    if part > 1:
        text = f"{WORDS[number]} 요금 안내입니다. {part}번째 쪽에 이어집니다."
    return Chunk(f"d{number:02d}#p{part}-001-{number:08x}", f"d{number:02d}", text, part, part, 12)


def question(number: int, words: list[str], kind: str, gold: list[str]) -> Example:
    text = f"{words[number]} 언제 여나요?"
    extra = {retrieve.RELEVANT: retrieve.as_extra(gold), retrieve.DIFFICULTY: kind}
    document = f"d{number:02d}"
    return Example(f"q:{number}-{kind}", "q", document, document, text, retrieve.prompt(text), [], "", extra=extra)


def rows_of(numbers: Iterable[int], gold: Callable[[int], list[str]] = lambda number: [chunk(number).id]) -> list[Any]:
    """An easy and a hard question about every document."""
    return [
        question(number, words, kind, gold(number))
        for number in numbers
        for words, kind in ((WORDS, "easy"), (OTHERS, "hard"))
    ]


def made_run(
    folder: Path, chunks: list[Chunk] | None = None, splits: dict[str, list[Any]] | None = None, **sections: Any
) -> tuple[Recipe, Run]:
    """Recipe and a run with rows and chunks; `splits` replaces rows of some splits."""
    recipe = Recipe.model_validate(RAW | sections)
    run = Run.create(recipe, folder)
    write_chunks(run.split_path("chunks"), chunks or [chunk(number) for number in range(NUM)])
    for split, numbers in SPLITS.items():
        rows = (splits or {}).get(split)
        pq.write_table(to_table(rows_of(numbers) if rows is None else rows), run.split_path(split))
    run.adapter_folder(recipe).mkdir(parents=True)
    return recipe, run
