"""What clean steps need to know of a row: its input as text, its answers, and how it stands in a file.

Mapped fields with a label (a recipe's `decide` task), or Examples: bare files, and conversations of a recipe.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, Protocol

from dadeum.core.examples import Example, Turn
from dadeum.core.task import Chat, Decide, Summarize
from dadeum.data.rows import Row, Value
from dadeum.data.similar.repeats import bare
from dadeum.data.texts.characters import squash_lines, squash_spaces, strip_html
from dadeum.data.texts.code_spans import outside_code
from dadeum.tasks import chat, decide, summarize

TEXT = "text"
"""Field of an Example's row that holds its input as plain text, where that is not what the turns say."""
MIN_OPENING_CHARACTERS = 40
"""Shorter first exchanges are greetings, with which any talk may begin."""
REFERENCE = "reference."
"""Fields of an Example's row with further summaries of it begin so: reference.2, reference.3."""
MIN_SHARED_CHARACTERS = 20
MAX_SHARED = 5
"""A summary of so many characters that so many rows share tells of one dialogue in other words; more share a phrase."""
LineOf = Callable[[Example], dict[str, Any]]
"""Writes an example as an object of a JSONL source."""


class RowKind(Protocol):
    """How the steps look at rows of one kind."""

    def input_text(self, row: Row) -> str:
        """What `Row.text` must be for the row's fields."""

    def answers(self, row: Row) -> list[str]:
        """Texts that the model is taught to write, but for the label."""

    def compared(self, row: Row) -> str:
        """What two rows of one label must have in common to be copies of each other."""

    def is_empty(self, row: Row) -> bool:
        """Nothing to learn from: input, or an answer that there should be, is blank."""

    def squash(self, value: str) -> str:
        """`squash_spaces` as it suits the texts of these rows."""

    def strip_html(self, value: str) -> str:
        """`strip_html` as it suits the texts of these rows."""

    def original(self, row: Row) -> dict[str, Any]:
        """The row as it was read, as an object of a JSONL source."""


class RecipeRows(RowKind, Protocol):
    """Rows that a recipe makes Examples of."""

    def used(self, row: Row, group: str) -> Example:
        """The row as its task teaches it."""

    def kin(self, row: Row) -> list[str]:
        """What no row of another split may have too, beside a like input: rows that share one of these are a group."""


class FieldRows:
    """Rows of a recipe: named fields, a label, and the task's reason as the only free answer."""

    def __init__(self, task: Decide) -> None:
        self._task = task

    def plain_text(self, fields: Mapping[str, Value]) -> str:
        return decide.plain_text(self._task, fields)

    def input_text(self, row: Row) -> str:
        return self.plain_text(row.fields)

    def answers(self, row: Row) -> list[str]:
        return [row.reason] if row.reason else []

    def compared(self, row: Row) -> str:
        return row.text

    def is_empty(self, row: Row) -> bool:
        return not row.text.strip()

    def squash(self, value: str) -> str:
        return squash_spaces(value)

    def strip_html(self, value: str) -> str:
        return strip_html(value)

    def original(self, row: Row) -> dict[str, Any]:
        fields, reason = row.as_read or (row.fields, row.reason)
        found: dict[str, Any] = dict(fields)
        if self._task.reason_field is not None:
            found.setdefault(self._task.reason_field, reason)
        return found | {"label": row.label} | ({"origin": row.origin} if row.origin != row.source else {})

    def used(self, row: Row, group: str) -> Example:
        task = self._task
        return Example(
            id=row.id,
            source=row.source,
            origin=row.origin,
            group=group,
            text=row.text,
            prompt=decide.prompt(task, row.fields),
            completion=decide.completion(task, row.label, row.reason),
            label=row.label,
        )

    def kin(self, row: Row) -> list[str]:
        return []


# -- examples -------------------------------------------------------------------------------------
class ExampleRows:
    """Rows made of Examples: every turn is a field. A label is never touched."""

    def __init__(
        self,
        examples: Sequence[Example],
        split_of: Mapping[str, str] | None = None,
        line_of: LineOf | None = None,
    ) -> None:
        self._split_of = split_of or {}
        self._line_of = line_of or source_line
        self._examples = {example.id: example for example in examples}
        if len(self._examples) != len(examples):
            raise AssertionError(f"{len(examples)} examples have {len(self._examples)} ids: a bug in dadeum.data.")
        self.rows = [_row(example) for example in examples]

    def input_text(self, row: Row) -> str:
        said = row.fields.get(TEXT)
        if said is not None:
            return str(said)
        return chat.plain_text(_filled(_named(self._examples[row.id].prompt), row.fields))

    def answers(self, row: Row) -> list[str]:
        return [text for name, text in _texts(row) if name.startswith("assistant.")]

    def compared(self, row: Row) -> str:
        answers = (text for name, text in _texts(row) if name.startswith(("assistant.", "rejected.", REFERENCE)))
        return "\n".join([row.text, *answers])

    def is_empty(self, row: Row) -> bool:
        said = [text.strip() for name, text in _texts(row) if not name.startswith(("system.", REFERENCE))]
        return not said or not all(said)

    def squash(self, value: str) -> str:
        return squash_lines(value)

    def strip_html(self, value: str) -> str:
        return outside_code(value, strip_html)  # an answer about HTML shows it as code

    def original(self, row: Row) -> dict[str, Any]:
        split = self._split_of.get(row.id)
        return self._line_of(self._examples[row.id]) | ({"split": split} if split else {})

    def example(self, row: Row) -> Example:
        """The Example with the row's texts; the very one that was given when no step changed it."""
        example = self._examples[row.id]
        if row.as_read is None:
            return example
        return replace(
            example,
            text=row.text,
            prompt=_filled(_named(example.prompt), row.fields),
            completion=_filled(_named(_taught(example), len(example.prompt)), row.fields) or example.completion,
            rejected=_filled(_rejected(example), row.fields),
            extra=_with_references(example.extra, row.fields),
        )


class Conversations(ExampleRows):
    """Conversations of a recipe: Examples under the task's instruction."""

    def __init__(self, task: Chat, examples: Sequence[Example]) -> None:
        super().__init__(examples)
        self._task = task

    def used(self, row: Row, group: str) -> Example:
        example = self.example(row)
        return replace(example, group=group, prompt=chat.prompt(self._task, example.prompt))

    def kin(self, row: Row) -> list[str]:
        """The input without spaces and signs, and the first exchange: some files have a row per answer of a talk."""
        said = [text for name, text in _texts(row) if name.startswith(("user.", "assistant."))]
        opening = "\n".join(said[:2])
        return [bare(row.text), *([opening] if len(opening) >= MIN_OPENING_CHARACTERS else [])]


class Dialogues(ExampleRows):
    """Dialogues and their summaries: Examples that are asked as the task and the form of the prompt say."""

    def __init__(self, task: Summarize, form: Literal["chat", "instruction"], examples: Sequence[Example]) -> None:
        super().__init__(examples, line_of=dialogue_line)
        self._task = task
        self._form = form

    def used(self, row: Row, group: str) -> Example:
        example = self.example(row)
        return replace(example, group=group, prompt=summarize.prompt(self._task, example.text, self._form))

    def kin(self, row: Row) -> list[str]:
        """The dialogue without spaces and signs, and the summary: a dialogue told in other words has the same."""
        summary = self._summary(row)
        shared = len(summary) >= MIN_SHARED_CHARACTERS and self._rows_of_summary[summary] <= MAX_SHARED
        return [bare(row.text), *([summary] if shared else [])]

    def _summary(self, row: Row) -> str:
        return bare("".join(self.answers(row)))

    @cached_property
    def _rows_of_summary(self) -> Counter[str]:
        """Counted at the first question for kin, when all steps have been through the rows."""
        return Counter(map(self._summary, self.rows))


def dialogue_line(example: Example) -> dict[str, Any]:
    """An example as an object of a JSONL source of dialogues and summaries."""
    facts = {name: value for name, value in example.extra.items() if name != summarize.REFERENCES}
    texts = [example.completion[-1]["content"], *summarize.further_references(example)]
    names = ["summary", *(f"reference_{number}" for number in range(2, len(texts) + 1))]
    return facts | {"dialogue": example.text} | dict(zip(names, texts, strict=True))


def source_line(example: Example) -> dict[str, Any]:
    """An example as an object of a JSONL source, in the shape that `formats/` reads back to the same turns."""
    if example.rejected:
        pair = {"prompt": example.prompt, "chosen": example.completion, "rejected": example.rejected}
        return example.extra | pair
    turns: dict[str, Any] = {"prompt": example.prompt, "completion": example.completion}
    return example.extra | turns | ({"label": example.label} if example.label else {})


def _row(example: Example) -> Row:
    turns = [*_named(example.prompt), *_named(_taught(example), len(example.prompt)), *_rejected(example)]
    fields: dict[str, Value] = {name: turn["content"] for name, turn in turns}
    if example.text != chat.plain_text(example.prompt):
        fields[TEXT] = example.text
    for number, summary in enumerate(summarize.further_references(example), start=2):
        fields[f"{REFERENCE}{number}"] = summary
    return Row(example.id, example.source, example.origin, fields, example.label, None, example.text)


def _taught(example: Example) -> list[Turn]:
    """The turns of the completion; none where it is a label."""
    return [] if example.label else example.completion


def _named(turns: Iterable[Turn], before: int = 0) -> list[tuple[str, Turn]]:
    """Turns under the names that `examples.parts` gives them."""
    return [(f"{turn['role']}.{number}", turn) for number, turn in enumerate(turns, start=before + 1)]


def _rejected(example: Example) -> list[tuple[str, Turn]]:
    return [(f"rejected.{number}", turn) for number, turn in enumerate(example.rejected, start=1)]


def _filled(turns: Iterable[tuple[str, Turn]], fields: Mapping[str, Value]) -> list[Turn]:
    return [{"role": turn["role"], "content": str(fields[name])} for name, turn in turns]


def _with_references(extra: Mapping[str, str], fields: Mapping[str, Value]) -> dict[str, str]:
    """The facts of a row with its further summaries as the steps left them; one of which nothing is left goes."""
    named = {name: str(value).strip() for name, value in fields.items() if name.startswith(REFERENCE)}
    if not named:
        return dict(extra)
    rest = {name: value for name, value in extra.items() if name != summarize.REFERENCES}
    kept = [text for text in named.values() if text]
    return rest | ({summarize.REFERENCES: json.dumps(kept, ensure_ascii=False)} if kept else {})


def _texts(row: Row) -> Iterable[tuple[str, str]]:
    return ((name, str(value)) for name, value in row.fields.items())
