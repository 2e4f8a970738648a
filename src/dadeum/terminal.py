"""What the command line shows: progress bars with the time left, tables, one clear sentence for an error."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn
from rich.table import Table
from rich.text import Text

from dadeum.core.errors import DadeumError, Problems
from dadeum.core.findings import Finding
from dadeum.core.messages import catalogue, current_language, text
from dadeum.core.pages import printable
from dadeum.core.recipe import Recipe
from dadeum.core.words import Words, duration, finding_title, finding_words, wording_or

if TYPE_CHECKING:
    from dadeum.data.doctor import Diagnosis
    from dadeum.planning import Plan, StageCost

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
MAX_SCREEN_LINES = 40
"""A diagnosis stays on one screen; the rest is on its page."""
_COLOURS = {
    "block": "bold red",
    "warn": "yellow",
    "info": "cyan",
    "unusable": "red",
    "fixable": "yellow",
    "trainable": "green",
}


class Told(SystemExit):
    """Ctrl-C after which the user knows already how to go on."""


class Bars:
    """One bar per kind of work; on a pipe, a line at every quarter instead."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, TaskID] = {}
        self.quarters: dict[str, int] = {}
        self.started: dict[str, float] = {}
        self.done: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if done < self.done.get(stage, 0):  # work of the same kind begins anew: the next training stage
            for known in (self.tasks, self.quarters, self.started):
                known.pop(stage, None)
        self.done[stage] = done
        label = catalogue(current_language()).get(stage, stage)
        if not out.is_terminal:
            self._line(stage, label, done, total)
            return
        if stage not in self.tasks:
            self.tasks[stage] = self.progress.add_task(label, total=total)
        self.progress.update(self.tasks[stage], completed=done, total=total)

    def _line(self, stage: str, label: str, done: int, total: int) -> None:
        started = self.started.setdefault(stage, time.monotonic())
        quarter = 4 * done // max(total, 1)
        if self.quarters.get(stage) == quarter or done == 0:
            return
        self.quarters[stage] = quarter
        elapsed = time.monotonic() - started
        left = elapsed / done * (total - done)
        out.print(f"{label} {done}/{total}  {elapsed:.0f} s, {text('cli.left')} {left:.0f} s")


@contextmanager
def bars() -> Iterator[Bars]:
    """Progress bars for the steps inside the block."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn(text("cli.left")),
        TimeLeftColumn(),
    )
    with Progress(*columns, console=out, disable=not out.is_terminal) as progress:
        yield Bars(progress)


def say(key: str, **values: object) -> None:
    """One line in the user's language."""
    out.print(text(key, **values), markup=False, soft_wrap=True)


def show_error(error: DadeumError) -> None:
    """The sentence and, under it, the other language."""
    err.print(str(error), markup=False, style="red" if sys.stderr.isatty() else None, soft_wrap=True)


def prepare_models() -> None:
    """Before anything imports torch: the CPU's safe instructions, and libraries that keep quiet."""
    from dadeum.models.precision import prepare_cpu

    prepare_cpu()
    calm_libraries()


def calm_libraries() -> None:
    """Keep what libraries chatter about out of the terminal; their errors still come through."""
    import logging
    import warnings

    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|peft|torch)\b")
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
    for name in ("transformers", "bitsandbytes"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import datasets.utils.logging as datasets_logging
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    datasets_logging.disable_progress_bar()


def show_plan(recipe: Recipe, plan: Plan) -> None:
    """The plan on one screen; raises its problems, all at once, at the end."""
    say("plan.title", name=recipe.name, base=recipe.model.base)
    used = sum(sum(labels.values()) for labels in plan.used.values())
    if plan.rows_in:
        say("plan.rows", rows_in=plan.rows_in, used=used, removed=sum(plan.removed.values()))
    for split, labels in plan.used.items():
        total = sum(labels.values())
        if set(labels) <= {""}:  # conversations have no labels
            say("plan.unlabelled", split=split, total=total)
            continue
        shares = ", ".join(f"{label} {count:,}" for label, count in sorted(labels.items()))
        say("plan.split", split=split, total=total, labels=shares)
    for reason, count in sorted(plan.removed.items(), key=lambda item: -item[1]):
        say("plan.reason", count=count, reason=_word(f"data.reason.{reason}", reason))
    for step in plan.cleaned:
        if step.changed or step.removed:
            say("plan.clean", step=step.step, changed=step.changed, removed=step.removed)
    if plan.lengths:
        say("plan.lengths", **asdict(plan.lengths))
    for stage in plan.stages:
        _show_stage(stage)
    for note in plan.notes:
        out.print(note, markup=False, soft_wrap=True)
    if plan.rows_in:
        show_findings(plan.findings)
    if plan.problems:
        raise plan.problems[0] if len(plan.problems) == 1 else Problems(plan.problems)
    say("plan.ready")


def _show_stage(stage: StageCost) -> None:
    """Its cost in one line; below it what the figures leave out, and what to change where it does not fit."""
    need = stage.memory.need
    memory = "plan.unknown" if need is None else "plan.gib"
    seconds = "plan.unknown" if stage.seconds is None else "plan.minutes"
    say(
        "plan.stage",
        name=stage.name,
        steps=stage.steps,
        tokens=stage.tokens,
        memory=text(memory, gib=(need.total if need else 0) / 1024),
        time=text(seconds, minutes=max(1.0, (stage.seconds or 0) / 60)),
    )
    for line in [*stage.notes, *stage.memory.lines(stage.name)]:
        out.print(line, markup=False, soft_wrap=True)


def show_findings(findings: list[Finding]) -> None:
    """One line per finding, worst first; its effect and what to do under it."""
    if not findings:
        say("plan.no_findings")
    for finding in findings:
        severity, title = text(f"page.severity.{finding.severity}"), _said(finding_title(finding))
        say("plan.finding", severity=severity, code=finding.code, title=title, count=finding.count, total=finding.total)
        if finding.severity != "info":
            for part in ("effect", "action"):
                words = finding_words(finding, part)
                out.print(f"    {_said(words) if words else ''}", markup=False, soft_wrap=True)


# -- the data doctor ------------------------------------------------------------------------------
def show_diagnosis(diagnosis: Diagnosis, page: Path) -> None:
    """The verdict, what was read, the findings worst first, what was not looked at, and where the rows are."""
    _line(text(f"doctor.verdict.{diagnosis.verdict}"), f"bold {_COLOURS[diagnosis.verdict]}")
    head = [*_read_lines(diagnosis), *map(str, diagnosis.corpus.notes)]
    for line in head:
        _line(line, "dim")
    out.print()
    if not diagnosis.findings:
        say("doctor.screen.nothing")
    # The verdict, three blank lines and the page's path stand around them.
    _show_worst(diagnosis.findings, MAX_SCREEN_LINES - len(head) - len(diagnosis.not_run) - 5)
    out.print()
    for message in diagnosis.not_run:
        _line(str(message), "dim")
    say("doctor.screen.page", path=page)


def _read_lines(diagnosis: Diagnosis) -> list[str]:
    """Rows, task, splits and time in one line, then every file."""
    corpus, language = diagnosis.corpus, current_language()
    task = _said(wording_or(f"doctor.tasks.{corpus.task}", corpus.task))
    splits = ", ".join(f"{text(f'page.splits.{split}')} {len(rows):,}" for split, rows in corpus.splits.items() if rows)
    time_taken, num_rows = duration(diagnosis.seconds).get(language), diagnosis.context.num_rows
    numbers = {"num_rows": num_rows, "num_checks": diagnosis.num_checks}
    lines = [text("doctor.screen.files", task=task, splits=splits, time=time_taken, **numbers)]
    for file in corpus.files:
        format_name = _said(wording_or(f"data.format.{file.format}", file.format))
        values = {"name": file.path, "format": format_name, "container": file.container, "num_rows": file.num_rows}
        key = "doctor.screen.unread" if file.num_unread else "doctor.screen.file"
        lines.append(text(key, num_unread=file.num_unread, **values))
    return lines


def _show_worst(findings: list[Finding], num_lines: int) -> None:
    """As many findings as fit, each with what to do where there is room; how many are left is said."""
    for number, finding in enumerate(findings):
        shown = _finding_block(finding, with_action=finding.severity != "info")
        if _height(shown) > num_lines:
            shown = _finding_block(finding, with_action=False)
        if _height(shown) > num_lines and finding.severity != "block":
            return _say_rest(findings[number:])
        out.print(shown)
        num_lines -= _height(shown)


def _finding_block(finding: Finding, with_action: bool) -> Table:
    block = Table.grid(padding=(0, 1))
    for _ in range(3):
        block.add_column(overflow="fold")
    severity = Text(text(f"page.severity.{finding.severity}"), _COLOURS[finding.severity])
    block.add_row(severity, Text(finding.code, "dim"), Text(_said(finding_title(finding))))
    action = finding_words(finding, "action")
    if with_action and action:
        block.add_row("", "", Text(f"→ {_said(action)}", "dim"))
    return block


def _height(block: Table) -> int:
    return len(out.render_lines(block))


def _say_rest(findings: list[Finding]) -> None:
    counts = Counter(finding.severity for finding in findings)
    said = (text("doctor.screen.counted", severity=text(f"page.severity.{name}"), num=counts[name]) for name in counts)
    say("doctor.screen.more", counts=", ".join(said))


def _said(words: Words) -> str:
    """A sentence in the user's language; what would move the cursor of a terminal is written out."""
    return printable(words.get(current_language()))


def _line(sentence: str, style: str) -> None:
    out.print(Text(printable(sentence), style), soft_wrap=True)


def _word(key: str, otherwise: str) -> str:
    """A catalogue entry where there is one: reasons of `clean` steps carry their own names."""
    return catalogue(current_language()).get(key, otherwise)
