"""What `prepare` does for questions about documents: chunks first, then rows that point at them, then what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dadeum.core.errors import RecipeError
from dadeum.core.examples import Example
from dadeum.core.messages import Message
from dadeum.core.progress import Progress
from dadeum.core.recipe import Recipe, Source
from dadeum.core.task import Answer, Retrieve
from dadeum.data.lengths.question_tokens import QuestionCounter
from dadeum.data.lengths.token_lengths import Fits
from dadeum.data.passages.corpus import Facts, Passages, read_passages
from dadeum.data.questions.contexts import Contexts
from dadeum.data.questions.relations import joined_by_keys, kin_of, shared_gold
from dadeum.data.questions.rows import Questions
from dadeum.data.questions.search import Search, open_retriever, split_of_documents
from dadeum.data.questions.source import read_questions
from dadeum.data.reading.mapping import SourceRows
from dadeum.data.rows import Row
from dadeum.data.similar.duplicates import template_groups
from dadeum.data.similar.fingerprints import Memory
from dadeum.data.split import Known
from dadeum.models.fresh import is_fresh
from dadeum.tasks import retrieve

_LEAST_GROUPS = 0.5
"""Groups that near duplicates may leave of each group of documents; the 7,637 welfare questions leave 0.98."""


@dataclass
class Asked:
    """A recipe's documents on the way, and what there is to say of them."""

    recipe: Recipe
    task: Retrieve | Answer
    passages: Passages
    notes: list[Message] = field(default_factory=list)
    narrowed: set[str] = field(default_factory=set)
    """Rows that name a document, of which the likeliest chunk was taken."""
    unanswered: set[str] = field(default_factory=set)
    """Rows that nothing in the documents answers."""

    @property
    def facts(self) -> Facts:
        return self.passages.facts

    def read(self, source: Source) -> SourceRows:
        return read_questions(source, self.recipe.data_seed, self.task, self.passages, self.narrowed)

    def rows(self, examples: list[Example]) -> Questions:
        """How clean steps and the split look at the questions."""
        if isinstance(self.task, Retrieve):
            examples, num = shared_gold(examples)
            self.notes += [Message("data.passages.asked_twice", {"num": num})] if num else []
        self.unanswered = {row.id for row in examples if not retrieve.relevant(row)}
        kin, notes = kin_of(examples, self.passages)
        self.notes += notes if self.recipe.data.split.group == "near_duplicate" else []
        return Questions(examples, kin, teaches_answers=isinstance(self.task, Answer))

    def templates(self, rows: list[Row], kin: list[list[str]], memory: Memory) -> list[int]:
        """Which rows belong together: as everywhere, unless questions of one pattern would chain all documents."""
        as_everywhere: list[int] = template_groups([row.text for row in rows], memory, kin).tolist()
        by_document = joined_by_keys(kin)
        if len(set(as_everywhere)) >= _LEAST_GROUPS * len(set(by_document)):
            return as_everywhere
        values = {"num": len(set(by_document)), "groups": len(set(as_everywhere))}
        if self.recipe.data.split.group == "near_duplicate":
            self.notes.append(Message("data.passages.one_pattern", values))
        return by_document

    def known(self, rows: list[Row]) -> Known:
        """Questions that nothing answers are spread over the splits; a tuned retriever's split is followed."""
        if not isinstance(self.task, Answer):
            return Known()
        nothing = dict.fromkeys(self.unanswered, "unanswerable")
        if not self.task.retriever:
            return Known(nothing)
        found = split_of_documents(Path(self.task.retriever))
        dealt = {row.id: found[row.origin] for row in rows if row.origin in found}
        values = {"num": len(dealt), "total": len(rows), "run": self.task.retriever}
        self.notes.append(Message("data.passages.split_followed", values))
        return Known(nothing, dealt)

    def shown(
        self, splits: dict[str, list[Example]], fits: Fits | None, progress: Progress
    ) -> dict[str, list[Example]]:
        """Rows of the task `answer` with their chunks; others as they are."""
        if not isinstance(self.task, Answer):
            return splits
        folder = self.task.retriever
        search = Search(self.passages, Path(folder) if folder else None)
        contexts = Contexts(
            self.recipe, self.task, self.passages, search, self.narrowed, getattr(fits, "has_room", None)
        )
        filled = contexts.fill(splits, progress)
        self.notes += [*search.notes, *search.learnt_from(splits["test"]), *contexts.counts.notes(self.task)]
        return filled


def gathered(recipe: Recipe, fits: Fits | None, progress: Progress) -> Asked | None:
    """The chunks of the recipe's documents; None for tasks that have none. Raises DataError, or RecipeError."""
    task, corpus = recipe.task, recipe.data.corpus
    if corpus is None or not isinstance(task, Retrieve | Answer):
        return None
    if isinstance(task, Answer):
        _refuse(recipe, task)
    asked = Asked(recipe, task, read_passages(corpus, _count(recipe, fits), progress))
    asked.notes += asked.passages.notes
    if isinstance(fits, QuestionCounter):
        asked.notes += fits.look_at(asked.passages)
    return asked


def _refuse(recipe: Recipe, task: Answer) -> None:
    """What can be told before anything is read."""
    if recipe.render.truncation == "cut_input":
        raise RecipeError("data.passages.cut_input")
    if is_fresh(recipe.model):
        raise RecipeError("data.passages.fresh_model", base=recipe.model.base)
    if task.retriever:
        open_retriever(Path(task.retriever))


def _count(recipe: Recipe, fits: Fits | None) -> Callable[[str], int]:
    """Tokens as the recipe's model counts them."""
    count: Any = getattr(fits, "count", None)
    if count is None:
        # Imported here: tokenizers are slow to load.
        from dadeum.data.lengths.tokens import counter_of

        count = counter_of(recipe).count
    return count  # type: ignore[no-any-return]
