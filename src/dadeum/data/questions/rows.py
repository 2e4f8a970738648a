"""Questions as rows: what counts as a copy, what belongs together, and how one stands in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from dadeum.core.examples import Example, answer_of
from dadeum.data.repairs.row_kinds import ExampleRows
from dadeum.data.rows import Row
from dadeum.data.similar.repeats import bare
from dadeum.tasks import retrieve


def question_line(example: Example) -> dict[str, Any]:
    """An example as an object of a JSONL source in the form of question, answer and relevant chunks."""
    facts: dict[str, Any] = {name: value for name, value in example.extra.items() if name != retrieve.RELEVANT}
    said = {"question": example.text, "answer": answer_of(example)}
    return facts | said | {"relevant_chunks": retrieve.relevant(example)}


class Questions(ExampleRows):
    """Questions about documents: Examples that name what answers them."""

    def __init__(self, examples: Sequence[Example], kin: Mapping[str, list[str]], teaches_answers: bool) -> None:
        """`kin` of each example: the documents that no other split may ask about."""
        super().__init__(examples, line_of=question_line)
        self._kin = kin
        self._teaches_answers = teaches_answers

    def compared(self, row: Row) -> str:
        """With a mark of what answers it: the same question about another document is no copy.

        Who only finds has no use for the answers.
        """
        gold = json.dumps(sorted(retrieve.relevant(self._examples[row.id])))
        said = super().compared(row) if self._teaches_answers else row.text
        return f"{said}\n{blake2b(gold.encode(), digest_size=4).hexdigest()}"

    def used(self, row: Row, group: str) -> Example:
        return replace(self.example(row), group=group)

    def kin(self, row: Row) -> list[str]:
        return [bare(row.text), *self._kin[row.id]]
