"""A blind vote between two runs: the same questions, two answers each, left and right drawn with the seed.

Who wrote what stands in the key alone. It keeps a hash of every row, so that a file that was edited, or one of
another vote, is noticed. Answers that say the same are left out and counted: nobody can prefer one of them.
"""

from __future__ import annotations

import hashlib
import json
import random
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dadeum.core.errors import RunError
from dadeum.core.examples import Example, read_examples
from dadeum.core.measured import Part
from dadeum.core.run import Run, read_json
from dadeum.documents.stored import read_chunks
from dadeum.evaluation.answers.compare import read_judged
from dadeum.evaluation.answers.scores import AnswerSample
from dadeum.evaluation.comparison.entrants import names_of
from dadeum.evaluation.comparison.same_rows import require_same_rows
from dadeum.tasks import answer

TASKS = ("chat", "summarize", "answer")
"""Whose answers are free text, which people can compare."""
System = Literal["a", "b"]


@dataclass(frozen=True)
class Shown:
    """A row as voters see it."""

    row: str
    """`<vote>-<number>`."""
    question: str
    """With the turns before it, where there are any."""
    chunks: dict[str, str]
    """`shown`, or `shown_left` and `shown_right` where two retrievers found different ones; empty without chunks."""
    left: str
    right: str


class KeyRow(Part):
    """What a row of the file hides."""

    row: str
    id: str
    hash: str
    """Of what voters see (`row_hash`)."""
    left: System
    prompt: list[dict[str, str]]
    """What both were asked; empty where they were shown different chunks: no pair to learn from."""
    a: str
    b: str


class Key(Part):
    """Who wrote what, in a file of its own that voters do not get."""

    vote: str
    """Begins with a letter, so that no spreadsheet reads it as a number or a date."""
    task: str
    a: str
    """Names of the runs."""
    b: str
    seed: int
    num_same: int
    """Answered rows that were left out: both answers say the same."""
    num_not_drawn: int
    rows: list[KeyRow]


@dataclass(frozen=True)
class Vote:
    rows: list[Shown]
    key: Key


def draw_vote(first: Run, second: Run, number: int, seed: int) -> Vote:
    """`number` rows that both runs answered differently; RunError where there is nothing to vote on."""
    if first.folder.resolve() == second.folder.resolve():
        raise RunError("compare.same_run", folder=first.folder)
    task = _task(first, second)
    old, new = (_answered(run) for run in (first, second))
    differing = [row for row, _ in enumerate(old) if not _same(old[row], new[row])]
    if not differing:
        raise RunError("compare.votes.all_same", num=len(old))
    drawn = _draw(differing, [row.group for row in old], number, seed)
    left = _sides(len(drawn), seed)
    passages = _Passages(first), _Passages(second)
    name_a, name_b = names_of([first.folder, second.folder])
    said = [[name_a, name_b, seed], *([old[row].id, *_texts(old[row], new[row])] for row in drawn)]
    vote = "v" + _digest(json.dumps(said, ensure_ascii=False))[:7]
    rows, keys = [], []
    for place, row in enumerate(drawn):
        shown, prompt = _shown(f"{vote}-{place + 1:03d}", task, (old[row], new[row]), passages, left[place])
        rows.append(shown)
        a, b = _texts(old[row], new[row])
        digest = row_hash(fields(shown))
        keys.append(KeyRow(row=shown.row, id=old[row].id, hash=digest, left=left[place], prompt=prompt, a=a, b=b))
    num_same, rest = len(old) - len(differing), len(differing) - len(drawn)
    key = Key(vote=vote, task=task, a=name_a, b=name_b, seed=seed, num_same=num_same, num_not_drawn=rest, rows=keys)
    return Vote(rows, key)


def fields(row: Shown) -> dict[str, str]:
    """What stands in the file of a row, but for the vote."""
    return {"row": row.row, "question": row.question, **row.chunks, "left": row.left, "right": row.right}


def row_hash(cells: dict[str, str]) -> str:
    """The same after a spreadsheet has saved the file: white space, and letters that cp949 lacks, do not count."""
    said = [[name, _lasting(cell)] for name, cell in sorted(cells.items()) if cell]
    return _digest(json.dumps(said, ensure_ascii=False))


def _lasting(cell: str) -> str:
    kept = unicodedata.normalize("NFC", cell).encode("cp949", errors="ignore").decode("cp949")
    return "".join(kept.replace("?", "").split())


def _digest(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()


# -- which rows -----------------------------------------------------------------------------------
def _task(first: Run, second: Run) -> str:
    tasks = []
    for run in (first, second):
        run.require(run.scores_path, "evaluate")
        tasks.append(str(read_json(run.scores_path).get("task", "decide")))
        if tasks[-1] not in TASKS:
            raise RunError("compare.votes.no_free_text", folder=run.folder, task=tasks[-1], known=", ".join(TASKS))
    if tasks[0] != tasks[1]:
        values = {"first": first.folder, "task_first": tasks[0], "second": second.folder, "task_second": tasks[1]}
        raise RunError("evaluate.compare.different_tasks", **values)
    (old_scores, old), (new_scores, new) = read_judged(first), read_judged(second)
    require_same_rows((first, second), [old_scores.compared_by, new_scores.compared_by], [old, new])
    return tasks[0]


def _answered(run: Run) -> list[AnswerSample]:
    return read_judged(run)[1]


def _texts(old: AnswerSample, new: AnswerSample) -> tuple[str, str]:
    return old.answers["tuned"], new.answers["tuned"]


def _same(old: AnswerSample, new: AnswerSample) -> bool:
    one, other = _texts(old, new)
    return one.split() == other.split()


def _draw(rows: Sequence[int], groups: Sequence[str], number: int, seed: int) -> list[int]:
    """One row of every group before a second of any: questions about one document say less than their number."""
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    seen: Counter[str] = Counter()
    turn: dict[int, int] = {}
    for row in shuffled:
        seen[groups[row]] += 1
        turn[row] = seen[groups[row]]
    return sorted(shuffled, key=turn.__getitem__)[:number]


def _sides(number: int, seed: int) -> list[System]:
    """Who stands left: each system half of the time, so that a habit of voters for one side cancels out."""
    sides: list[System] = [*(["a"] * (number // 2)), *(["b"] * (number // 2))]  # type: ignore[list-item]
    chance = random.Random(f"left {seed}")
    if number % 2:
        sides.append(chance.choice(("a", "b")))
    chance.shuffle(sides)
    return sides


# -- what voters see --------------------------------------------------------------------------------
class _Passages:
    """The rows and chunks of a run that answers from documents; nothing of other tasks."""

    def __init__(self, run: Run) -> None:
        test, chunks = run.split_path("test"), run.split_path("chunks")
        self.rows: dict[str, Example] = {row.id: row for row in read_examples(test)} if test.exists() else {}
        self.chunks = {chunk.id: chunk for chunk in read_chunks(chunks)} if chunks.exists() else {}

    def shown(self, sample: AnswerSample) -> str:
        """The numbered chunks as the prompt gave them."""
        ids = answer.shown(self.rows[sample.id]) if sample.id in self.rows else []
        found = [self.chunks[each] for each in ids if each in self.chunks]
        return answer.numbered(found)


def _shown(
    row: str, task: str, samples: tuple[AnswerSample, AnswerSample], passages: tuple[_Passages, _Passages], left: System
) -> tuple[Shown, list[dict[str, str]]]:
    """The row as it is shown, and what both were asked."""
    old, _ = samples
    known = passages[0].rows.get(old.id)
    asked = known.text if known and task != "chat" else old.question
    question = "\n".join([*(f"[{turn['role']}] {turn['content']}" for turn in old.before), asked])
    prompt = [*old.before, {"role": "user", "content": old.question}]
    chunks: dict[str, str] = {}
    if task == "answer":
        one, other = (each.shown(sample) for each, sample in zip(passages, samples, strict=True))
        if one == other:
            chunks = {"shown": one}
        else:
            prompt = []
            sides = (one, other) if left == "a" else (other, one)
            chunks = dict(zip(("shown_left", "shown_right"), sides, strict=True))
        question = asked
    a, b = _texts(*samples)
    shown = Shown(row, question, chunks, *((a, b) if left == "a" else (b, a)))
    return shown, prompt
