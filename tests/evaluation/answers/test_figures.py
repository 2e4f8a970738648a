from __future__ import annotations

import numpy as np
import pytest

from dadeum.core.measured import Notice
from dadeum.core.stats import Interval
from dadeum.evaluation.answers.figures import MIN_GROUPS, Resampling, metrics_of, outcome_of
from dadeum.evaluation.answers.scores import Comparison, Difference, Outcome
from dadeum.evaluation.answers.standing import counted, standing, verdict_of

ONE_EACH = Resampling([str(number) for number in range(8)], seed=1, samples=400)


def test_a_mean_leaves_out_rows_that_could_not_be_judged() -> None:
    found = ONE_EACH.mean("chrf", np.array([1, 0, np.nan, 1, 0, np.nan, np.nan, 1]))
    assert found is not None
    assert found.value == pytest.approx(3 / 5)
    assert 0 <= found.low < 3 / 5 < found.high <= 1
    assert ONE_EACH.mean("chrf", np.full(8, np.nan)) is None


def test_perplexity_is_the_exponential_of_the_mean_loss() -> None:
    """By hand: losses ln 2 and ln 8 have the mean ln 4."""
    two = Resampling(["a", "b"], seed=1, samples=400)
    losses = np.log([2.0, 8.0])
    found = two.mean("perplexity", losses)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((4, 2, 8))
    loss = two.mean("loss", losses)
    assert loss is not None
    assert loss.value == pytest.approx(np.log(4))


def test_a_difference_is_paired_and_keeps_to_rows_that_both_have() -> None:
    """Rows lie far apart, their differences do not: an unpaired interval would be as wide as the rows."""
    first = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, np.nan, 0.5])
    second = first - 0.05
    second[7] = np.nan
    found = ONE_EACH.difference("chrf", "higher", first, second)
    assert found is not None
    assert found.num_rows == 6
    assert (found.value, found.low, found.high) == pytest.approx((0.05, 0.05, 0.05))
    assert found.outcome == "better"
    assert ONE_EACH.difference("chrf", "higher", first, np.full(8, np.nan)) is None


def test_rows_of_one_group_are_drawn_together() -> None:
    """Ten copies of every row are not ten times the evidence."""
    values = np.array([0.0, 1, 0, 1, 1, 0, 1, 1])
    alone = ONE_EACH.mean("chrf", values)
    copies = np.repeat(values, 10)
    together = Resampling([str(number // 10) for number in range(80)], seed=1, samples=400).mean("chrf", copies)
    apart = Resampling([str(number) for number in range(80)], seed=1, samples=400).mean("chrf", copies)
    assert alone is not None and together is not None and apart is not None
    assert together == alone
    assert apart.high - apart.low < 0.5 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("low", "high", "better", "groups", "expected"),
    [
        (0.1, 0.2, "higher", 6, "better"),
        (0.1, 0.2, "lower", 6, "worse"),
        (-0.2, -0.1, "lower", 6, "better"),
        (-0.2, -0.1, "higher", 6, "worse"),
        (-0.1, 0.2, "higher", 6, "as_good"),
        (0.0, 0.0, "higher", 6, "as_good"),
        (0.1, 0.2, "neither", 6, "different"),
        (0.1, 0.2, "higher", MIN_GROUPS - 1, "undecided"),
    ],
)
def test_what_an_interval_says(low: float, high: float, better: str, groups: int, expected: Outcome) -> None:
    assert outcome_of(Interval((low + high) / 2, low, high), better, groups) == expected  # type: ignore[arg-type]


def test_metrics_are_found_by_their_files_and_the_verdict_comes_first() -> None:
    found = metrics_of("chat")
    assert list(found)[:4] == ["similarity", "chrf", "loss", "perplexity"]
    assert found["repetition"] == "lower"
    assert found["length_ratio"] == "neither"
    assert found["cut_off"] == "lower"
    assert "chrf" not in metrics_of("decide")


# -- standing -------------------------------------------------------------------------------------
def difference(outcome: Outcome) -> Difference:
    return Difference(value=0.1, low=0.1, high=0.1, num_rows=9, outcome=outcome)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({"chrf": "better", "loss": "as_good"}, "better"),
        ({"chrf": "worse", "loss": "as_good"}, "worse"),
        ({"chrf": "better", "loss": "worse"}, "mixed"),
        ({"chrf": "as_good"}, "as_good"),
        ({"chrf": "undecided"}, "undecided"),
        ({"repetition": "better"}, "undecided"),  # form alone decides nothing
        ({}, "undecided"),
    ],
)
def test_only_closeness_to_people_counts(outcomes: dict[str, Outcome], expected: str) -> None:
    assert standing({name: difference(one) for name, one in outcomes.items()}, ["chrf", "loss"]) == expected


def test_an_english_similarity_model_decides_nothing_about_korean() -> None:
    measured = {"similarity", "chrf", "repetition", "loss"}
    assert counted(measured, []) == ["similarity", "chrf"]
    blind = Notice(key="evaluate.metrics.similarity.english_model", values={"name": "minilm-l6"})
    assert counted(measured, [blind]) == ["chrf"]


def test_the_loss_decides_only_where_nothing_was_written() -> None:
    """SmolLM2 on counselling: the loss fell clearly while what it wrote came no closer (a real run)."""
    assert counted({"loss", "perplexity", "chrf"}, []) == ["chrf"]
    assert counted({"loss", "perplexity"}, []) == ["loss"]
    found = {"chrf": difference("as_good"), "loss": difference("better")}
    assert standing(found, counted(found, [])) == "as_good"


@pytest.mark.parametrize(
    ("base_model", "nearest", "expected"),
    [
        ("better", "better", "better"),
        ("better", "as_good", "as_good"),
        ("better", "worse", "mixed"),
        ("as_good", "worse", "worse"),
        ("mixed", "better", "mixed"),
        ("undecided", "better", "undecided"),
        ("better", None, "better"),
        (None, None, "no_baseline"),
    ],
)
def test_the_verdict_needs_both_rivals(base_model: str | None, nearest: str | None, expected: str) -> None:
    named = {"base_model": base_model, "nearest": nearest, "constant": "worse"}
    found = [
        Comparison(baseline=name, differences={}, standing=one)  # type: ignore[arg-type]
        for name, one in named.items()
        if one is not None
    ]
    assert verdict_of(found) == expected
