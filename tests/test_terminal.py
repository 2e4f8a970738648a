"""A diagnosis in the terminal: one screen, worst first, plain text on a pipe, nothing that moves the cursor."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from dadeum import terminal
from dadeum.core.examples import Example
from dadeum.core.findings import Finding, Hit
from dadeum.core.messages import Message
from dadeum.data.context import Context
from dadeum.data.corpus import Corpus, FileFacts
from dadeum.data.doctor import Diagnosis


def diagnosis(findings: list[Finding], num_unread: int = 0) -> Diagnosis:
    row = Example("mail:1", "mail", "", "", "광고", [{"role": "user", "content": "광고"}], [], "스팸")
    context = Context({"train": [row] * 9, "validation": [], "test": [row]}, task="decide")
    facts = FileFacts("mail", "mail.csv", "table", "csv", "utf-8", "", 10, num_unread, {"text": "제목"}, "광고", row)
    corpus = Corpus("decide", context.splits, [facts], notes=[Message("page.units.rows", {"num": 77})])
    return Diagnosis(corpus, context, findings, 43, 1.2, [Message("page.units.rows", {"num": 88})])


def found(severity: str, number: int, **values: object) -> Finding:
    finding = {"lacking": "train(스팸 100%)", "present": "스팸 22113"} | values
    return Finding(f"DA2{number:02}", "single_class", severity, 9, 10, finding, hits=[Hit(0)])  # type: ignore[arg-type]


def screen(monkeypatch: pytest.MonkeyPatch, given: Diagnosis, is_terminal: bool = False) -> str:
    written = io.StringIO()
    console = Console(file=written, width=100, force_terminal=is_terminal, highlight=False)
    monkeypatch.setattr(terminal, "out", console)
    terminal.show_diagnosis(given, Path("run/findings.html"))
    return written.getvalue()


def test_the_verdict_comes_first_and_the_page_last(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = screen(monkeypatch, diagnosis([found("block", 1), found("info", 2)])).splitlines()
    assert lines[0] == "이대로는 학습할 수 없습니다."
    assert lines[1].startswith("10행 · 분류와 판단 · 학습 9, 시험 1 · 검사 43가지 · 1.2초")
    assert lines[2] == "mail.csv: 표 (글과 라벨), csv, 10행"
    assert lines[3] == "77건"
    assert lines[5].startswith("차단 DA201 라벨이 하나뿐이거나 빠졌습니다: train(스팸 100%).")
    assert lines[6].lstrip().startswith("→ ")
    assert lines[-2:] == ["88건", "행까지 모두 보기: run/findings.html"]


def test_many_findings_stay_on_one_screen_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [found("block", 1), *(found("warn", number) for number in range(2, 40)), found("info", 40)]
    text = screen(monkeypatch, diagnosis(findings))
    assert 30 <= len(text.splitlines()) <= terminal.MAX_SCREEN_LINES
    shown = text.count("경고 DA2")
    assert f"그 밖에 경고 {38 - shown}가지, 참고 1가지" in text


def test_what_blocks_is_shown_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    text = screen(monkeypatch, diagnosis([found("block", number) for number in range(60)]))
    assert text.count("차단 DA2") == 60


def test_nothing_found_and_unread_rows_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    text = screen(monkeypatch, diagnosis([], num_unread=3))
    assert "학습에 쓸 수 있습니다." in text
    assert "그중 3행은 읽지 못함" in text
    assert "찾은 문제가 없습니다." in text


def test_colour_only_on_a_terminal_and_data_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = diagnosis([found("block", 1, present="\x1b[2J[red]빨강[/red]\u202e")])
    plain, coloured = screen(monkeypatch, hostile), screen(monkeypatch, hostile, is_terminal=True)
    assert "\x1b" not in plain
    assert "U+001B[2J[red]빨강[/red]U+202E" in plain
    assert "\x1b[1;31m" in coloured
    assert "\x1b[2J" not in coloured


def test_the_second_stage_counts_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a pipe: seconds and what is left of the stage that runs, not of all stages before it."""
    written, clock = io.StringIO(), [0.0]
    monkeypatch.setattr(terminal, "out", Console(file=written, width=100, highlight=False))
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    with terminal.bars() as progress:
        for at, done in ((0, 0), (100, 4), (200, 0), (207, 4)):
            clock[0] = at
            progress("train.progress", done, 4)
    first, second = written.getvalue().splitlines()
    assert " 100 s" in first
    assert " 7 s" in second
