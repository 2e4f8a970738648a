"""Numbers and names of a summary that do not stand in the dialogue: what a reader cannot forgive.

A figure is the share of summaries with at least one. Numbers are compared by value (3만 5천 is 35,000, 15시 is 오후
3시), names letter by letter, so a name written in other letters (Jimmy, 지미) counts as new. Nobody's summary is at 0:
compare with what people's own get. A right number in the wrong place is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from dadeum.core.examples import Example
from dadeum.core.findings import Span
from dadeum.core.korean import MASK, nfc
from dadeum.core.korean_names import people
from dadeum.core.korean_quantities import quantities, values
from dadeum.core.morphemes import MASKED, morphemes
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._references import Better
from dadeum.evaluation.metrics._texts import tidy
from dadeum.evaluation.scores import Notice

TASKS = ("summarize",)
FIGURES: dict[str, Better] = {"unsupported_numbers": "lower", "unsupported_names": "lower"}

_SPEAKER = re.compile(r"^\s*([^:\n]{1,30}):", re.MULTILINE)
_EXAMPLES = 3


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """1 where there is one, 0 where there is none; an empty summary makes nothing up."""
    texts = [tidy(answer) for answer in asked.answers]
    morphemes([*texts, *(nfc(row.text) for row in asked.rows)])  # all in one go
    pairs = list(zip(texts, asked.rows, strict=True))
    return {
        "unsupported_numbers": np.array([float(bool(numbers(text, row.text))) for text, row in pairs]),
        "unsupported_names": np.array([float(bool(names(text, row.text))) for text, row in pairs]),
    }


def notices(asked: Asked) -> list[Notice]:
    """The first of each kind, as they stand."""
    found = []
    for kind, of in (("numbers", numbers), ("names", names)):
        shown = list(_shown(asked.answers, asked.rows, of))
        if shown:
            given: dict[str, str | int | float] = {"num": len(shown), "total": len(asked.rows)}
            found.append(
                Notice(
                    key=f"evaluate.metrics.unsupported.{kind}", values=given | {"found": "; ".join(shown[:_EXAMPLES])}
                )
            )
    return found


def _shown(answers: list[str], rows: list[Example], of: Callable[[str, str], list[Span]]) -> list[str]:
    """Per summary that has some: the row and the words."""
    shown = []
    for answer, row in zip(answers, rows, strict=True):
        text = tidy(answer)
        if spans := of(text, row.text):
            shown.append(f"{row.id} {', '.join(dict.fromkeys(text[span.start : span.end] for span in spans))}")
    return shown


def numbers(answer: str, source: str) -> list[Span]:
    """Numbers that the source does not say; how many people speak in it counts as said."""
    source = nfc(source)
    said = values(source) | {float(num) for num in (len(set(_SPEAKER.findall(source))), len(set(MASK.findall(source))))}
    return [Span(each.start, each.end, "number") for each in quantities(answer) if not each.is_among(said)]


def names(answer: str, source: str) -> list[Span]:
    """Proper names, words in Latin letters and masks that the source does not have."""
    source = nfc(source).casefold()
    found = [
        Span(word.start, word.end, "name")
        for word in morphemes([answer])[0]
        if _is_name(word.tag, word.form) and word.form.casefold() not in source
    ]
    seen = {place for span in found for place in range(span.start, span.end)}
    people_too = [span for span in people(answer) if answer[span.start : span.end].casefold() not in source]
    return sorted([*found, *(Span(span.start, span.end, "name") for span in people_too if span.start not in seen)])


def _is_name(tag: str, form: str) -> bool:
    return tag == MASKED or (tag in ("NNP", "SL") and len(form) > 1)
