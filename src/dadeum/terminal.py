"""What the command line shows: progress bars with the time left, tables, one clear sentence for an error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn

from dadeum.core.errors import DadeumError, Problems
from dadeum.core.findings import Finding
from dadeum.core.messages import catalogue, current_language, text
from dadeum.core.recipe import Recipe

if TYPE_CHECKING:
    from dadeum.planning import Plan

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Bars:
    """One bar per kind of work; on a pipe, a line at every quarter instead."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, TaskID] = {}
        self.quarters: dict[str, int] = {}
        self.started: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
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
        shares = ", ".join(f"{label} {count:,}" for label, count in sorted(labels.items()))
        say("plan.split", split=split, total=sum(labels.values()), labels=shares)
    for reason, count in sorted(plan.removed.items(), key=lambda item: -item[1]):
        say("plan.reason", count=count, reason=_word(f"data.reason.{reason}", reason))
    if plan.lengths:
        say("plan.lengths", **asdict(plan.lengths))
    for stage in plan.stages:
        memory = "plan.unknown" if stage.memory_mb is None else "plan.gib"
        seconds = "plan.unknown" if stage.seconds is None else "plan.minutes"
        say(
            "plan.stage",
            name=stage.name,
            steps=stage.steps,
            tokens=stage.tokens,
            memory=text(memory, gib=(stage.memory_mb or 0) / 1024),
            time=text(seconds, minutes=max(1.0, (stage.seconds or 0) / 60)),
        )
    for note in plan.notes:
        out.print(note, markup=False, soft_wrap=True)
    if plan.rows_in:
        show_findings(plan.findings)
    if plan.problems:
        raise plan.problems[0] if len(plan.problems) == 1 else Problems(plan.problems)
    say("plan.ready")


def show_findings(findings: list[Finding]) -> None:
    """One line per finding, worst first; its effect and what to do under it."""
    if not findings:
        say("plan.no_findings")
    for finding in findings:
        values = {"count": finding.count, "total": finding.total} | finding.values
        title = text(f"checks.{finding.name}.title", **values)
        severity = text(f"plan.{finding.severity}")
        say("plan.finding", severity=severity, code=finding.code, title=title, count=finding.count, total=finding.total)
        if finding.severity != "info":
            for part in ("effect", "action"):
                out.print(f"    {text(f'checks.{finding.name}.{part}', **values)}", markup=False, soft_wrap=True)


def _word(key: str, otherwise: str) -> str:
    """A catalogue entry where there is one: reasons of `clean` steps carry their own names."""
    return catalogue(current_language()).get(key, otherwise)
