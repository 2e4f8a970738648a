"""Which prompt a row of a preference file means, in the very turns that training and serving use, and the leak guard.

A prompt is the id of a training row, a text (the dialogue, the question) or turns. What says the same as a row of the
validation or test split is never learnt from: those figures would praise the model for what it has seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dadeum.core.examples import Example, Turn, read_examples
from dadeum.core.korean import nfc
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.task import Answer, Chat, Decide, Retrieve
from dadeum.tasks import chat, retrieve, summarize


class Unusable(Exception):
    """A row that gives no pair; `reason` as in `kept.LeftOut`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Asked:
    """A prompt that was understood."""

    key: str
    """Equal for equal prompts, however they were given."""
    group: str
    turns: list[Turn]


class Prompts:
    """The rows of a run, by id and by what they say."""

    def __init__(self, recipe: Recipe, run: Run) -> None:
        held_out = [row for split in ("validation", "test") for row in _rows(run, split)]
        self._keep(recipe, read_examples(run.split_path("train")), held_out)

    @classmethod
    def of_rows(cls, recipe: Recipe, training: list[Example], held_out: list[Example]) -> Prompts:
        """The same before there is a run, for `plan`."""
        made = cls.__new__(cls)
        made._keep(recipe, training, held_out)
        return made

    def _keep(self, recipe: Recipe, training: list[Example], held_out: list[Example]) -> None:
        self.recipe = recipe
        self.training = training
        self._by_id = {row.id: row for row in self.training}
        self._by_text = {key: row for row in reversed(self.training) for key in self._keys(row)}
        self._held_out = {row.id for row in held_out}
        self._held_out_texts = {key for row in held_out for key in self._keys(row)}

    def by_id(self, row_id: str) -> Asked:
        """The prompt of a training row; raises Unusable."""
        if row_id in self._held_out:
            raise Unusable("held_out", row_id)
        if row_id not in self._by_id:
            raise Unusable("unknown_row", row_id)
        return self._of(self._by_id[row_id])

    def by_text(self, text: str) -> Asked:
        """A training row that says this, or the task's prompt around it; raises Unusable."""
        if not text.strip():
            raise Unusable("no_prompt")
        return self._known(plain(text)) or self._new(plain(text), self._around(text))

    def by_turns(self, turns: Sequence[Turn]) -> Asked:
        """The same for a conversation; its last turn is what is answered."""
        said = [turn for turn in turns if turn["role"] != "system"]
        if not said or said[-1]["role"] != "user":
            raise Unusable("no_prompt", "last turn: " + (said[-1]["role"] if said else "-"))
        for key in self._said(turns):
            if known := self._known(key):
                return known
        if isinstance(self.recipe.task, Chat):
            return self._new(self._said(turns)[0], chat.prompt(self.recipe.task, turns))
        # A question about documents comes with its chunks: the turn is the whole prompt already.
        if len(turns) == 1 and not isinstance(self.recipe.task, Answer):
            return self.by_text(turns[0]["content"])
        return self._new(self._said(turns)[0], list(turns))

    def of_training_row(self, row: Example) -> Asked:
        """What a row of the training split asks."""
        return self._of(row)

    def _of(self, row: Example) -> Asked:
        return Asked(plain(row.text) or row.id, row.group or row.id, row.prompt)

    def _known(self, key: str) -> Asked | None:
        if key in self._held_out_texts:
            raise Unusable("held_out")
        row = self._by_text.get(key)
        return self._of(row) if row else None

    def _new(self, key: str, turns: list[Turn]) -> Asked:
        return Asked(key, key, turns)

    def _around(self, text: str) -> list[Turn]:
        task = self.recipe.task
        if isinstance(task, Decide | Answer):
            # The prompt is made of the fields of its row, or of its chunks, which a file of answers does not have.
            raise Unusable("unknown_row", text[:80])
        if isinstance(task, Chat):
            return chat.prompt(task, [{"role": "user", "content": text}])
        if isinstance(task, Retrieve):
            return retrieve.prompt(text)
        return summarize.prompt(task, text, self.recipe.render.format)

    def _keys(self, row: Example) -> set[str]:
        return {key for key in (plain(row.text), *self._said(row.prompt)) if key}

    def _said(self, turns: Sequence[Turn]) -> list[str]:
        """All that is said, and the same without the task's instruction before it."""
        whole = plain("".join(turn["content"] for turn in turns if turn["role"] != "system"))
        instruction = plain(getattr(self.recipe.task, "instruction", None) or "")
        return [whole.removeprefix(instruction) or whole, whole]


def plain(text: str) -> str:
    """What two texts are compared by: composed letters, no white space."""
    return "".join(nfc(text).split())


def turns_in(cell: Any) -> list[Turn] | None:
    """Turns of a list or of JSON that holds one; None where the cell is a text."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except ValueError:
            return None
    if not isinstance(cell, list):
        return None
    turns = [
        Turn(role=turn["role"], content=turn["content"])
        for turn in cell
        if isinstance(turn, dict) and isinstance(turn.get("content"), str) and isinstance(turn.get("role"), str)
    ]
    if len(turns) != len(cell):
        raise Unusable("bad_row", "turns need role and content")
    return turns


def _rows(run: Run, split: str) -> Iterator[Example]:
    path = run.split_path(split)
    if path.exists():
        yield from read_examples(path)
