"""`dadeum data check FILE`: is this data worth training on? All checks on files without a recipe, and one verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dadeum.core.findings import Finding
from dadeum.core.messages import Message
from dadeum.core.plugins import names
from dadeum.core.progress import Progress, silent
from dadeum.data.check import run_checks
from dadeum.data.context import Context
from dadeum.data.corpus import Corpus, Given, read_corpus
from dadeum.data.engine import keeping_objects
from dadeum.data.scanning import CHECKS

Verdict = Literal["trainable", "fixable", "unusable"]


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
        """unusable: a finding blocks; fixable: there are warnings; trainable: nothing stands against it."""
        severities = {finding.severity for finding in self.findings}
        return "unusable" if "block" in severities else "fixable" if "warn" in severities else "trainable"


def check_files(
    files: Sequence[Given], task: str | None = None, full: bool = False, seed: int = 42, progress: Progress = silent
) -> Diagnosis:
    """Read the files and run every check. Raises DataError for files that cannot be read or recognised."""
    started = time.perf_counter()
    with keeping_objects():
        corpus = read_corpus(files, task, progress)
        context = Context(corpus.splits, corpus.task, unread=corpus.unread, full=full, seed=seed)
        findings = run_checks(context, progress)
    return Diagnosis(corpus, context, findings, len(names(CHECKS)), time.perf_counter() - started)
