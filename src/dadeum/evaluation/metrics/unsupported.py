"""Numbers and names of a summary (an answer) that do not stand in its dialogue (its chunks): not to be forgiven.

A figure is the share of summaries with at least one. Numbers are compared by value (3만 5천 is 35,000, 15시 is 오후
3시), names letter by letter, so a name written in other letters (Jimmy, 지미) counts as new. Nobody's summary is at 0:
compare with what people's own get. A right number in the wrong place is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from dadeum.core.findings import Span
from dadeum.core.korean import MASK, nfc
from dadeum.core.korean_names import people
from dadeum.core.korean_quantities import quantities, values
from dadeum.core.letters import tidy
from dadeum.core.measured import Notice
from dadeum.core.morphemes import MASKED, morphemes
from dadeum.core.task import Answer
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._grounded import plain_answers, source_of
from dadeum.evaluation.metrics._references import Better

TASKS = ("summarize", "answer")
GROUNDED = True
FIGURES: dict[str, Better] = {"unsupported_numbers": "lower", "unsupported_names": "lower"}

_SPEAKER = re.compile(r"^\s*([^:\n]{1,30}):", re.MULTILINE)
_EXAMPLES = 3


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """1 where there is one, 0 where there is none; an empty summary makes nothing up."""
    texts = [tidy(answer) for answer in plain_answers(asked)]
    sources = [nfc(source_of(asked, row)) for row in asked.rows]
    morphemes([*texts, *sources])  # all in one go
    pairs = list(zip(texts, sources, strict=True))
    return {
        "unsupported_numbers": np.array([float(bool(numbers(*pair))) for pair in pairs]),
        "unsupported_names": np.array([float(bool(names(*pair))) for pair in pairs]),
    }


def notices(asked: Asked) -> list[Notice]:
    """The first of each kind, as they stand."""
    found = []
    area = "grounded" if isinstance(asked.recipe.task, Answer) else "metrics"
    for kind, of in (("numbers", numbers), ("names", names)):
        shown = list(_shown(asked, of))
        if shown:
            given: dict[str, str | int | float] = {"num": len(shown), "total": len(asked.rows)}
            found.append(
                Notice(
                    key=f"evaluate.{area}.unsupported.{kind}", values=given | {"found": "; ".join(shown[:_EXAMPLES])}
                )
            )
    return found


def _shown(asked: Asked, of: Callable[[str, str], list[Span]]) -> list[str]:
    """Per text that has some: the row and the words."""
    shown = []
    for answer, row in zip(plain_answers(asked), asked.rows, strict=True):
        text = tidy(answer)
        if spans := of(text, source_of(asked, row)):
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
