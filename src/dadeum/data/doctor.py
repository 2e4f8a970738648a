"""`dadeum data check FILE`: is this data worth training on? All checks on files without a recipe, and one verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dadeum.core.findings import Finding, Verdict, verdict_of
from dadeum.core.messages import Message
from dadeum.core.plugins import names
from dadeum.core.progress import Progress, silent
from dadeum.data.check import run_checks
from dadeum.data.context import Context
from dadeum.data.corpus import Corpus, Given, read_corpus
from dadeum.data.engine import keeping_objects
from dadeum.data.results import not_run, skipped_checks, write_results
from dadeum.data.texts.asked import told
from dadeum.data.texts.scanning import CHECKS

if TYPE_CHECKING:
    from dadeum.data.lengths.budget import Budget


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor says about some files."""

    corpus: Corpus
    context: Context
    """The rows that the findings' hits point into."""
    findings: list[Finding]
    """Worst first."""
    num_checks: int
    """Checks that were run, silent ones included."""
    seconds: float
    not_run: list[Message] = field(default_factory=list)
    """Checks that looked at a sample or at nothing, and why."""

    @property
    def verdict(self) -> Verdict:
        return verdict_of(self.findings)


def check_files(
    files: Sequence[Given],
    task: str | None = None,
    tokenizers: Sequence[str] = (),
    max_length_tokens: int = 2048,
    full: bool = False,
    seed: int = 42,
    progress: Progress = silent,
) -> Diagnosis:
    """Read the files and run every check; `tokenizers` are measured against `max_length_tokens`.

    Raises DataError for files that cannot be read or recognised, ModelError for an unknown tokenizer.
    """
    started = time.perf_counter()
    with keeping_objects():
        corpus = read_corpus(files, task, progress)
        context = Context(
            corpus.splits, corpus.task, unread=corpus.unread, passages=corpus.passages, full=full, seed=seed
        )
        corpus.notes.extend(told(context.asked, context.passages))
        context.budgets.extend(_budgets(context, tokenizers, max_length_tokens))
        findings = run_checks(context, progress)
    seconds = time.perf_counter() - started
    unlooked = not_run(context)
    skipped = {name for message in unlooked for name in skipped_checks(message)}
    return Diagnosis(corpus, context, findings, len(set(names(CHECKS)) - skipped), seconds, unlooked)


def _budgets(context: Context, tokenizers: Sequence[str], max_length_tokens: int) -> list[Budget]:
    if not tokenizers:
        return []
    # Imported here: only a tokenizer needs transformers.
    from dadeum.data.lengths.budget import measure_budget

    examples = [example for _, example in context.placed]
    return [measure_budget(examples, name, max_length_tokens, context.full, context.seed) for name in tokenizers]


def write_diagnosis(diagnosis: Diagnosis, folder: Path) -> Path:
    """Write findings.jsonl, rows.parquet and findings.html; returns the page's path."""
    title = ", ".join(file.name for file in diagnosis.corpus.files)
    return write_results(folder, diagnosis.context, diagnosis.findings, diagnosis.seconds, title, diagnosis.corpus)
