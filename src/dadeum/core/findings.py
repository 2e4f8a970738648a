"""Finding: what a check saw, how bad it is, and the rows that show it; stored in findings.jsonl.

The sentences live in `locales/` under `checks.<name>.{title,effect,action}`, filled from `values`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from dadeum.core.run import read_jsonl, write_jsonl

Severity = Literal["block", "warn", "info"]
Verdict = Literal["trainable", "fixable", "unusable"]
SEVERITIES: tuple[Severity, ...] = ("block", "warn", "info")


class Span(NamedTuple):
    """A place in one text, in characters: text[start:end]."""

    start: int
    end: int
    found: str = ""
    """Kind of what was found, where a check knows several (`rrn`, `zero_width`); never a user's text."""


class Hit(NamedTuple):
    """A row that a check points at, and where in it."""

    row: int
    """Position among all rows that the check was given (`Context.placed`)."""
    part: str = ""
    """Name of the text (`examples.Part`); empty for the row as a whole."""
    start: int = 0
    end: int = 0
    """Characters of that text; start = end marks nothing."""
    found: dict[str, Any] | None = None
    """What was found there: numbers, a kind, the id of another row."""


@dataclass(frozen=True)
class Finding:
    """One check's result on one data set; a silent check makes none."""

    code: str
    """Stable identifier such as `DA201`."""
    name: str
    """Name in `checks.block_on`, such as `single_class`."""
    severity: Severity
    count: int
    """Rows concerned."""
    total: int
    """Rows looked at: no number without its denominator."""
    values: dict[str, Any] = field(default_factory=dict)
    """Numbers and words that fill the message."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Up to three real rows: id, split, text, and what was found in them."""
    hits: list[Hit] = field(default_factory=list, repr=False, compare=False)
    """Every place, for the page and the row file; not part of findings.jsonl."""


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """unusable: a finding blocks; fixable: there are warnings; trainable: nothing stands against training."""
    severities = {finding.severity for finding in findings}
    return "unusable" if "block" in severities else "fixable" if "warn" in severities else "trainable"


def write_findings(path: Path, findings: list[Finding]) -> None:
    """Worst first."""
    ordered = sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), finding.code))
    write_jsonl(path, ({key: value for key, value in vars(found).items() if key != "hits"} for found in ordered))


def read_findings(path: Path) -> list[Finding]:
    return [Finding(**row) for row in read_jsonl(path)]
