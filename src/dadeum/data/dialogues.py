"""A source of dialogues and summaries → Examples: two columns, or conversations that ask with one dialogue each.

What is asked of the model is the recipe's business (`task.instruction`, `task.system`): a file that brings its own
instruction inside the dialogue is refused, for it would stand there twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from dadeum.core.errors import DataError
from dadeum.core.examples import Turn
from dadeum.core.messages import Message
from dadeum.core.recipe import Source
from dadeum.data.conversations import read_examples_of, refuse_labels
from dadeum.data.formats import alpaca, dialogue_summary, messages, prompt_completion, question_answer
from dadeum.data.formats.base import Converter, Halves, Layout, Mappable, Unread, layout_of, match
from dadeum.data.nearest import nearest
from dadeum.data.reading.columns import as_yaml
from dadeum.data.reading.mapping import SourceRows
from dadeum.data.reading.sources import read_source
from dadeum.data.repairs.row_kinds import dialogue_line
from dadeum.data.rows import Table

_SHAPES = tuple(cast(Mappable, module) for module in (dialogue_summary, messages, prompt_completion))
_FIELDS = {
    name: None for shape in _SHAPES for name in (*shape.NEEDS, *shape.MAY) if name not in ("system", "label")
} | {"origin": None}
"""What a `map` may name, in the order in which it is told."""
MIN_ROWS = 5
MAX_OPENINGS = 0.2
"""Different first (or last) lines per row up to which they are instructions; dialogues of DialogSum have 0.9."""


def read_dialogues(source: Source, seed: int) -> SourceRows:
    """Read, recognise, convert and sample one source. Raises DataError, or lists bad rows when the recipe says drop."""
    refuse_labels(source, "data.dialogues.label")
    table = read_source(source)
    shape, layout = _layout(table, source)
    path, converter = table.path, _Dialogues(shape)
    read = read_examples_of(table, converter, layout, source, seed, dialogue_line)
    if shape is not _SHAPES[0] and (asked := converter.instruction):
        raise DataError("data.dialogues.instruction_inside", path=path, source=read.name, found=asked)
    told = {"system_unused": converter.systems, "told_again": converter.told_again}
    notes = [Message(f"data.dialogues.{key}", {"source": read.name, "num": num}) for key, num in told.items() if num]
    return replace(read, notes=[*read.notes, *notes])


# -- which column is what --------------------------------------------------------------------------
def _layout(table: Table, source: Source) -> tuple[Mappable, Layout]:
    if source.map is not None:
        return _mapped(table, source.map)
    for shape in _SHAPES:
        layout = shape.recognise(table, "summarize", None)
        if layout is not None:
            return shape, _without_system(layout) if shape is _SHAPES[0] else layout
    columns = ", ".join(table.columns)
    raise DataError(
        "data.dialogues.no_summary", path=table.path, source=table.name, columns=columns,
        yaml=as_yaml("map", _proposal(table)),
    )  # fmt: skip


def _without_system(layout: Layout) -> Layout:
    """A column of that name stays a fact beside the row: `task.system` is what the model is told."""
    columns = {name: found for name, found in layout.columns.items() if name != "system"}
    return replace(layout, columns=columns, at={name: at for name, at in layout.at.items() if name != "system"})


def _mapped(table: Table, mapping: dict[str, str]) -> tuple[Mappable, Layout]:
    """The shape that has all mapped fields. Raises DataError for unknown fields and columns, and for half a pair."""
    for name, column in mapping.items():
        if name not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise DataError(
                "data.dialogues.unknown_field", path=table.path, field=name, near=nearest(name, _FIELDS), known=known
            )
        if column not in table.columns:
            raise DataError(
                "data.missing_column", path=table.path, field=name, column=column,
                near=nearest(column, table.columns), columns=", ".join(table.columns),
            )  # fmt: skip
    wanted = mapping.keys() - {"origin"}
    for shape in _SHAPES:
        if shape.NEEDS.keys() <= wanted <= {*shape.NEEDS, *shape.MAY}:
            return shape, layout_of(table, ("summarize",), mapping)
    raise DataError(
        "data.dialogues.half_a_pair", path=table.path, found=", ".join(mapping), yaml=as_yaml("map", _proposal(table))
    )


def _proposal(table: Table) -> dict[str, str]:
    """Dialogue and summary, each with a column that some format would take for it, or `?`."""
    given = (
        dialogue_summary.NEEDS["dialogue"],
        alpaca.NEEDS.get("input", ("input",)),
        question_answer.NEEDS["question"],
    )
    written = (dialogue_summary.NEEDS["summary"], alpaca.NEEDS["output"], question_answer.NEEDS["answer"])
    return {"dialogue": "?", "summary": "?"} | match(
        table.columns, {"dialogue": sum(given, ()), "summary": sum(written, ())}
    )


# -- rows ------------------------------------------------------------------------------------------
@dataclass
class _Dialogues:
    """A shape whose rows must be one dialogue and one summary; counts what else they bring."""

    shape: Converter
    systems: int = 0
    """Rows with a system turn, which is not used."""
    num_rows: int = 0
    told_again: int = 0
    """Rows whose dialogue stood before with another summary."""
    summary_of: dict[int, int] = field(default_factory=dict)
    """Hash of a dialogue → hash of its first summary."""
    openings: Counter[str] = field(default_factory=Counter)
    closings: Counter[str] = field(default_factory=Counter)

    def convert(self, cells: Sequence[Any], layout: Layout) -> Halves:
        halves = self.shape.convert(cells, layout)
        said = [turn for turn in halves.prompt if turn["role"] != "system"]
        roles = [turn["role"] for turn in [*said, *halves.completion]]
        if roles != ["user", "assistant"]:
            raise Unread("not_one_dialogue", ", ".join(roles))
        self.systems += len(said) < len(halves.prompt)
        summary = hash(halves.completion[0]["content"].strip())
        self.told_again += self.summary_of.setdefault(hash(said[0]["content"].strip()), summary) != summary
        self._look_at(said[0])
        return halves._replace(prompt=said)

    def _look_at(self, turn: Turn) -> None:
        lines = [line.strip() for line in turn["content"].splitlines() if line.strip()]
        self.num_rows += 1
        if len(lines) > 1:
            self.openings[lines[0]] += 1
            self.closings[lines[-1]] += 1

    @property
    def instruction(self) -> str:
        """The commonest first or last line, where so few different ones stand there that they are no dialogue's."""
        for lines in (self.openings, self.closings):
            if MIN_ROWS <= self.num_rows <= 2 * lines.total() and len(lines) <= MAX_OPENINGS * lines.total():
                return lines.most_common(1)[0][0]
        return ""
