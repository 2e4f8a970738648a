"""A source of conversations → Examples: any shape that `data check FILE` knows, by the recipe's `map` or by content.

Rows that are no conversation (the user has the last word, two turns of one side) are bad rows with a reason: templates
refuse them, or write them down as if nothing were wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from dadeum.core.errors import DataError
from dadeum.core.examples import Turn
from dadeum.core.messages import Message
from dadeum.core.recipe import Source
from dadeum.core.run import file_hash
from dadeum.data.formats import alpaca, dialogue_summary, messages, prompt_completion, question_answer
from dadeum.data.formats._beside import Beside, find_beside
from dadeum.data.formats._convert import convert_rows
from dadeum.data.formats._recognise import recognise
from dadeum.data.formats.base import Converter, Format, Halves, Layout, Mappable, Unread, layout_of, match
from dadeum.data.nearest import nearest
from dadeum.data.reading.columns import FieldMap, as_yaml
from dadeum.data.reading.mapping import SourceRows, drawn, raise_for
from dadeum.data.reading.sources import read_source
from dadeum.data.repairs.row_kinds import LineOf, source_line
from dadeum.data.rows import BadRow, Removed, Table, as_json
from dadeum.tasks.chat import misplaced

_SHAPES = tuple(
    cast(Mappable, module) for module in (messages, question_answer, alpaca, prompt_completion, dialogue_summary)
)
"""Formats whose fields a `map` may name."""
_BESIDE = ("origin",)


def read_conversations(source: Source, seed: int) -> SourceRows:
    """Read, recognise, convert and sample one source. Raises DataError, or lists bad rows when the recipe says drop."""
    refuse_labels(source, "data.chat.label")
    table = read_source(source)
    module, layout = _layout(table, source)
    return read_examples_of(table, _Conversation(module), layout, source, seed)


def read_examples_of(
    table: Table, converter: Converter, layout: Layout, source: Source, seed: int, line_of: LineOf = source_line
) -> SourceRows:
    """Convert and sample a table of which it is known how to read it; `line_of` writes a row that is not drawn."""
    beside, notes = _beside(table, layout)
    num_rows = table.num_rows
    done = convert_rows(table, converter, layout, beside, None, {})
    if source.on_bad_rows == "raise":
        raise_for(sorted(map(_bad_row, done.unread), key=lambda row: row.number), table, num_rows)
    examples = [example for rows in done.splits.values() for example in rows]
    taken = drawn(len(examples), source.sample, f"{seed}:{table.name}")
    left = [
        Removed(
            example.id, table.name, example.origin, example.text, "", "not_sampled", "",
            original=as_json(line_of(example)),
        )
        for at, example in enumerate(examples) if at not in taken
    ]  # fmt: skip
    notes += [
        Message("data.note.long_values", {"source": table.name, "column": column, "count": count})
        for column, count in beside.skipped.items()
    ]
    return SourceRows(
        table.name, table.path.name, table.format, table.encoding, file_hash(table.path), num_rows,
        _field_map(layout, source), [], [*done.unread, *left],
        examples=[example for at, example in enumerate(examples) if at in taken], notes=notes,
    )  # fmt: skip


def refuse_labels(source: Source, key_of_error: str) -> None:
    """Free texts have no label to give; a column of that name stays a fact beside the row."""
    for key, value in (("label", source.label), ("label_values", source.label_values)):
        if value:
            raise DataError(key_of_error, path=source.path, key=key)


# -- which column is what --------------------------------------------------------------------------
def _layout(table: Table, source: Source) -> tuple[Format, Layout]:
    if source.map is not None:
        return _mapped(table, source.map)
    try:
        _, module, layout = recognise(table, "chat", None)
    except DataError as error:
        if error.key not in ("data.unknown_shape", "data.task_not_possible"):
            raise
        if "messages" in table.columns:
            return _mapped(table, {"messages": "messages"})  # whose rows then say what is wrong with them
        proposal = as_yaml("map", _proposal(table))
        columns = ", ".join(table.columns)
        raise DataError(
            "data.chat.no_turns", path=table.path, source=table.name, columns=columns, yaml=proposal
        ) from error
    return module, layout


def _mapped(table: Table, mapping: dict[str, str]) -> tuple[Format, Layout]:
    """The format that has all mapped fields. Raises DataError for unknown fields and columns, and for half a pair."""
    known = dict.fromkeys([*(name for shape in _SHAPES for name in _fields(shape)), *_BESIDE])
    for name, column in mapping.items():
        if name not in known:
            near = nearest(name, known)
            raise DataError("data.chat.unknown_field", path=table.path, field=name, near=near, known=", ".join(known))
        if column not in table.columns:
            raise DataError(
                "data.missing_column", path=table.path, field=name, column=column,
                near=nearest(column, table.columns), columns=", ".join(table.columns),
            )  # fmt: skip
    wanted = mapping.keys() - set(_BESIDE)
    for shape in _SHAPES:
        if shape.NEEDS.keys() <= wanted <= set(_fields(shape)):
            return shape, layout_of(table, ("chat",), mapping)
    found = ", ".join(mapping)
    raise DataError("data.chat.half_a_pair", path=table.path, found=found, yaml=as_yaml("map", _proposal(table)))


def _fields(shape: Mappable) -> list[str]:
    """Without further summaries, which only the task `summarize` has a use for."""
    return [name for name in (*shape.NEEDS, *shape.MAY) if name != "label" and name not in dialogue_summary.MORE]


def _proposal(table: Table) -> dict[str, str]:
    """Question and answer, each with a column that some format would take for it, or `?`."""
    asked = (question_answer.NEEDS["question"], alpaca.NEEDS["instruction"], prompt_completion.NEEDS["prompt"])
    answered = (question_answer.NEEDS["answer"], alpaca.NEEDS["output"], prompt_completion.NEEDS["completion"])
    halves = {"question": sum(asked, ()), "answer": sum(answered, ())}
    return {"question": "?", "answer": "?"} | match(table.columns, halves)


def _beside(table: Table, layout: Layout) -> tuple[Beside, list[Message]]:
    """The other columns; a column of splits is told of and not followed: the recipe's own split is blind to it."""
    beside, notes = find_beside(table, layout), []
    if beside.split is not None:
        values = {"source": table.name, "column": table.columns[beside.split]}
        notes.append(Message("data.chat.split_ignored", values))
    if "origin" in layout.at:
        at = layout.at["origin"]
        beside = replace(
            beside, origin=at, rest=[*(fact for fact in beside.rest if fact[0] != "origin"), ("origin", at)]
        )
    return replace(beside, split=None), notes


def _field_map(layout: Layout, source: Source) -> FieldMap:
    columns = {name: found[0] for name, found in layout.columns.items() if name != "task"}
    return FieldMap(columns, guessed=source.map is None)


# -- rows ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Conversation:
    """A format whose rows must be conversations that end with an answer."""

    shape: Format

    def convert(self, cells: Sequence[Any], layout: Layout) -> Halves:
        halves = self.shape.convert(cells, layout)
        turns: list[Turn] = [*halves.prompt, *halves.completion]
        if not halves.completion or turns[-1]["role"] != "assistant":
            raise Unread("no_answer", f"{len(turns)}: {turns[-1]['role']}")
        for at in range(len(turns)):
            if problem := misplaced(turns, at):
                raise Unread("turn_order", f"{at + 1}: {turns[at]['role']} ({problem})")
        if len(halves.completion) > 1:  # only the last turn is the answer
            halves = halves._replace(prompt=turns[:-1], completion=turns[-1:])
        return halves


def _bad_row(row: Removed) -> BadRow:
    return BadRow(int(row.id.rpartition(":")[2]), row.reason, row.detail, row.text, row.original)
