"""How answers begin, made ready for the report of a run: verdicts, reasons, a table, first answers side by side.

`dadeum.starts.view` knows one model and its base; a repair has the given weights beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dadeum.core.measured import Measured
from dadeum.core.pages import visible
from dadeum.core.words import MISSING, Html, Words, percent, wording
from dadeum.evaluation.answers.repair_scores import StartScores
from dadeum.evaluation.answers.words import short_name
from dadeum.evaluation.cautions import notice_words
from dadeum.evaluation.report_words import say
from dadeum.starts.result import Common, Starts
from dadeum.starts.view import view
from dadeum.starts.words import reason_sentence


@dataclass(frozen=True)
class ModelStarts:
    """One model: its verdict and why."""

    system: str
    name: Words
    state: str
    said: Words
    reasons: list[Words]


@dataclass(frozen=True)
class StartRow:
    name: Words
    cells: list[tuple[str, str]]
    """Value and its interval, per model."""


def models_of(task: str, found: StartScores) -> list[ModelStarts]:
    """What training went on from first, then what came of it, then the untuned model."""
    return [
        ModelStarts(system, short_name(task, system), starts.verdict, wording(f"starts.page.state.{starts.verdict}"),
                    _reasons(starts))
        for system, starts in _sides(found)
    ]  # fmt: skip


def _sides(found: StartScores) -> list[tuple[str, Starts]]:
    sides = {"before": found.before, "tuned": found.tuned, "base_model": found.base}
    return [(system, starts) for system, starts in sides.items() if starts is not None]


def _reasons(starts: Starts) -> list[Words]:
    said = [Words(*(reason_sentence(reason, language) for language in ("ko", "en"))) for reason in starts.reasons]
    is_taught = any(reason.taught for reason in starts.reasons)
    return [*said, wording("starts.taught")] if is_taught else said


def asked_words(found: StartScores) -> list[Words]:
    """Where the questions come from, and what limits the verdict."""
    kind = "question_file" if found.from_file else "question_test"
    said = [say(f"starts.{kind}", num=found.num_own, file=found.from_file)]
    if found.num_shipped:
        said.append(say("starts.question_more", num=found.num_shipped))
    notices = [*found.notices, *found.tuned.notices]
    return [*said, say("starts.asked"), *(notice_words(notice) for notice in notices)]


# -- figures --------------------------------------------------------------------------------------
def _share(found: Measured) -> tuple[str, str]:
    low, high = round(100 * found.low), round(100 * found.high)
    return percent(found.value, 0), "" if low == high else f"{low}~{high}%"


def _common(found: Common | None) -> tuple[str, str]:
    return (percent(found.share.value, 0), found.text[:40]) if found else (MISSING, "")


_ROWS: tuple[tuple[str, Callable[[Starts], tuple[str, str]]], ...] = (
    ("entropy", lambda found: (f"{found.model.first.entropy:.2f}", "")),
    ("dependence", lambda found: (f"{found.model.first.dependence:.2f}", "")),
    ("top", lambda found: (percent(found.model.first.top_probability, 0), found.model.first.top)),
    ("first_marks", lambda found: _share(found.model.first.marks)),
    ("marks", lambda found: _share(found.model.answers.marks)),
    ("boilerplate", lambda found: _share(found.model.answers.boilerplate)),
    ("warnings", lambda found: _share(found.model.answers.warnings)),
    ("first_word", lambda found: _common(found.model.answers.first_word)),
    ("empty", lambda found: _share(found.model.answers.empty)),
)


def start_rows(found: StartScores) -> list[StartRow]:
    """The figures that tell most; the page has all of them below."""
    return [
        StartRow(wording(f"starts.page.figure.{name}"), [figure(starts) for _, starts in _sides(found)])
        for name, figure in _ROWS
    ]


def all_figures(task: str, found: StartScores) -> dict[str, Any]:
    """What the macro `starts_table` draws, with a column per model; states are those of the tuned model."""
    tuned = view(found.tuned)
    others = {system: view(starts) for system, starts in _sides(found) if system != "tuned"}
    columns = [short_name(task, "tuned"), *(short_name(task, system) for system in others), *tuned["columns"][1:]]
    rows = {
        part: [
            replace(row, cells=[row.cells[0], *(other["rows"][part][place].cells[0] for other in others.values()),
                                *row.cells[1:]])
            for place, row in enumerate(tuned["rows"][part])
        ]
        for part in ("first", "answers")
    }  # fmt: skip
    return {"columns": columns, "rows": rows}


# -- answers --------------------------------------------------------------------------------------
def first_answers(task: str, found: StartScores) -> dict[str, Any]:
    """What the macro `starts_answers` draws: each question with what the models began to write."""
    sides = _sides(found)
    return {
        "answers": [
            {
                "question": visible(question),
                "said": [
                    (short_name(task, system), _text(starts.model.answers.shown[place]))
                    for system, starts in sides
                    if place < len(starts.model.answers.shown)
                ],
            }
            for place, question in enumerate(found.tuned.questions)
        ]
    }


def _text(text: str) -> Html | None:
    return visible(text) if text else None


def plain_answers(found: StartScores) -> list[tuple[str, list[str]]]:
    """The same for Markdown: the question, and the beginnings in the order of the models."""
    sides = _sides(found)
    return [
        (
            question,
            [starts.model.answers.shown[place] for _, starts in sides if place < len(starts.model.answers.shown)],
        )
        for place, question in enumerate(found.tuned.questions)
    ]
