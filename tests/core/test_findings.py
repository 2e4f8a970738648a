from __future__ import annotations

from pathlib import Path

from dadeum.core.findings import Finding, read_findings, write_findings

INFO = Finding("DA900", "lengths", "info", 3, 10)
WARN = Finding("DA102", "imbalance", "warn", 9, 10, {"label": "차단", "ratio": 9.0})
BLOCK_LATE = Finding("DA301", "split_leakage", "block", 2, 10, rows=[{"id": "a:1", "text": "김민수님\u2028안내"}])
BLOCK_EARLY = Finding("DA201", "single_class", "block", 10, 10)


def test_findings_come_back_worst_first(tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    write_findings(path, [INFO, WARN, BLOCK_LATE, BLOCK_EARLY])
    assert read_findings(path) == [BLOCK_EARLY, BLOCK_LATE, WARN, INFO]


def test_no_findings_is_an_empty_file_and_not_an_error(tmp_path: Path) -> None:
    write_findings(tmp_path / "findings.jsonl", [])
    assert (tmp_path / "findings.jsonl").read_text() == ""
    assert read_findings(tmp_path / "findings.jsonl") == []
