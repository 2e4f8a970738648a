"""Minimum Bayes risk: of several answers the one that is most like all others, without knowing the right one.

Candidates stand for what may be right; the one with the highest mean likeness to the others risks least. Source:
Kumar & Byrne 2004; with drawn candidates Eikema & Aziz 2020 (https://arxiv.org/abs/2005.10283).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dadeum.core.rouge import rouge_many

Utility = Callable[[str, str], float]
"""How good the first text would be if the second were right."""
_SMALL = 1e-9
"""Means that differ by less are equal: which of them rounding favours says nothing."""


def choose(candidates: Sequence[str], utility: Utility | None = None) -> int:
    """Place of the chosen candidate, the earliest of equals; without `utility` by mean ROUGE over morphemes.

    By hand: utilities ab .9, ac .5, bc .7 (the same both ways) give means a .7, b .8, c .6: b. Of two candidates the
    first, where utility is the same both ways: a choice needs three.
    """
    if utility is None:
        return choose_all([candidates])[0]
    return _best([[utility(one, other) for at, other in enumerate(candidates) if at != place]
                  for place, one in enumerate(candidates)])  # fmt: skip


def choose_all(several: Sequence[Sequence[str]]) -> list[int]:
    """`choose` by ROUGE for many prompts, all texts read in one go; ValueError for a prompt without candidates."""
    answers = [one for candidates in several for one in candidates]
    others = [_others(candidates, place) for candidates in several for place in range(len(candidates))]
    rated = iter(rouge_many(answers, others))
    return [_best([[each.mean for each in next(rated)] for _ in candidates]) for candidates in several]


def _others(candidates: Sequence[str], place: int) -> list[str]:
    """All but the one at this place: what was drawn twice counts twice, since it is twice as likely."""
    return [*candidates[:place], *candidates[place + 1 :]]


def _best(utilities: Sequence[Sequence[float]]) -> int:
    if not utilities:
        raise ValueError("nothing to choose from")
    means = [sum(each) / max(len(each), 1) for each in utilities]
    return next(place for place, mean in enumerate(means) if mean >= max(means) - _SMALL)
