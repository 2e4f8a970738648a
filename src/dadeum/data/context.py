"""What a check gets to see, and how it says what it found."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from dadeum.core.examples import Example, answer_of, parts
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.core.recipe import Checks, Recipe
from dadeum.core.task import Decide
from dadeum.data.lengths.budget import Budget
from dadeum.data.lengths.token_lengths import TokenLengths
from dadeum.data.rows import Removed
from dadeum.data.similar.fingerprints import MAX_TEXTS, Memory
from dadeum.data.similar.pairs import Pairs, pairs_of
from dadeum.data.texts.asked import TASKS as TASKS_WITH_DOCUMENTS
from dadeum.data.texts.asked import Asked, Documents, asked_of
from dadeum.data.texts.sentences import Sentences, analyse_answers
from dadeum.tasks.decide import Parsed, parse

MAX_SHOWN = 3
_MAX_TEXT_CHARACTERS = 200
_BEFORE_MARK_CHARACTERS = 60


class Tokens(Protocol):
    """What the tokenizer makes of the labels; `tokens.TokenCounter` is one."""

    label_spans: list[list[int]]
    """Token ids that tell the labels apart, in the order of `task.labels`."""


@dataclass(frozen=True)
class Context:
    """All rows of a data set. Lazy parts are computed once for all checks."""

    splits: dict[str, list[Example]]
    task: str = "decide"
    """Kind of job: decide, chat, summarize, answer, retrieve, prefer or text (no answers)."""
    recipe: Recipe | None = None
    """None: a file is looked at before there is a recipe."""
    settings: Checks = field(default_factory=Checks)
    """Thresholds; the recipe's own when there is one."""
    unread: list[Removed] = field(default_factory=list)
    """Rows of the files that could not become an Example, with the reason."""
    tokens: Tokens | None = None
    """None: label_collision is silent."""
    lengths: TokenLengths | None = None
    """None: token_length is silent."""
    budgets: list[Budget] = field(default_factory=list)
    """Token counts under each tokenizer that was asked for; empty: token_budget is silent."""
    passages: Documents | None = None
    """What questions are asked about; None: checks that compare questions with it are silent."""
    full: bool = False
    """Slow checks look at every row and not at a sample."""
    seed: int = 42

    @cached_property
    def placed(self) -> list[tuple[str, Example]]:
        """(split, example) of all splits, in their order; a Hit's `row` is a position in it."""
        return [(split, example) for split, examples in self.splits.items() for example in examples]

    @property
    def num_rows(self) -> int:
        return len(self.placed)

    @cached_property
    def labels(self) -> Counter[str]:
        """Rows per label over all splits; empty where rows have none."""
        return Counter(example.label for _, example in self.placed if example.label)

    @cached_property
    def memory(self) -> Memory:
        """Fingerprints of all texts, for checks that compare them."""
        memory = Memory()
        if self.num_rows <= MAX_TEXTS:
            memory.of([example.text for _, example in self.placed])
        return memory

    @cached_property
    def pairs(self) -> Pairs:
        """Inputs and answers of all rows as numbers, for checks that look for repetition."""
        return pairs_of(example for _, example in self.placed)

    def sample(self, rows: Sequence[int], most: int) -> list[int]:
        """At most `most` of the rows, drawn with the seed, in their order; all of them when `full`."""
        if self.full or len(rows) <= most:
            return list(rows)
        return sorted(random.Random(self.seed).sample(rows, most))

    def labelled(self, most: int, min_class_rows: int) -> tuple[list[int], int]:
        """(rows for a probe of the labels: a sample of at most `most`, without rare labels; rows with a label)."""
        rows = [row for row, (_, example) in enumerate(self.placed) if example.label]
        chosen = self.sample(rows, most)
        counts = Counter(self.placed[row][1].label for row in chosen)
        return [row for row in chosen if counts[self.placed[row][1].label] >= min_class_rows], len(rows)

    @cached_property
    def sentences(self) -> Sentences:
        """The answers' sentences with their speech levels; of a sample of the rows unless `full`."""
        examples = [example for _, example in self.placed]
        return analyse_answers(examples, self.full, self.seed, is_text=self.task == "text")

    @cached_property
    def asked(self) -> list[Asked]:
        """Questions about documents; empty for other tasks, and for a file whose rows name no documents."""
        if self.task not in TASKS_WITH_DOCUMENTS:
            return []
        return asked_of(self.placed, self.passages, is_run=self.recipe is not None)

    @property
    def decision(self) -> Decide | None:
        """The recipe's task where it decides by labels; None for other tasks and without a recipe."""
        task = self.recipe.task if self.recipe is not None else None
        return task if isinstance(task, Decide) else None

    @cached_property
    def parsed(self) -> list[Parsed]:
        """Every answer as the recipe's task reads it; empty where it does not decide by labels."""
        task = self.decision
        return [] if task is None else [parse(task, answer_of(example)) for _, example in self.placed]

    def finding(
        self,
        code: str,
        name: str,
        severity: Severity,
        hits: Iterable[Hit],
        values: Mapping[str, Any] | None = None,
        total: int | None = None,
    ) -> list[Finding]:
        """One Finding over the distinct rows of `hits`, in a list; no hit, no finding. `total` None is all rows."""
        hits = list(hits)
        if not hits:
            return []
        rows = dict.fromkeys(hit.row for hit in hits)
        first = {hit.row: hit for hit in reversed(hits)}
        shown = [self.shown(first[row]) for row, _ in zip(rows, range(MAX_SHOWN), strict=False)]
        total = self.num_rows if total is None else total
        return [Finding(code, name, severity, len(rows), total, dict(values or {}), shown, hits)]

    def shown(self, hit: Hit) -> dict[str, Any]:
        """The row of a hit: id, split, text around the place, `mark` in that text, and what was found."""
        split, example = self.placed[hit.row]
        text = self.text_of(hit)
        start = max(0, hit.start - _BEFORE_MARK_CHARACTERS) if hit.end > hit.start else 0
        row: dict[str, Any] = {"id": example.id, "split": split, "text": short(text[start:], start > 0)}
        if hit.end > hit.start:
            offset = start - (1 if start > 0 else 0)
            row |= {"part": hit.part, "mark": [hit.start - offset, min(hit.end - offset, len(row["text"]))]}
        return row | (hit.found or {})

    def text_of(self, hit: Hit) -> str:
        """The text that the hit's `start` and `end` count in."""
        example = self.placed[hit.row][1]
        if not hit.part:
            return example.text
        return next((part.text for part in parts(example) if part.name == hit.part), example.text)


def short(text: str, begun: bool = False) -> str:
    """The beginning of a text; `begun` marks that it does not begin here."""
    cut = text if len(text) <= _MAX_TEXT_CHARACTERS else text[:_MAX_TEXT_CHARACTERS] + "…"
    return "…" + cut if begun else cut


def listed(counts: Counter[str], most: int = 5) -> str:
    """`'spam' 12, 'ham' 3`, the most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in counts.most_common(most))
