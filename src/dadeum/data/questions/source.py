"""A source of questions → Examples: a table with question, answer and relevant chunks, or JSON objects by id.

What answers a question is looked up at once: an id that is neither chunk nor document of the corpus is a bad row, and
where a whole file has none that is known, its chunks were cut otherwise.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.examples import Example, answer_of
from dadeum.core.messages import Message
from dadeum.core.recipe import Source
from dadeum.core.task import Answer, Retrieve
from dadeum.data.conversations import read_examples_of, refuse_labels
from dadeum.data.formats._beside import values_of
from dadeum.data.formats._passages import QUESTIONS
from dadeum.data.formats.base import Halves, Layout, Unread, assistant, layout_of, match, user
from dadeum.data.nearest import nearest
from dadeum.data.passages.corpus import Passages
from dadeum.data.questions.by_id import read_questions_table
from dadeum.data.questions.rows import question_line
from dadeum.data.reading.columns import as_yaml
from dadeum.data.reading.mapping import SourceRows
from dadeum.data.rows import Removed, Table, as_json
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.words import content_words
from dadeum.tasks import retrieve

NAMES = QUESTIONS
_SEPARATOR = re.compile(r"[,;]")
_CHUNK_ID = re.compile(r"(.+)#p\d+-\d+-[0-9a-f]{8}")
_NEAR_SHOWN = 3
"""Unknown ids whose nearest known one is looked for: it costs a look at all ids."""


def read_questions(
    source: Source, seed: int, task: Retrieve | Answer, passages: Passages, narrowed: set[str]
) -> SourceRows:
    """Read, look up and sample one source. Raises DataError, or lists bad rows when the recipe says drop.

    `narrowed` gets the ids of rows that name a document, of which the likeliest chunk was taken.
    """
    refuse_labels(source, "data.passages.label")
    table = read_questions_table(source)
    converter = _Questions(task, passages, needs_chunks=source.relevant is not None)
    layout = _layout(table, source)
    converter.refuse_other_corpus(table, layout)
    read = read_examples_of(table, converter, layout, source, seed, question_line)
    examples = _placed(read.examples, passages)
    notes = list(read.notes)
    if isinstance(task, Answer):
        wide = _wide(examples, passages)
        narrowed |= {row.id for row in wide}
        examples = _narrowed(examples, wide, passages)
        notes += [Message("data.passages.narrowed", {"source": read.name, "num": len(wide)})] if wide else []
        return replace(read, examples=examples, notes=notes)
    unasked = [example for example in examples if not retrieve.relevant(example)]
    if unasked:
        notes.append(Message("data.passages.nothing_to_find", {"source": read.name, "num": len(unasked)}))
    left = [
        Removed(
            example.id, example.source, example.origin, example.text, "", "nothing_to_find", "",
            original=as_json(question_line(example)),
        )
        for example in unasked
    ]  # fmt: skip
    kept = [example for example in examples if retrieve.relevant(example)]
    return replace(read, examples=kept, removed=[*read.removed, *left], notes=notes)


# -- which column is what --------------------------------------------------------------------------
def _layout(table: Table, source: Source) -> Layout:
    found = dict(source.map) if source.map is not None else match(table.columns, NAMES)
    known = (*NAMES, "origin")
    for name, column in found.items():
        if name not in known:
            near = nearest(name, known)
            raise DataError(
                "data.passages.unknown_field", path=table.path, field=name, near=near, known=", ".join(NAMES)
            )
        if column not in table.columns:
            raise DataError(
                "data.missing_column", path=table.path, field=name, column=column,
                near=nearest(column, table.columns), columns=", ".join(table.columns),
            )  # fmt: skip
    if missing := [name for name in ("question", "relevant_chunks") if name not in found]:
        proposal = {"question": "?", "answer": "?", "relevant_chunks": "?"} | found
        raise DataError(
            f"data.passages.no_{missing[0]}", path=table.path, source=table.name, columns=", ".join(table.columns),
            yaml=as_yaml("map", proposal),
        )  # fmt: skip
    return layout_of(table, ("retrieve", "answer"), found)


# -- rows ------------------------------------------------------------------------------------------
@dataclass
class _Questions:
    """Makes rows of questions; remembers what ids were unknown."""

    task: Retrieve | Answer
    passages: Passages
    needs_chunks: bool
    """A file beside says what answers each question, so one that it leaves out was forgotten."""
    near: dict[str, str] = field(default_factory=dict)

    def convert(self, cells: Sequence[Any], layout: Layout) -> Halves:
        question = layout.text(cells, "question").strip()
        if not question:
            raise Unread("missing_field", layout.columns["question"][0])
        answer = values_of(cells[layout.at["answer"]]).strip() if "answer" in layout.at else ""
        named = ids_in(cells[layout.at["relevant_chunks"]], self.passages)
        found = [self._known(name) for name in named]
        if not found and (answer or self.needs_chunks):
            raise Unread("no_chunk", question[:40])
        if found and not answer and isinstance(self.task, Answer):
            raise Unread("no_gold_answer", question[:40])
        extra = {retrieve.RELEVANT: retrieve.as_extra(list(dict.fromkeys(found)))}
        for name in (retrieve.DOMAIN, retrieve.DIFFICULTY):
            if name in layout.at and (value := values_of(cells[layout.at[name]]).strip()):
                extra[name] = value
        return Halves(user(question), assistant(answer) if answer else [], [], extra=extra)

    def _known(self, name: str) -> str:
        found = self.passages.found(name)
        if found is None:
            raise Unread("missing_chunk", self._told(name))
        return found

    def _told(self, name: str) -> str:
        """The unknown id, with the nearest known one for the first few."""
        if name not in self.near:
            known = [*self.passages.of_document, *self.passages.by_id] if len(self.near) < _NEAR_SHOWN else []
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            self.near[name] = f"{name} (≈ {close[0]})" if close else name
        return self.near[name]

    def refuse_other_corpus(self, table: Table, layout: Layout) -> None:
        """DataError where no id of the whole file is known: that is no mistake of single rows."""
        at = layout.at["relevant_chunks"]
        named = Counter(name for cells in table.rows for name in ids_in(cells[at], self.passages))
        if not named or any(self.passages.found(name) for name in named):
            return
        first = next(iter(named))
        values = {
            "path": table.path, "num": len(named), "found": first, "known": self.passages.chunks[0].id,
            "documents": ", ".join(list(self.passages.of_document)[:_NEAR_SHOWN]),
        }  # fmt: skip
        cut = _CHUNK_ID.fullmatch(first)
        cut_otherwise = cut is not None and cut[1] in self.passages.of_document
        raise DataError("data.passages.cut_otherwise" if cut_otherwise else "data.passages.other_corpus", **values)


def ids_in(cell: Any, passages: Passages) -> list[str]:
    """The ids of a cell: a list, or text with one a line or between commas or semicolons."""
    found: list[str] = []
    for line in values_of(cell).splitlines():
        line = line.strip()
        # An id may have a comma of its own.
        parts = [line] if passages.found(line) else _SEPARATOR.split(line)
        found += [part for each in parts if (part := each.strip())]
    return found


def _placed(examples: Sequence[Example], passages: Passages) -> list[Example]:
    """Each with the document of its first relevant chunk as origin; of none, the source."""
    found = []
    for example in examples:
        ids = retrieve.relevant(example)
        origin = passages.document_of(ids[0]) if ids else example.source
        found.append(replace(example, origin=origin))
    return found


def _wide(examples: Sequence[Example], passages: Passages) -> list[Example]:
    """Rows that name a document of several chunks."""
    return [row for row in examples if any(name not in passages.by_id for name in retrieve.relevant(row))]


def _narrowed(examples: Sequence[Example], wide: Sequence[Example], passages: Passages) -> list[Example]:
    """Ids of whole documents replaced by the chunk that shares most words with question and answer."""
    words = content_words([f"{row.text}\n{answer_of(row)}" for row in wide])
    said = {row.id: found for row, found in zip(wide, words, strict=True)}
    index: dict[str, Lexical] = {}

    def best(name: str, words: list[str]) -> str:
        if name in passages.by_id:
            return name
        parts = passages.of_document[name]
        if name not in index:
            index[name] = Lexical([passages.words[passages.place[part.id]] for part in parts])
        return parts[max(0, int(index[name].search([words], 1).positions[0, 0]))].id

    found = []
    for row in examples:
        if row.id in said:
            ids = dict.fromkeys(best(name, said[row.id]) for name in retrieve.relevant(row))
            row = replace(row, extra=row.extra | {retrieve.RELEVANT: retrieve.as_extra(list(ids))})
        found.append(row)
    return found
