"""Finding: what a check saw, how bad it is, and the rows that show it; stored in findings.jsonl.

The sentences live in `locales/` under `checks.<name>.{title,effect,action}`, filled from `values`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from dadeum.core.run import read_jsonl, write_jsonl

Severity = Literal["block", "warn", "info"]
SEVERITIES: tuple[Severity, ...] = ("block", "warn", "info")


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


def write_findings(path: Path, findings: list[Finding]) -> None:
    """Worst first."""
    ordered = sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), finding.code))
    write_jsonl(path, (asdict(finding) for finding in ordered))


def read_findings(path: Path) -> list[Finding]:
    return [Finding(**row) for row in read_jsonl(path)]
