"""Sources → clean, split examples in memory; `plan` looks at them, `build` writes them.

Every row that was read is either used or listed as removed with a reason, and `prepare` proves it by counting.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dadeum.core.errors import DadeumError, DataError, Problems
from dadeum.core.examples import SPLITS, Example
from dadeum.core.messages import Message, text
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe, Source
from dadeum.core.task import Chat, Decide, Summarize
from dadeum.data.builders.made_rows import with_made
from dadeum.data.conversations import read_conversations
from dadeum.data.dialogues import read_dialogues
from dadeum.data.engine import keeping_objects
from dadeum.data.follow import Followed, followed
from dadeum.data.lengths.token_lengths import Fits, Limited, apply_limit
from dadeum.data.passages.corpus import Passages
from dadeum.data.questions.gathering import Asked, gathered
from dadeum.data.reading.columns import FieldMap, as_yaml
from dadeum.data.reading.mapping import SourceRows, read_rows
from dadeum.data.repairs.cleaning import StepCount, changed_rows, clean_rows, with_originals
from dadeum.data.repairs.row_kinds import Conversations, Dialogues, FieldRows, RecipeRows
from dadeum.data.repairs.transforms import Rules
from dadeum.data.rows import Removed, Row, source_name
from dadeum.data.similar.fingerprints import Memory
from dadeum.data.split import Placed, split_rows


@dataclass(frozen=True)
class SourceFacts:
    """One source as it was read."""

    name: str
    file_name: str
    format: str
    encoding: str | None
    sha256: str
    num_rows: int
    field_map: FieldMap


@dataclass(frozen=True)
class Prepared:
    """Everything that `build` writes and `plan` prints."""

    examples: dict[str, list[Example]]
    """train, validation, test."""
    removed: list[Removed]
    """In the order of the steps."""
    changed: list[Removed]
    """One per row that is used otherwise than it was read, with what it was."""
    steps: list[StepCount]
    """What each step of `data.clean` did, in its order."""
    rows_in: int
    """Rows of all files, readable or not."""
    sources: list[SourceFacts]
    limited: Limited | None = None
    """Token counts of the examples, and what the limit did; None when no tokenizer looked."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time per step."""
    asides: list[Message] = field(default_factory=list)
    """What of the files was left aside: a column of splits, values too long to be facts."""
    passages: Passages | None = None
    """What the questions are asked about; None for tasks without documents."""

    @property
    def guesses(self) -> dict[str, FieldMap]:
        """Source → mapping, for sources whose mapping was guessed."""
        return {source.name: source.field_map for source in self.sources if source.field_map.guessed}

    @property
    def notes(self) -> list[str]:
        """Sentences about what was guessed and left aside, in the user's language."""
        sentences = []
        for name, field_map in self.guesses.items():
            sentences.append(text("data.guessed", source=name, yaml=as_yaml("map", field_map.columns)))
            if field_map.label_values:
                yaml = as_yaml("label_values", field_map.label_values)
                sentences.append(text("data.guessed_values", source=name, yaml=yaml))
        return [*sentences, *(str(message) for message in self.asides)]

    @property
    def used(self) -> dict[str, int]:
        return {name: len(examples) for name, examples in self.examples.items()}

    @property
    def removed_by_reason(self) -> dict[str, int]:
        """Commonest reason first."""
        return dict(Counter(row.reason for row in self.removed).most_common())

    @property
    def labels(self) -> dict[str, dict[str, int]]:
        """Rows per split and label."""
        return {
            name: dict(Counter(example.label for example in examples).most_common())
            for name, examples in self.examples.items()
        }


def prepare(recipe: Recipe, fits: Fits | None = None, progress: Progress = silent) -> Prepared:
    """Read, clean and split; nothing is written. `fits` applies the token limit; None leaves all rows as they are.

    Raises DataError, or Problems when several sources have one. The result hangs on the recipe and the files only.
    """
    with keeping_objects():
        return _prepare(with_made(recipe), fits, progress)


def _prepare(recipe: Recipe, fits: Fits | None, progress: Progress) -> Prepared:
    seconds: dict[str, float] = {}
    with _timed("documents", seconds):
        asked = gathered(recipe, fits, progress)
    sources = _read_all(recipe, asked, seconds, progress)
    kind, every = _rows(recipe, asked, sources)
    removed = [row for source in sources for row in source.removed]
    memory = Memory()
    rules = Rules.of(recipe, kind)
    cleaned = clean_rows(every, recipe.data.clean, rules, memory, progress)
    rows = cleaned.rows
    removed += cleaned.removed
    for step in cleaned.steps:
        seconds[step.step] = seconds.get(step.step, 0.0) + step.seconds
    if not rows:
        counts = Counter(row.reason for row in removed).most_common()
        raise DataError("data.nothing_left", reasons=", ".join(f"{reason} {count}" for reason, count in counts))
    with _timed("split", seconds):
        follow, placed = _dealt_out(rows, recipe, kind, asked, memory)
    removed += [*follow.removed, *placed.removed]
    with _timed("examples", seconds):
        examples = {name: [kind.used(row, placed.group_of[row.id]) for row in placed.splits[name]] for name in SPLITS}
        examples = asked.shown(examples, fits, progress) if asked else examples
    limited = None
    if fits is not None:
        with _timed("tokens", seconds):
            limited = apply_limit(examples, fits, progress)
        examples = limited.examples
        removed += limited.removed
    _count(rows_in := sum(source.num_rows for source in sources), examples, removed)
    with _timed("originals", seconds):
        removed = with_originals(removed, every, kind)
        used = _without(rows, removed)
        changed = changed_rows(used, kind, limited.cut if limited else ())
    facts = [_facts(source) for source in sources]
    asides = [note for source in sources for note in source.notes] + (asked.notes if asked else []) + follow.notes
    passages = asked.passages if asked else None
    return Prepared(examples, removed, changed, cleaned.steps, rows_in, facts, limited, seconds, asides, passages)


def _dealt_out(
    rows: list[Row], recipe: Recipe, kind: RecipeRows, asked: Asked | None, memory: Memory
) -> tuple[Followed, Placed]:
    """What a run that training goes on from says of the rows, and where each of them goes."""
    follow = followed(rows, recipe, kind.answers, kind.kin, memory)
    free = follow.rows
    kin = [kind.kin(row) for row in free]
    templates = asked.templates(free, kin, memory) if asked else None
    known = follow.known(asked.known(free) if asked else None)
    return follow, split_rows(free, recipe, memory, kin, templates, known)


def _read_all(recipe: Recipe, asked: Asked | None, seconds: dict[str, float], progress: Progress) -> list[SourceRows]:
    """All sources, or every source's error at once."""
    names = Counter(map(source_name, recipe.data.sources))
    problems: list[DadeumError] = [
        DataError("data.two_sources", name=name, num=times) for name, times in names.items() if times > 1
    ]
    found = []
    with _timed("read", seconds):
        for number, source in enumerate(recipe.data.sources, start=1):
            try:
                found.append(asked.read(source) if asked else _read(source, recipe))
            except DataError as error:
                problems.append(error)
            progress("data.progress.read", number, len(recipe.data.sources))
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    return found


def _read(source: Source, recipe: Recipe) -> SourceRows:
    if isinstance(recipe.task, Chat):
        return read_conversations(source, recipe.data_seed)
    if isinstance(recipe.task, Summarize):
        return read_dialogues(source, recipe.data_seed)
    return read_rows(source, _decision(recipe), recipe.data_seed)


def _rows(recipe: Recipe, asked: Asked | None, sources: list[SourceRows]) -> tuple[RecipeRows, list[Row]]:
    """All rows that were read, and how to look at them."""
    examples = [example for source in sources for example in source.examples]
    if asked:
        questions = asked.rows(examples)
        return questions, list(questions.rows)
    if isinstance(recipe.task, Chat):
        conversations = Conversations(recipe.task, examples)
        return conversations, list(conversations.rows)
    if isinstance(recipe.task, Summarize):
        dialogues = Dialogues(recipe.task, recipe.render.format, examples)
        return dialogues, list(dialogues.rows)
    return FieldRows(_decision(recipe)), [row for source in sources for row in source.rows]


def _decision(recipe: Recipe) -> Decide:
    """The task that is left when all others have been asked for."""
    if not isinstance(recipe.task, Decide):
        raise AssertionError(f"{recipe.task.type} has no rows with labels")
    return recipe.task


def _facts(source: SourceRows) -> SourceFacts:
    return SourceFacts(
        source.name, source.file_name, source.format, source.encoding, source.sha256, source.num_rows, source.field_map
    )


def _without(rows: list[Row], removed: list[Removed]) -> list[Row]:
    gone = {item.id for item in removed}
    return [row for row in rows if row.id not in gone]


def _count(rows_in: int, splits: dict[str, list[Example]], removed: list[Removed]) -> None:
    """Rows in = rows used + rows removed, each exactly once; anything else is a bug of ours."""
    ids = [example.id for examples in splits.values() for example in examples] + [row.id for row in removed]
    if rows_in != len(ids) or len(set(ids)) != len(ids):
        raise AssertionError(
            f"rows do not add up: {rows_in} read, {len(ids) - len(removed)} used, {len(removed)} removed, "
            f"{len(set(ids))} distinct ids. This is a bug in dadeum.data."
        )


@contextmanager
def _timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
