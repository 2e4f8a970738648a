"""What an answerer is shown with each question: the right chunks among similar ones, or what a search really finds.

Rows to learn from have the right chunk in a place drawn by seed; of some it is kept back, and a refusal is taught.
Test rows have what was found, in the order in which it was found; where the right chunk is not among it, a refusal is
the right answer.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from dadeum.core.examples import Example, answer_of
from dadeum.core.messages import Message
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.task import Answer
from dadeum.data.passages.corpus import Passages
from dadeum.data.questions.search import Search
from dadeum.data.similar.repeats import bare
from dadeum.data.texts.questions import support
from dadeum.documents.chunks import Chunk
from dadeum.tasks import answer, retrieve

SPARE = 30
"""Looked at beyond the chunks that are shown: some hold the answer, too, and are no wrong ones."""
MIN_TOLD = 4
"""Letters of an answer from which a chunk that has them all in a row holds the answer."""
_ROWS_AT_ONCE = 512


HasRoom = Callable[[Example], bool]
"""Whether a row is within the token limit."""
KINDS: tuple[answer.Kind, ...] = get_args(answer.Kind)


@dataclass
class Counts:
    """What was done to the rows, to be told."""

    shortened: Counter[str] = field(default_factory=Counter)
    """Split → rows that are shown fewer chunks for their length."""
    left_out: int = 0
    """Chunks that were not shown for it."""
    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    """Split → kind → rows."""

    def notes(self, task: Answer) -> Iterator[Message]:
        for split, kinds in self.kinds.items():
            values = {"split": split, "total": kinds.total(), "chunks": task.chunks}
            yield Message("data.passages.kinds", values | {name: kinds[name] for name in KINDS})
        if self.shortened:
            values = {"num": self.shortened.total(), "chunks": self.left_out}
            yield Message("data.passages.shortened", values)


@dataclass(frozen=True)
class Contexts:
    """Makes questions into rows of the task `answer`."""

    recipe: Recipe
    task: Answer
    passages: Passages
    search: Search
    narrowed: Collection[str] = ()
    """Rows of which only the document is known for sure: none of its other chunks is shown as a wrong one."""
    has_room: HasRoom | None = None
    counts: Counts = field(default_factory=Counts)

    def fill(self, splits: dict[str, list[Example]], progress: Progress = silent) -> dict[str, list[Example]]:
        """The same rows with prompts, and the answers that fit them."""
        filled: dict[str, list[Example]] = {}
        done, total = 0, sum(map(len, splits.values()))
        for split, rows in splits.items():
            kept_back = self._kept_back(rows)
            filled[split] = []
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                block = rows[start : start + _ROWS_AT_ONCE]
                filled[split] += self._block(split, block, kept_back)
                done += len(block)
                progress("data.progress.contexts", done, total)
            self.counts.kinds[split] = Counter(row.extra[answer.KIND] for row in filled[split])
        return filled

    def _block(self, split: str, rows: Sequence[Example], kept_back: set[str]) -> Iterator[Example]:
        find = self.search.tested if split == "test" else self.search.taught
        depth = self.task.chunks + SPARE
        show = self._found if split == "test" else self._taught
        for row, places in zip(rows, find([row.text for row in rows], depth), strict=True):
            ranked = [self.passages.chunks[at] for at in places]
            yield show(split, row, ranked, row.id in kept_back)

    def _kept_back(self, rows: Sequence[Example]) -> set[str]:
        """Ids of the rows whose right chunk is not shown: the share that the recipe wants of those that have one."""
        able = [row.id for row in rows if retrieve.relevant(row)]
        drawn = sorted(able, key=lambda name: _digest(f"{self.recipe.data_seed}:unanswerable:{name}"))
        return set(drawn[: round(self.task.unanswerable * len(able))])

    # -- rows to learn from ------------------------------------------------------------------------
    def _taught(self, split: str, row: Example, ranked: list[Chunk], is_kept_back: bool) -> Example:
        gold = [] if is_kept_back else [self.passages.by_id[name] for name in retrieve.relevant(row)]
        draw = random.Random(_digest(f"{self.recipe.data_seed}:{row.id}"))
        wrong = self._wrong(row, ranked, max(0, self.task.chunks - len(gold)), draw)
        order = [*gold, *wrong]
        draw.shuffle(order)

        def made(num_wrong: int) -> Example:
            shown = [chunk for chunk in order if chunk in gold or chunk in wrong[:num_wrong]]
            return self._row(row, shown, gold, is_kept_back)

        return self._fitted(split, made, len(wrong))

    def _wrong(self, row: Example, ranked: Sequence[Chunk], num: int, draw: random.Random) -> list[Chunk]:
        """The most similar chunks that do not hold the answer, best first; others drawn where too few share a word."""
        holds = self._holds(row)
        found = [chunk for chunk in ranked if not holds(chunk)][:num]
        everything = self.passages.chunks
        for at in draw.sample(range(len(everything)), min(len(everything), SPARE)) if len(found) < num else ():
            if len(found) < num and everything[at] not in found and not holds(everything[at]):
                found.append(everything[at])
        return found

    def _holds(self, row: Example) -> Callable[[Chunk], bool]:
        """Whether a chunk is right, says the same as a right one, may be one, or has the answer's very letters."""
        right = self._right(row)
        told = bare(answer_of(row))
        texts = {self.passages.by_id[name].text for name in right}
        near = {one for name in right for one in self._overlapping(name)}
        if row.id in self.narrowed:
            near |= {part.id for name in right for part in self.passages.chunks_of(self.passages.document_of(name))}

        def holds(chunk: Chunk) -> bool:
            if chunk.id in right or chunk.text in texts or chunk.id in near:
                return True
            return len(told) >= MIN_TOLD and told in bare(chunk.text)

        return holds

    def _right(self, row: Example) -> set[str]:
        return set(retrieve.relevant(row))

    def _overlapping(self, name: str) -> Iterator[str]:
        """The next chunk where it repeats letters of this one, the one before where this one repeats some of it."""
        chunk, at = self.passages.by_id[name], self.passages.place[name]
        before = self.passages.chunks[at - 1] if at else None
        after = self.passages.chunks[at + 1] if at + 1 < len(self.passages.chunks) else None
        if before is not None and chunk.repeated and before.document == chunk.document:
            yield before.id
        if after is not None and after.repeated and after.document == chunk.document:
            yield after.id

    # -- rows to be judged by ----------------------------------------------------------------------
    def _found(self, split: str, row: Example, ranked: list[Chunk], is_kept_back: bool) -> Example:
        holds = self._holds(row)
        right = [chunk for chunk in ranked if self._is_right(row, chunk)]
        if is_kept_back:
            ranked = [chunk for chunk in ranked if not holds(chunk)]
            right = []
        shown = ranked[: self.task.chunks]

        def made(num: int) -> Example:
            # What stands last goes first, the right one too: whoever asks does not know which one it is.
            return self._row(row, shown[:num], [chunk for chunk in shown[:num] if chunk in right], is_kept_back)

        return self._fitted(split, made, len(shown))

    def _is_right(self, row: Example, chunk: Chunk) -> bool:
        """One that a person named, one of its very text, or one beside it that holds the answer."""
        right = self._right(row)
        if chunk.id in right or chunk.text in {self.passages.by_id[name].text for name in right}:
            return True
        told = bare(answer_of(row))
        if row.id in self.narrowed and chunk.document in {self.passages.by_id[name].document for name in right}:
            # Somebody named the document: whichever of its chunks says so is right.
            return not support(row.text, answer_of(row), chunk.text).is_lacking
        near = {one for name in right for one in self._overlapping(name)}
        return chunk.id in near and len(told) >= MIN_TOLD and told in bare(chunk.text)

    # -- both --------------------------------------------------------------------------------------
    def _fitted(self, split: str, made: Callable[[int], Example], num: int) -> Example:
        """With as many of `num` chunks as there is room for; the row itself is judged by the limit later."""
        row = made(num)
        if self.has_room is None or self.has_room(row):
            return row
        for fewer in range(num - 1, -1, -1):
            shorter = made(fewer)
            if self.has_room(shorter):
                self.counts.shortened[split] += 1
                self.counts.left_out += num - fewer
                return shorter
        return row

    def _row(self, row: Example, shown: Sequence[Chunk], right: Sequence[Chunk], is_kept_back: bool) -> Example:
        if right:
            kind: answer.Kind = "answerable"
        else:
            kind = "unanswerable" if is_kept_back or not retrieve.relevant(row) else "missed"
        cited = [at for at, chunk in enumerate(shown, start=1) if chunk in right]
        extra = row.extra | {
            answer.SHOWN: retrieve.as_extra([chunk.id for chunk in shown]),
            answer.KIND: kind,
        }
        completion = answer.completion(self.task, answer_of(row), cited) if right else answer.refusal(self.task)
        if not right and answer_of(row):
            extra[answer.GOLD_ANSWER] = answer_of(row)
        return replace(row, prompt=answer.prompt(self.task, row.text, shown), completion=completion, extra=extra)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
