"""findings.html: the verdict on some data in one sentence, and every finding clicked through to its rows.

One self-contained file that loads nothing, in both languages; without scripts it is Korean and everything is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment

from dadeum.core.examples import SPLITS, Example
from dadeum.core.findings import SEVERITIES, Finding
from dadeum.core.messages import Message
from dadeum.core.pages import environment, printable, visible
from dadeum.core.plugins import find, names
from dadeum.core.run import write_text
from dadeum.core.words import Words, told, worded, wording, wording_or
from dadeum.data.context import Context
from dadeum.data.corpus import Corpus, FileFacts
from dadeum.data.pages.findings_view import OPEN_ROWS, FindingView, check_name, finding_views
from dadeum.data.pages.marks import marked
from dadeum.data.pages.row_file import ROWS_FILE
from dadeum.data.texts.scanning import CHECKS

MAX_REASONS = 2
MAX_LABELS = 12
_BEFORE_CHARACTERS = 500
_TURN_CHARACTERS = 240


def write_findings_page(
    path: Path,
    context: Context,
    findings: Sequence[Finding],
    *,
    corpus: Corpus | None = None,
    verdict: str,
    seconds: float,
    not_run: Sequence[Message] = (),
    title: str,
) -> Path:
    """Write the page; returns its path. The same arguments give the same bytes.

    `verdict` is trainable, fixable or unusable; `corpus` is None where the data is a recipe's own, and the section on
    the files is left out.
    """
    views = finding_views(context, findings)
    sections = ["verdict", *(["files"] if corpus else []), "findings", "details", "silent", "not_run"]
    page = {
        "name": title,
        "kind": wording("doctor.kind"),
        "sections": {section: wording(f"doctor.sections.{section}") for section in sections},
        "context": context,
        "corpus": corpus,
        "verdict": verdict,
        "seconds": seconds,
        "views": views,
        "reasons": main_reasons(findings, views),
        "severities": {
            severity: [view for view in views if view.finding.severity == severity] for severity in SEVERITIES
        },
        "silent": silent_checks(findings, not_run),
        "not_run": [worded(message) for message in not_run],
        "labels": label_counts(context),
    }
    write_text(path, printable(_environment().get_template("findings.html.j2").render(page)))
    return path


@cache
def _environment() -> Environment:
    made = environment("dadeum.data.pages", "doctor", "findings")
    made.globals |= {"after_turns": after_turns, "before_text": before_text, "unread_reasons": unread_reasons}
    made.globals |= {"open_rows": OPEN_ROWS, "rows_file": ROWS_FILE, "splits": SPLITS}
    made.filters["visible"] = visible
    return made


# -- what the sections loop over ------------------------------------------------------------------
def main_reasons(findings: Sequence[Finding], views: Sequence[FindingView]) -> list[FindingView]:
    """The one or two findings that the verdict rests on: of the worst severity, those with the largest share."""
    worst = min((SEVERITIES.index(finding.severity) for finding in findings), default=len(SEVERITIES))
    if worst > SEVERITIES.index("warn"):
        return []
    decisive = [view for view in views if view.finding.severity == SEVERITIES[worst]]
    return sorted(decisive, key=lambda view: -view.finding.count / max(view.finding.total, 1))[:MAX_REASONS]


def silent_checks(findings: Sequence[Finding], not_run: Sequence[Message]) -> list[tuple[str, Words]]:
    """(code, name) of every check that ran and found nothing; those that did not run stand in a message's `checks`."""
    spoke = {finding.name for finding in findings}.union(*(skipped_checks(message) for message in not_run))
    silent = [(find(CHECKS, name).CODE, check_name(name)) for name in names(CHECKS) if name not in spoke]
    return sorted(silent, key=lambda check: check[0])


def skipped_checks(message: Message) -> set[str]:
    """Names of the checks that did not run for the reason that the message gives."""
    skipped = message.values.get("checks", ())
    return set(skipped) if isinstance(skipped, tuple) else set()


@dataclass(frozen=True)
class LabelRow:
    name: Words
    counts: list[int]
    """Rows per split, in the order of SPLITS."""


def label_counts(context: Context) -> list[LabelRow]:
    """The most frequent labels and, as one row, all others; empty where rows have no label."""
    per_split = [Counter(example.label for example in context.splits.get(split, [])) for split in SPLITS]
    ordered = [label for label, _ in context.labels.most_common()]
    rows = [LabelRow(Words(label, label), [counts[label] for counts in per_split]) for label in ordered[:MAX_LABELS]]
    if rest := ordered[MAX_LABELS:]:
        sums = [sum(counts[label] for label in rest) for counts in per_split]
        rows.append(LabelRow(wording("doctor.files.other_labels", num=len(rest)), sums))
    return rows


def unread_reasons(corpus: Corpus) -> list[tuple[Words, int]]:
    """Why rows could not become an Example, the most frequent reason first."""
    counts = Counter(removed.reason for removed in corpus.unread)
    return [(told(f"data.reason.{reason}", {}) or Words(reason, reason), num) for reason, num in counts.most_common()]


def before_text(file: FileFacts) -> str:
    return marked(file.before, (), _BEFORE_CHARACTERS)


def after_turns(example: Example) -> list[tuple[Words, str]]:
    """(role, text) of a converted row: its turns, or input and label."""
    if example.label:
        pairs = [("doctor.parts.input", example.text), ("doctor.parts.label", example.label)]
    else:
        turns = [*example.prompt, *example.completion]
        pairs = [(f"doctor.roles.{turn['role']}", turn["content"]) for turn in turns]
        pairs += [("doctor.parts.rejected", turn["content"]) for turn in example.rejected]
        pairs = pairs or [("doctor.parts.input", example.text)]
    return [(wording_or(key, key.rpartition(".")[2]), marked(text, (), _TURN_CHARACTERS)) for key, text in pairs]
