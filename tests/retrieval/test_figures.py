from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from dadeum.core.errors import DataError
from dadeum.retrieval.figures import Figures, _assert_invariants, check_gold, figures, graded

GRADES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), min_size=1).filter(
    lambda one: any(one.values())
)


def one(ranked: str, gold: dict[str, float], k: int) -> dict[str, float]:
    return figures({"q": list(ranked)}, {"q": gold}, [k]).means()


def test_by_hand() -> None:
    # Ranks 2 and 3 of two gold chunks; a grade of 3 and one of 1.
    found = one("xab", {"a": 1.0, "b": 3.0, "c": 0.0}, 3)
    dcg = 1 / np.log2(3) + 3 / np.log2(4)
    assert found == {
        "precision@3": pytest.approx(2 / 3),
        "recall@3": 1.0,
        "f1@3": pytest.approx(0.8),
        "hit@3": 1.0,
        "mrr@3": 0.5,
        "ndcg@3": pytest.approx(dcg / (3 + 1 / np.log2(3))),
        "map@3": pytest.approx(7 / 12),
    }


def test_what_did_not_come_back_counts_as_wrong() -> None:
    found = one("a", {"a": 1.0, "b": 1.0}, 5)
    assert (found["precision@5"], found["recall@5"], found["map@5"]) == (0.2, 0.5, 0.5)
    assert set(one("", {"a": 1.0}, 5).values()) == {0.0}


@given(st.permutations("abcdefgh"), GRADES, st.integers(1, 8))
def test_ndcg_is_that_of_scikit_learn(ranked: list[str], gold: dict[str, float], k: int) -> None:
    truth = np.array([[gold.get(chunk, 0) for chunk in ranked]], dtype=float)
    expected = ndcg_score(truth, -np.arange(len(ranked), dtype=float)[None], k=k)
    assert figures({"q": ranked}, {"q": gold}, [k]).means()[f"ndcg@{k}"] == pytest.approx(expected)


@given(st.lists(st.tuples(st.permutations("abcdefgh"), GRADES), min_size=1, max_size=4))
def test_the_same_as_trec_eval(rows: list[tuple[list[str], dict[str, float]]]) -> None:
    ir_measures = pytest.importorskip("ir_measures", reason="ir-measures is not installed")
    from ir_measures import AP, RR, P, R, Success, nDCG

    found = {str(number): ranked for number, (ranked, _) in enumerate(rows)}
    gold = {str(number): grades for number, (_, grades) in enumerate(rows)}
    run = {question: {chunk: 1 / rank for rank, chunk in enumerate(ranked, 1)} for question, ranked in found.items()}
    names = {P @ 3: "precision", R @ 3: "recall", Success @ 3: "hit", RR @ 3: "mrr", nDCG @ 3: "ndcg", AP @ 3: "map"}
    expected = ir_measures.calc_aggregate(list(names), gold, run)
    ours = figures(found, gold, [3]).means()
    assert {name: pytest.approx(expected[measure]) for measure, name in names.items()} == {
        name: ours[f"{name}@3"] for name in names.values()
    }


def test_the_laws_hold_for_any_ranking() -> None:
    rng = np.random.default_rng(0)
    ids = [f"c{number}" for number in range(30)]
    gold = {f"q{row}": dict.fromkeys(rng.choice(ids, rng.integers(1, 4), replace=False), 1.0) for row in range(200)}
    found = figures({question: list(rng.permutation(ids)[:12]) for question in gold}, gold).per_question
    assert (found["mrr@10"] >= found["recall@1"]).all()
    assert (found["recall@10"] >= found["recall@5"]).all()
    assert found["hit@10"].shape == (200,)


def test_a_broken_law_names_its_question() -> None:
    with pytest.raises(DataError) as caught:
        _assert_invariants(wrong_figures(), np.array([1, 1]), ["좋은 질문", "나쁜 질문"], [1])
    assert "나쁜 질문" in str(caught.value)
    assert "mrr@1 >= recall@1" in str(caught.value)


def wrong_figures() -> Figures:
    """The guide's finding: an MRR under recall@1, which no ranking has."""
    names = ("precision", "recall", "f1", "hit", "ndcg", "map")
    return Figures({f"{name}@1": np.ones(2) for name in names} | {"mrr@1": np.array([1.0, 0.4])})


@pytest.mark.parametrize(
    ("found", "gold", "words"),
    [
        ({"q7": ["a", "b", "a"]}, {"q7": {"a": 1.0}}, ("q7", "a")),
        ({}, {"q7": {"a": 1.0}}, ("q7",)),
        ({"q7": ["a"]}, {"q7": {"a": 0.0}}, ("q7",)),
        ({}, {}, ("0",)),
    ],
)
def test_what_cannot_be_judged_is_named(found: dict, gold: dict, words: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as caught:
        figures(found, gold)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    "grades", [{"없는조각": 1.0}, {}, {"a": 0.0}, {"a": -1.0, "b": 1.0}, {"a": float("nan"), "b": 1.0}]
)
def test_gold_is_checked_before_anything_is_searched(grades: dict[str, float]) -> None:
    with pytest.raises(DataError) as caught:
        check_gold({"q1": {"a": 1.0}, "q2": grades}, ["a", "b"])
    assert "q2" in str(caught.value)
    check_gold({"q1": {"a": 2.0, "elsewhere": 0.0}}, ["a", "b"])


def test_lists_of_ids_become_grades() -> None:
    assert graded({"q": ["a", "b"], "r": {"c": 2.0}}) == {"q": {"a": 1.0, "b": 1.0}, "r": {"c": 2.0}}


def test_intervals_and_paired_differences() -> None:
    gold = {f"q{row}": {"a": 1.0} for row in range(100)}
    good = figures({question: ["a"] for question in gold}, gold, [1])
    weak = figures({question: ["a" if row % 2 else "b"] for row, question in enumerate(gold)}, gold, [1])
    assert weak.interval("recall@1", 0).low < 0.5 < weak.interval("recall@1", 0).high
    assert good.difference(weak, "recall@1", 0).low > 0.3
    assert weak.difference(weak, "recall@1", 0).high == 0
    assert weak.means(np.arange(1, 100, 2))["recall@1"] == 1
