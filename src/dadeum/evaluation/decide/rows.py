"""The rows of a run as evaluation sees them: splits with gold label indices, and one Sample per test row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dadeum.core.errors import DataError
from dadeum.core.examples import SPLITS, Example, read_examples
from dadeum.core.measured import Notice
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.task import Decide
from dadeum.evaluation.decide.baselines import gold_of
from dadeum.evaluation.decide.scorers import Answers
from dadeum.evaluation.decide.scores import Generation, Sample
from dadeum.tasks import decide

_INVALID_SHOWN = 3
_INVALID_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Rows:
    """The splits, and the gold label indices of those that are scored."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]
    validation_gold: np.ndarray
    test_gold: np.ndarray


def task_of(recipe: Recipe) -> Decide:
    """The task of a recipe that teaches a decision."""
    assert isinstance(recipe.task, Decide)
    return recipe.task


def read_rows(task: Decide, run: Run) -> Rows:
    """All splits; RunError when one is missing, DataError for an empty test split or a label the task does not know."""
    splits = {}
    for split in SPLITS:
        path = run.require(run.split_path(split), "data build")
        splits[split] = read_examples(path)
        unknown = Counter(row.label for row in splits[split] if row.label not in task.labels)
        if unknown:
            label, num = unknown.most_common(1)[0]
            raise DataError("evaluate.unknown_label", path=path, label=label, num=num, labels=", ".join(task.labels))
    if not splits["test"]:
        raise DataError("evaluate.empty_test", path=run.split_path("test"))
    gold = {split: gold_of(task, splits[split]) for split in ("validation", "test")}
    return Rows(**splits, validation_gold=gold["validation"], test_gold=gold["test"])


def row_notices(task: Decide, rows: Rows) -> list[Notice]:
    """What the test rows cannot show, whatever the model does."""
    counts = Counter(row.label for row in rows.test)
    if len(counts) == 1:
        values: dict[str, str | int | float] = {"label": rows.test[0].label, "num": len(rows.test)}
        return [Notice(key="evaluate.notices.test_one_label", values=values)]
    absent = [label for label in task.labels if label not in counts]
    return [Notice(key="evaluate.notices.label_absent", values={"labels": ", ".join(absent)})] if absent else []


def accuracy_by_origin(rows: Rows, answers: Mapping[str, Answers]) -> dict[str, dict[str, float]]:
    """Accuracy of every system per origin, with `num_rows` beside it; the origin with most rows first."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows.test):
        members[row.origin].append(index)
    right = {name: found.predicted == rows.test_gold for name, found in answers.items()}
    return {
        origin: {"num_rows": len(indices)} | {name: float(hits[indices].mean()) for name, hits in right.items()}
        for origin, indices in sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    }


def judge_generation(task: Decide, rows: Rows, tuned: Answers, generated: Mapping[int, str]) -> Generation | None:
    """How usable the free answers are; `generated` maps test rows to answers, None when there are none."""
    if not generated:
        return None
    num_rows = len(generated)
    parsed = {index: decide.parse(task, answer) for index, answer in generated.items()}
    invalid = [generated[index] for index, found in parsed.items() if not found.schema_valid]
    return Generation(
        num_rows=num_rows,
        json_valid=sum(found.json_valid for found in parsed.values()) / num_rows,
        schema_valid=sum(found.schema_valid for found in parsed.values()) / num_rows,
        agreement=sum(found.label == task.labels[tuned.predicted[i]] for i, found in parsed.items()) / num_rows,
        accuracy=sum(found.label == rows.test[i].label for i, found in parsed.items()) / num_rows,
        invalid_examples=[answer[:_INVALID_SHOWN_CHARACTERS] for answer in invalid[:_INVALID_SHOWN]],
    )


def samples(task: Decide, rows: Rows, answers: Mapping[str, Answers], generated: Mapping[int, str]) -> list[Sample]:
    """Every test row with what each system said; `answers` holds `tuned`, with probabilities."""
    tuned = answers["tuned"]
    assert tuned.probabilities is not None
    found = []
    for index, row in enumerate(rows.test):
        probabilities = dict(zip(task.labels, tuned.probabilities[index].tolist(), strict=True))
        predicted, free = task.labels[tuned.predicted[index]], generated.get(index)
        found.append(
            Sample(
                id=row.id,
                source=row.source,
                origin=row.origin,
                text=row.text,
                label=row.label,
                predicted=predicted,
                probabilities=probabilities,
                confidence=probabilities[predicted],
                generated=free,
                json_valid=None if free is None else decide.parse(task, free).json_valid,
                baselines={name: task.labels[a.predicted[index]] for name, a in answers.items() if name != "tuned"},
            )
        )
    return found
