"""What made data is like, in figures: balance, variety, beginnings, near duplicates, speech level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from dadeum.core.korean import masked
from dadeum.core.speech import analyse, overall
from dadeum.data.builders.made_topics import MadeRow
from dadeum.data.similar.duplicates import near_copies

SIMILARITY = 0.9
"""The doctor's own: the default of data.near_duplicate_similarity."""
_DIGITS = 4


def quality(rows: Sequence[MadeRow]) -> dict[str, Any]:
    """Shares are of all answers, distinct-n of all their words (divided at spaces)."""
    answers = [turn for row in rows for turn in row.turns[1::2]]
    words = [answer.split() for answer in answers]
    categories = Counter(row.category for row in rows)
    start, times = Counter(found[0] for found in words).most_common(1)[0]
    levels = Counter(overall(analysis.sentences) for analysis in analyse(answers))
    return {
        "rows": len(rows),
        "answers": len(answers),
        "categories": dict(sorted(categories.items())),
        # Of the smallest category to the largest: 1 is even.
        "balance": share(min(categories.values()), max(categories.values())),
        "distinct_1": distinct([(word,) for found in words for word in found]),
        "distinct_2": distinct([pair for found in words for pair in pairwise(found)]),
        "commonest_start": start,
        "commonest_start_share": share(times, len(answers)),
        "distinct_starts": len({found[0] for found in words}),
        "distinct_prompts": len({row.turns[:-1] for row in rows}),
        "distinct_answers": len(set(answers)),
        # Numbers and names masked: how many of them are more than other figures in the same sentence.
        "distinct_masked": len({masked(answer) for answer in answers}),
        "near_duplicates": len(near_copies([row.said for row in rows], SIMILARITY)),
        "speech_levels": {level: share(count, len(answers)) for level, count in levels.most_common()},
    }


def distinct(parts: Sequence[tuple[str, ...]]) -> float:
    return share(len(set(parts)), len(parts))


def share(part: float, whole: int) -> float:
    return round(part / whole, _DIGITS) if whole else 0.0
