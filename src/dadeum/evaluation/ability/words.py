"""A check of general ability in sentences, for the terminal and the report."""

from __future__ import annotations

from dadeum.core.measured import Measured
from dadeum.core.messages import current_language, text
from dadeum.core.words import percent
from dadeum.evaluation.ability.result import Answered, Change


def sentences(found: Answered, who: str, language: str | None = None) -> list[str]:
    """One model's answers; `who` is tuned, before or base_model."""
    language = language or current_language()
    subjects = ", ".join(
        text(
            "evaluate.ability.of_subject", language,
            subject=subject_name(name, language), right=one.num_right, num=one.num,
        )
        for name, one in found.by_subject.items()
    )  # fmt: skip
    values = {
        "who": text(f"evaluate.ability.who.{who}", language), "num": found.num, "share": percent(found.accuracy.value),
        "interval": _shares(found.accuracy), "chance": percent(found.chance, 0), "gap": _signed(found.gap.value),
    }  # fmt: skip
    lines = [
        text("evaluate.ability.answered", language, **values),
        text("evaluate.ability.subjects", language, subjects=subjects),
    ]
    return [*lines, text("evaluate.ability.at_chance.one", language)] if found.at_chance else lines


def change_sentences(change: Change, other: str, language: str | None = None) -> list[str]:
    """The tuned model against `other` (before or base_model); the verdict first."""
    language = language or current_language()
    who = text(f"evaluate.ability.who.{other}", language)
    verdict = "at_chance.change" if change.at_chance else f"verdict.{change.verdict}"
    limit = round(100 * change.tolerance)
    lines = [
        text(f"evaluate.ability.{verdict}", language, who=who, limit=limit),
        text(
            "evaluate.ability.change", language,
            points=_signed(100 * change.accuracy.value, 1), low=_signed(100 * change.accuracy.low, 1),
            high=_signed(100 * change.accuracy.high, 1), lost=change.num_lost, gained=change.num_gained,
            p=f"{change.p_value:.3f}",
        ),
        text(
            "evaluate.ability.gap", language,
            gap=_signed(change.gap.value), low=_signed(change.gap.low), high=_signed(change.gap.high),
        ),
    ]  # fmt: skip
    shrank = change.gap.high < 0 and change.verdict != "worse" and not change.at_chance
    return [*lines, text("evaluate.ability.gap_shrank", language)] if shrank else lines


def subject_name(name: str, language: str | None = None) -> str:
    return text(f"evaluate.ability.subject.{name}", language)


def _shares(found: Measured) -> str:
    """45~61%."""
    return f"{round(100 * found.low)}~{round(100 * found.high)}%"


def _signed(value: float, digits: int = 2) -> str:
    """+0.12, −0.12, 0.00."""
    shown = f"{value:+.{digits}f}"
    return shown[1:] if float(shown) == 0 else shown.replace("-", "−")
