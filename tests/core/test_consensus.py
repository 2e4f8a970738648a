"""Minimum Bayes risk by hand."""

from __future__ import annotations

import pytest

from dadeum.core.consensus import choose, choose_all
from dadeum.core.rouge import rouge

UTILITIES = {("a", "b"): 0.9, ("a", "c"): 0.5, ("b", "c"): 0.7}


def likeness(one, other):
    return 1.0 if one == other else UTILITIES[tuple(sorted((one, other)))]


def test_the_highest_mean_likeness_to_the_others_wins():
    """Means: a (.9 + .5) / 2 = .7, b (.9 + .7) / 2 = .8, c (.5 + .7) / 2 = .6."""
    assert choose(["a", "b", "c"], likeness) == 1
    assert choose(["c", "b", "a"], likeness) == 1


def test_what_was_drawn_twice_counts_twice():
    """Means: a (.9 + .5 + .5) / 3 = .63, b (.9 + .7 + .7) / 3 = .77, c (.5 + .7 + 1) / 3 = .73; a third c: .8."""
    assert choose(["a", "b", "c", "c"], likeness) == 1
    assert choose(["a", "b", "c", "c", "c"], likeness) == 2


def test_equals_are_settled_by_order():
    assert choose(["a", "b"], likeness) == 0
    assert choose(["b", "a"], likeness) == 0
    assert choose(["a"], likeness) == 0


def test_nothing_to_choose_from():
    with pytest.raises(ValueError, match="nothing"):
        choose([])


def test_likeness_is_rouge_over_morphemes_unless_said_otherwise():
    several = [
        ["#Person1#은 회의를 미뤘다.", "비가 온다.", "#Person1#은 내일로 회의를 미뤘다.", ""],
        ["버스가 늦었다.", "버스가 늦었다.", "고양이가 잔다."],
        ["하나"],
    ]
    assert choose_all(several) == [choose(one, lambda a, b: rouge(a, b).mean) for one in several]
    assert choose_all(several)[1:] == [0, 0]
    assert several[0][choose(several[0])].startswith("#Person1#")
    assert choose_all([]) == []
