"""The rows of a run that are answered: the splits, and the seeded sample of test rows that every system gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dadeum.core.errors import DataError
from dadeum.core.examples import SPLITS, Example, answer_of, asked_hash, read_examples
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run


@dataclass(frozen=True)
class Rows:
    num_rows: dict[str, int]
    """Rows per split."""
    train: list[Example]
    answered: list[Example]
    """Test rows that are answered, in file order."""
    asked_hash: str = ""
    """Of the whole test split (core/examples.py): the same for runs that can be compared."""


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
    return Rows(sizes, splits["train"], answered, asked_hash(test))


def sampled(recipe: Recipe, num_test: int) -> list[int]:
    """Places of the test rows that are answered: `generate_rows` of them drawn with the seed, or all.

    With `generate_rows: 0` nothing is written, and the loss is taken on all rows.
    """
    wanted = recipe.evaluate.generate_rows
    if wanted == 0 or wanted >= num_test:
        return list(range(num_test))
    random = np.random.default_rng(recipe.data_seed)
    return sorted(random.choice(num_test, wanted, replace=False).tolist())
