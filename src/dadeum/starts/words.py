"""An examination in sentences: verdict, reasons, figures beside those of the base, what limits them."""

from __future__ import annotations

from dadeum.core.measured import Measured
from dadeum.core.messages import current_language, text
from dadeum.core.words import percent
from dadeum.starts.result import Reason, Side, Starts


def sentences(found: Starts, language: str | None = None) -> list[str]:
    """In `ko` or `en`; the verdict first."""
    language = language or current_language()
    lines = [text(f"starts.verdict.{found.verdict}", language, num=found.num_prompts)]
    lines += [reason_sentence(reason, language) for reason in found.reasons]
    if found.verdict != "healthy" and any(reason.taught for reason in found.reasons):
        lines.append(text("starts.taught", language))
    lines += _side(found.model, "model", language)
    if found.base:
        lines.append(text(f"starts.base.{found.base_verdict}", language))
        lines += _side(found.base, "base", language)
    if found.divergence is not None:
        lines.append(text("starts.divergence", language, bits=f"{found.divergence:.2f}"))
    if found.level_drift is not None:
        lines.append(text(f"starts.drift.{found.level_reference}", language, share=percent(found.level_drift, 0)))
    return lines + [text(notice.key, language, **notice.values) for notice in found.notices]


def reason_sentence(reason: Reason, language: str) -> str:
    values = {"share": percent(reason.value, 0), "limit": percent(reason.limit, 0), **reason.values}
    said = text(f"starts.reason.{reason.signal}", language, **values)
    return said if reason.sure else f"{said} {text('starts.unsure', language)}"


def _side(side: Side, who: str, language: str) -> list[str]:
    first, answers = side.first, side.answers
    word = answers.first_word
    values = {
        "top": first.top, "top_share": percent(first.top_probability, 0), "entropy": f"{first.entropy:.1f}",
        "own": f"{first.own_entropy:.1f}", "dependence": f"{first.dependence:.2f}", "marks": _share(answers.marks),
        "boilerplate": _share(answers.boilerplate), "empty": _share(answers.empty), "loops": _share(answers.loops),
        "word": word.text if word else "–", "word_share": percent(word.share.value, 0) if word else "–",
        "num": answers.num,
    }  # fmt: skip
    return [
        text(f"starts.first.{who}", language, **values),
        text(f"starts.answers.{who}", language, **values),
    ]


def _share(found: Measured) -> str:
    """14% (8 ~ 20%)."""
    return f"{percent(found.value, 0)} ({round(100 * found.low)}~{round(100 * found.high)}%)"
