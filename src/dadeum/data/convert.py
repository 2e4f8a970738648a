"""`dadeum data build FILE`: any file that `corpus` understands → one JSONL per split in TRL's shape.

What is written reads back to the same turns, labels and facts. Every row that is not used, or used otherwise than
it was read, stands in removed.parquet.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dadeum.core.clean_steps import CleanStep
from dadeum.core.errors import DataError
from dadeum.core.examples import SPLITS, Example
from dadeum.core.messages import Message
from dadeum.core.progress import Progress, silent
from dadeum.core.run import atomic
from dadeum.data.build import removed_table
from dadeum.data.corpus import Corpus, FileFacts, Given, read_corpus
from dadeum.data.engine import keeping_objects
from dadeum.data.formats import alpaca, messages, preference, prompt_completion
from dadeum.data.formats._beside import KEPT, STANDARD
from dadeum.data.formats.base import SYSTEM
from dadeum.data.reading.columns import plain_name
from dadeum.data.repairs.cleaning import Cleaned, StepCount, clean_examples

REMOVED_FILE = "removed.parquet"
_FIELDS = {
    plain_name(name)
    for module in (preference, messages, alpaca, prompt_completion)
    for names in module.NEEDS.values()
    for name in names
} | {plain_name(name) for name in (*SYSTEM, *STANDARD["split"], "task")}
"""Names that the reader would take for something that the model sees, or for the split."""


@dataclass(frozen=True)
class Shown:
    """One row of a file, for the eye."""

    name: str
    before: str
    """As it stands in the file."""
    after: str | None
    """As it was written; None when cleaning removed it."""


@dataclass(frozen=True)
class Converted:
    """Counts of a conversion; rows in = used + removed."""

    folder: Path
    task: str
    rows_in: int
    used: dict[str, int]
    """Rows per split that has any."""
    removed: dict[str, int]
    """Rows per reason, commonest first."""
    changed: int
    """Rows that are used otherwise than they were read."""
    steps: list[StepCount]
    """What each clean step did, in its order."""
    files: list[FileFacts]
    shown: list[Shown]
    """One row per file."""
    notes: list[Message]
    """What was guessed while reading."""


def convert_files(
    files: Sequence[Given],
    out: Path,
    task: str | None = None,
    clean: Sequence[CleanStep] = (),
    seed: int = 42,
    progress: Progress = silent,
) -> Converted:
    """Read, clean, and write `<out>/<split>.jsonl` and `<out>/removed.parquet`; nothing is written before all can be.

    Raises DataError for files that cannot be read, for a folder that holds one of them, or files of another maker,
    under a name to be written, and when no row is left.
    """
    _keep_others(files, out)
    corpus = read_corpus(files, task, progress)
    split_of = {example.id: split for split, examples in corpus.splits.items() for example in examples}
    every = [example for examples in corpus.splits.values() for example in examples]
    with keeping_objects():
        line = partial(line_of, task=corpus.task)
        cleaned = clean_examples(every, clean, seed=seed, split_of=split_of, line_of=line, progress=progress)
    reasons = Counter(row.reason for row in (*corpus.unread, *cleaned.removed))
    if not cleaned.examples:
        listed = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
        raise DataError("data.nothing_left", reasons=listed)
    # First, because it also says whose folder this is: a run that is stopped here can be run again.
    with atomic(out / REMOVED_FILE) as temporary:
        pq.write_table(removed_table([*corpus.unread, *cleaned.removed, *cleaned.changed]), temporary)
    used = _write_splits(cleaned.examples, split_of, corpus.task, out)
    return Converted(
        out, corpus.task, len(every) + len(corpus.unread), used, dict(reasons.most_common()), len(cleaned.changed),
        cleaned.steps, corpus.files, _shown(corpus, cleaned), corpus.notes,
    )  # fmt: skip


def line_of(example: Example, task: str) -> dict[str, Any]:
    """An example as a line of JSONL: prompt and completion (or chosen and rejected), label, task, facts beside it."""
    line: dict[str, Any] = {"id": example.id, "prompt": example.prompt}
    if example.rejected:
        line |= {"chosen": example.completion, "rejected": example.rejected}
    else:
        line["completion"] = example.completion
    line |= ({"label": example.label} if example.label else {}) | {"task": task}
    for name, value in example.extra.items():
        taken = plain_name(name) in _FIELDS or (name in line and name != "id")
        line[KEPT + name if taken else name] = value
    return line


def _keep_others(files: Sequence[Given], out: Path) -> None:
    written = {(out / name).resolve() for name in (*(f"{split}.jsonl" for split in SPLITS), REMOVED_FILE)}
    for given in files:
        if given.path.resolve() in written:
            raise DataError("data.would_overwrite", path=given.path, folder=out)
    foreign = [] if (out / REMOVED_FILE).exists() else [path for path in sorted(written) if path.exists()]
    if foreign:
        raise DataError("data.not_ours", path=foreign[0], folder=out)


def _write_splits(examples: Iterable[Example], split_of: dict[str, str], task: str, out: Path) -> dict[str, int]:
    """One file per split that has rows; a file that an earlier conversion left for another split goes."""
    by_split: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for example in examples:
        by_split[split_of[example.id]].append(example)
    for split, rows in by_split.items():
        path = out / f"{split}.jsonl"
        if not rows:
            path.unlink(missing_ok=True)
            continue
        with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(line_of(row, task), ensure_ascii=False) + "\n" for row in rows)
    return {split: len(rows) for split, rows in by_split.items() if rows}


def _shown(corpus: Corpus, cleaned: Cleaned) -> list[Shown]:
    wanted = {facts.after.id for facts in corpus.files}
    after = {example.id: line_of(example, corpus.task) for example in cleaned.examples if example.id in wanted}
    return [
        Shown(facts.name, facts.before, json.dumps(line, ensure_ascii=False) if line else None)
        for facts in corpus.files
        for line in [after.get(facts.after.id)]
    ]
