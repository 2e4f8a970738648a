"""The rows of a run that are answered: the splits, and the seeded sample of test rows that every system gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dadeum.core.errors import DataError
from dadeum.core.examples import SPLITS, Example, answer_of, asked_hash, read_examples
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.task import Answer
from dadeum.documents.chunks import Chunk
from dadeum.documents.stored import read_chunks
from dadeum.evaluation.asked import Asked
from dadeum.tasks import answer


@dataclass(frozen=True)
class Rows:
    num_rows: dict[str, int]
    """Rows per split."""
    train: list[Example]
    answered: list[Example]
    """Test rows that are answered, in file order."""
    asked_hash: str = ""
    """Of the whole test split (core/examples.py): the same for runs that can be compared."""
    chunks: Mapping[str, Chunk] = field(default_factory=dict)
    """What prompts of grounded answers show, by id."""

    def asked(self, recipe: Recipe, answers: list[str], rows: list[Example] | None = None) -> Asked:
        """Answers to `rows` (all that are answered) as metrics get to see them."""
        return Asked(recipe, self.answered if rows is None else rows, answers, self.train, self.chunks)


def read_rows(recipe: Recipe, run: Run) -> Rows:
    """RunError when a split is missing, DataError when there is nothing to answer or nothing was taught."""
    splits = {split: read_examples(run.require(run.split_path(split), "data build")) for split in SPLITS}
    test = splits["test"]
    if not test:
        raise DataError("evaluate.empty_test", path=run.split_path("test"))
    silent = [example.id for example in test if not answer_of(example).strip()]
    if silent:
        path = run.split_path("test")
        raise DataError("evaluate.answers.no_reference", path=path, num=len(silent), total=len(test), id=silent[0])
    sizes = {split: len(examples) for split, examples in splits.items()}
    answered = [test[place] for place in sampled(recipe, len(test))]
    if not isinstance(recipe.task, Answer):
        return Rows(sizes, splits["train"], answered, asked_hash(test))
    chunks = shown_chunks(run, answered)
    return Rows(sizes, splits["train"], answered, asked_hash(_as_people_answered(test)), chunks)


def shown_chunks(run: Run, rows: Sequence[Example]) -> dict[str, Chunk]:
    """The chunks that these rows show; DataError for one that the run does not have."""
    path = run.require(run.split_path("chunks"), "data build")
    wanted = {id for row in rows for id in answer.shown(row)}
    found = {chunk.id: chunk for chunk in read_chunks(path) if chunk.id in wanted}
    if missing := sorted(wanted - found.keys()):
        raise DataError("evaluate.grounded.missing_chunk", path=path, num=len(missing), id=missing[0])
    return found


def _as_people_answered(rows: Sequence[Example]) -> list[Example]:
    """What is expected hangs on what was found: runs that find otherwise are asked the same, and are compared."""
    return [replace(row, completion=[{"role": "assistant", "content": answer.gold_answer(row)}]) for row in rows]


def sampled(recipe: Recipe, num_test: int) -> list[int]:
    """Places of the test rows that are answered: `generate_rows` of them drawn with the seed, or all.

    With `generate_rows: 0` nothing is written, and the loss is taken on all rows.
    """
    wanted = recipe.evaluate.generate_rows
    if wanted == 0 or wanted >= num_test:
        return list(range(num_test))
    random = np.random.default_rng(recipe.data_seed)
    return sorted(random.choice(num_test, wanted, replace=False).tolist())
