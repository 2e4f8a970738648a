"""What a check leaves behind: findings.jsonl for programs, rows.parquet with every place, findings.html for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dadeum.core.findings import Finding, verdict_of, write_findings
from dadeum.core.messages import Message
from dadeum.data.context import Context
from dadeum.data.corpus import Corpus
from dadeum.data.pages.findings_page import skipped_checks, write_findings_page
from dadeum.data.pages.row_file import ROWS_FILE, write_rows
from dadeum.data.similar.fingerprints import MAX_TEXTS

__all__ = ["PAGE_FILE", "not_run", "skipped_checks", "write_results"]

PAGE_FILE = "findings.html"
FEW_ROWS = 50
"""Below, checks that judge by a share are silent for want of rows: `few_texts` and `answer_starts` ask for so many."""


def write_results(
    folder: Path,
    context: Context,
    findings: Sequence[Finding],
    seconds: float,
    title: str,
    corpus: Corpus | None = None,
) -> Path:
    """Write all three into the folder; returns the page's path. `corpus` None: the rows are a recipe's own."""
    folder.mkdir(parents=True, exist_ok=True)
    write_findings(folder / "findings.jsonl", list(findings))
    write_rows(folder / ROWS_FILE, context, findings)
    return write_findings_page(
        folder / PAGE_FILE,
        context,
        findings,
        corpus=corpus,
        verdict=verdict_of(findings),
        seconds=seconds,
        not_run=not_run(context),
        title=title,
    )


def not_run(context: Context) -> list[Message]:
    """What was looked at in part, or not at all, and how to have it looked at."""
    messages = []
    if context.num_rows < FEW_ROWS:
        messages.append(Message("doctor.not_run.few_rows", {"num": context.num_rows}))
    if "sentences" in context.__dict__ and context.sentences.num_sampled < context.sentences.num_rows:
        counts = {"num": context.sentences.num_sampled, "total": context.sentences.num_rows}
        messages.append(Message("doctor.not_run.sampled", counts))
    if context.num_rows > MAX_TEXTS:
        messages.append(Message("doctor.not_run.blocks", {"most": MAX_TEXTS}))
    if not context.budgets and context.lengths is None:
        messages.append(Message("doctor.not_run.tokenizer", {"checks": ("token_budget", "token_length")}))
    if sum(map(bool, context.splits.values())) < 2:
        messages.append(Message("doctor.not_run.splits", {"checks": ("split_leakage", "group_leakage")}))
    if context.asked and context.passages is None:
        checks = ("missing_chunks", "unsupported_answers", "unasked_chunks")
        messages.append(Message("doctor.not_run.documents", {"checks": checks}))
    if context.recipe is None:
        messages.append(Message("doctor.not_run.recipe", {"checks": ("unknown_label", "label_collision")}))
    return messages
