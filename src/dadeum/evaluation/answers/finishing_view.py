"""The finishing steps made ready for the page: what each changed, and the figures that it moved."""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.words import Words
from dadeum.evaluation.answers.scores import AnswerScores
from dadeum.evaluation.answers.words import change, change_interval, metric_name
from dadeum.evaluation.report_words import say_or


@dataclass(frozen=True)
class GainRow:
    step: str
    name: Words
    num_changed: int
    metric: Words
    value: str
    interval: Words
    outcome: str


def gain_rows(scores: AnswerScores) -> list[GainRow]:
    """Per step the figures that moved and those that the verdict rests on, whether they moved or not."""
    return [
        GainRow(
            found.step, step_name(found.step), found.num_changed, metric_name(metric),
            change(metric, difference.value), change_interval(metric, difference), difference.outcome,
        )
        for found in scores.finishing
        for metric, difference in found.differences.items()
        if metric in scores.counted or difference.value or difference.low or difference.high
    ]  # fmt: skip


def step_name(step: str) -> Words:
    """`drop_repeats` → 되풀이 지우기."""
    return say_or(f"finishing.steps.{step}", step)
