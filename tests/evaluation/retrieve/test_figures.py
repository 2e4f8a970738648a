from __future__ import annotations

import numpy as np
import pytest

from dadeum.evaluation.answers.figures import Resampling
from dadeum.evaluation.retrieve.figures import Drawing, metrics, per_question, reciprocal
from dadeum.evaluation.retrieve.questions import Asked, Corpus
from dadeum.evaluation.retrieve.scores import SHOWN
from dadeum.retrieval.ranking import NOTHING, Ranking
from tests.evaluation.retrieve.made import chunk


def test_figures_from_places_by_hand() -> None:
    """Right ones at 2 and 3 of two; nothing found of one."""
    found = per_question([[2, 3], []], [2, 1])
    assert found["precision@3"][0] == pytest.approx(2 / 3)
    assert found["recall@3"][0] == 1.0
    assert found["mrr@10"].tolist() == [0.5, 0.0]
    assert found["map@10"][0] == pytest.approx(7 / 12)
    assert found["recall@1"].tolist() == [0.0, 0.0]


def test_reciprocal_ranks_end_at_ten() -> None:
    assert [reciprocal(places) for places in ([1], [4, 6], [10], [11], [])] == [1.0, 0.25, 0.1, 0.0, 0.0]


def test_every_figure_once_those_of_the_first_table_first() -> None:
    assert list(metrics())[: len(SHOWN)] == list(SHOWN)
    assert len(metrics()) == 28
    assert set(metrics()) == set(per_question([[1]], [1]))


def test_all_columns_at_once_are_the_same_bootstrap_as_one_by_one() -> None:
    chance = np.random.default_rng(0)
    groups = [f"g{number}" for number in chance.integers(0, 9, size=40)]
    first, second = chance.random(40), chance.random(40)
    drawing, one_by_one = Drawing(groups, 3, 300), Resampling(groups, 3, 300)
    found = drawing.measured({"a": {"x": first}, "b": {"x": second}})
    for system, values in (("a", first), ("b", second)):
        assert found[system]["x"].model_dump() == pytest.approx(one_by_one.mean("x", values).model_dump())
    difference = drawing.differences({"x": first}, {"x": second}, ["x"])["x"]
    expected = one_by_one.difference("x", "higher", first, second)
    assert difference.low == pytest.approx(expected.low)
    assert difference.high == pytest.approx(expected.high)
    assert (difference.outcome, difference.num_rows) == (expected.outcome, 40)


def test_documents_stand_where_their_best_chunk_does() -> None:
    """Chunks of a, a, b in this order: b is the second document, though the third chunk."""
    corpus = Corpus([chunk(0, 1), chunk(0, 2), chunk(1, 1)])
    by_document, gold = corpus.right(["d01"])
    assert (by_document, gold) == (True, {1})
    ranking = Ranking(np.array([[0, 1, 2, NOTHING]]), np.array([[3.0, 2.0, 1.0, -np.inf]]))
    assert Asked([], corpus, [True], [gold], 0).ranks(ranking) == [[2]]
    assert Asked([], corpus, [False], [frozenset([2])], 0).ranks(ranking) == [[3]]


def test_a_chunk_beside_a_document_is_read_as_its_document() -> None:
    corpus = Corpus([chunk(0, 1), chunk(0, 2), chunk(1, 1)])
    assert corpus.right(["d01", chunk(0, 2).id]) == (True, {0, 1})
