"""Small recipes and files for the data layer."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.core.task import Decide
from dadeum.models.render import Fitted
from dadeum.tasks import decide

MakeRecipe = Callable[..., Recipe]


def recipe_of(sources: Sequence[Mapping[str, Any]], **sections: Any) -> Recipe:
    """A spam recipe; `data` and `task` entries are laid over the usual ones."""
    task = {"type": "decide", "instruction": "판정하세요.", "labels": ["BLOCK", "ALLOW"], "input_fields": ["subject"]}
    data = {"sources": list(sources)} | sections.pop("data", {})
    return Recipe.model_validate(
        {
            "name": "mail",
            "task": task | sections.pop("task", {}),
            "model": {"base": "none", "adapter": {"type": "none"}},
            "data": data,
            "stages": [{"name": "sft", "method": "sft"}],
            **sections,
        }
    )


@pytest.fixture
def make_recipe() -> MakeRecipe:
    return recipe_of


def chat_of(sources: Sequence[Mapping[str, Any]], **sections: Any) -> Recipe:
    """A recipe for conversations; `data` and `task` entries are laid over the usual ones."""
    return Recipe.model_validate(
        {
            "name": "talks",
            "task": {"type": "chat", "instruction": "상담사입니다."} | sections.pop("task", {}),
            "model": {"base": "none", "adapter": {"type": "none"}},
            "data": {"sources": list(sources)} | sections.pop("data", {}),
            "stages": [{"name": "sft", "method": "sft"}],
            **sections,
        }
    )


@pytest.fixture
def make_chat() -> MakeRecipe:
    return chat_of


@pytest.fixture
def make_example() -> Callable[..., Example]:
    return example


@pytest.fixture
def task() -> Decide:
    return recipe_of([{"path": "none.csv"}]).task


def write_csv(path: Path, rows: Iterable[Sequence[Any]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def mail_file(tmp_path: Path) -> Callable[..., Path]:
    """`mail_file([(subject, label), ...])` → a CSV with the columns subject and label."""

    def write(rows: Iterable[tuple[str, str]], name: str = "mail.csv") -> Path:
        return write_csv(tmp_path / name, [("subject", "label"), *rows])

    return write


SYLLABLES = "가나다라마바사아자차카타파하고노도로모보소오조초코토포호구누두루무부수우주추쿠투푸후기니디리미비시이지치"


@pytest.fixture
def distinct() -> Callable[[int], list[str]]:
    """`distinct(n)` → n subjects that share hardly a 3-gram."""

    def subjects(num: int, seed: int = 0) -> list[str]:
        chance = random.Random(seed)
        return ["".join(chance.choices(SYLLABLES, k=14)) for _ in range(num)]

    return subjects


def example(text: str, label: str = "BLOCK", **changes: Any) -> Example:
    """An example as the task writes it."""
    task = recipe_of([{"path": "none.csv"}]).task
    values: dict[str, Any] = {
        "id": f"mail:{text}", "source": "mail", "origin": "mail", "group": text, "text": text, "label": label,
        "prompt": decide.prompt(task, {"subject": text}), "completion": decide.completion(task, label),
    }  # fmt: skip
    return Example(**(values | changes))


class AllFit:
    """A tokenizer for which every row is short and every label is one token."""

    label_spans = [[1], [2]]  # noqa: RUF012

    def __call__(self, examples: list[Example]) -> list[Fitted]:
        return [Fitted(item, len(item.text), 3) for item in examples]


@pytest.fixture
def all_fit() -> AllFit:
    return AllFit()
