"""What models know beside the data, made ready for the page: a row per model, and right answers by subject."""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.words import MISSING, Words, percent, plain
from dadeum.evaluation.ability.result import Change
from dadeum.evaluation.ability.words import change_sentences, subject_name
from dadeum.evaluation.answers.repair_scores import AbilityScores
from dadeum.evaluation.answers.words import short_name
from dadeum.evaluation.report_words import percent_interval, points, points_interval

_ORDER = ("before", "tuned", "base_model")


@dataclass(frozen=True)
class AbilityRow:
    system: str
    name: Words
    accuracy: str
    interval: Words
    difference: Words
    """tuned − this model."""
    difference_interval: Words


def ability_rows(task: str, found: AbilityScores) -> list[AbilityRow]:
    return [_row(task, system, found) for system in _ORDER if system in found.systems]


def _row(task: str, system: str, found: AbilityScores) -> AbilityRow:
    accuracy, change = found.systems[system].accuracy, found.differences.get(system)
    none = plain(MISSING)
    return AbilityRow(
        system, short_name(task, system), percent(accuracy.value), percent_interval(accuracy),
        points(change.accuracy.value) if change else none, points_interval(change.accuracy) if change else none,
    )  # fmt: skip


def subject_rows(task: str, found: AbilityScores) -> tuple[list[Words], list[tuple[Words, list[str]]]]:
    """Names of the models, and per subject how many each got right."""
    order = [system for system in _ORDER if system in found.systems]
    subjects = found.systems["tuned"].by_subject
    rows = [
        (
            Words(subject_name(name, "ko"), subject_name(name, "en")),
            [f"{one.num_right}/{one.num}" for one in (found.systems[system].by_subject[name] for system in order)],
        )
        for name in subjects
    ]
    return [short_name(task, system) for system in order], rows


def ability_words(found: AbilityScores) -> list[Words]:
    """Against the given weights where there are any, else against the untuned model; the verdict first."""
    other = next((name for name in ("before", "base_model") if name in found.differences), "")
    return _both(found.differences[other], other) if other else []


def _both(change: Change, other: str) -> list[Words]:
    korean, english = (change_sentences(change, other, language) for language in ("ko", "en"))
    return [Words(*pair) for pair in zip(korean, english, strict=True)]
