"""Baselines of summaries: what they choose on training rows, and TextRank by hand and beside networkx."""

from __future__ import annotations

from dataclasses import replace

import networkx
import numpy as np
import pytest

from dadeum.core.examples import Example, answer_of
from dadeum.evaluation.answers.baselines import baseline
from dadeum.evaluation.answers.extractive import central, lead, rank, textrank, turns_of, typical
from tests.evaluation.metrics.summarizing import summary_recipe, summary_row

RECIPE = summary_recipe()


def rows(*pairs: tuple[str, str]) -> list[Example]:
    return [summary_row(RECIPE, number, dialogue, [summary]) for number, (dialogue, summary) in enumerate(pairs)]


def test_lead_takes_as_many_turns_as_do_best_on_training_rows() -> None:
    said = "민수: 내일 서울역에서 만나자.\n영희: 기차표는 미리 샀어.\n민수: 점심은 칼국수로 하자.\n영희: 그래 좋아."
    train = rows(*[(said, "내일 서울역에서 만나고 기차표는 미리 샀다.")] * 3)
    found = lead(train, rows((said, "?"), ("한 줄뿐이다.", "?")))
    assert found.answers == ["\n".join(said.splitlines()[:2]), "한 줄뿐이다."]
    assert found.notices[0].values == {"turns": 2, "num": 3}
    shorter = [replace(row, completion=[{"role": "assistant", "content": "서울역에서 만난다."}]) for row in train]
    assert lead(shorter, train[:1]).notices[0].values["turns"] == 1


def test_turns_are_lines_and_sentences_where_there_is_one_line() -> None:
    assert turns_of("가: 네.\n\n  나: 아니요. 싫어요.  ") == ["가: 네.", "나: 아니요. 싫어요."]
    assert turns_of("비가 왔다. 경기가 취소되었다.") == ["비가 왔다.", "경기가 취소되었다."]
    assert turns_of("") == []


def test_rank_by_hand() -> None:
    """Two turns share both words, the third nothing: x = y = (1-d)/3 + d(x + z/3), z = (1-d)/3 + dz/3."""
    found = rank([["a", "b"], ["a", "b"], ["c", "d"]])
    last = (0.15 / 3) / (1 - 0.85 / 3)
    assert found == pytest.approx([(1 - last) / 2, (1 - last) / 2, last])
    assert found.sum() == pytest.approx(1)
    assert rank([["a"], ["a"]]) == pytest.approx([0.5, 0.5])  # logarithms of 0: no edge
    assert rank([]).shape == (0,)


def test_rank_is_pagerank_of_the_weighted_graph() -> None:
    turns = [list("abcd"), list("abx"), list("cdxy"), list("yz"), list("zq")]
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(turns)))
    for one in range(len(turns)):
        for other in range(one):
            shared = len(set(turns[one]) & set(turns[other]))
            if shared:
                graph.add_edge(one, other, weight=shared / (np.log(len(turns[one])) + np.log(len(turns[other]))))
    wanted = networkx.pagerank(graph, alpha=0.85, weight="weight", tol=1e-12, max_iter=1000)
    assert rank(turns) == pytest.approx([wanted[place] for place in range(len(turns))], abs=1e-6)


def test_the_most_central_turns_come_in_their_order_within_the_room() -> None:
    text = "가: 안녕.\n나: 서울역 기차표 예매했어.\n가: 서울역 기차표 비싸지.\n나: 점심 서울역 근처 식당."
    two = central(text, 40)
    assert two == "나: 서울역 기차표 예매했어.\n가: 서울역 기차표 비싸지."
    assert len(central(text, 1).splitlines()) == 1
    assert central("", 10) == ""


def test_textrank_writes_as_much_as_training_summaries_do() -> None:
    train = rows(("가: 네.", "열 글자 요약입니다"), ("가: 네.", "스무 글자쯤 되는 조금 긴 요약"))
    found = textrank(train, rows(("가: 서울역 기차표.\n나: 서울역 기차표 예매.\n가: 다른 이야기.", "?")))
    room = round(np.mean([len(answer_of(row)) for row in train]))
    assert found.notices[0].values == {"characters": room}
    assert len(found.answers[0]) <= room
    assert found.answers[0]


def test_the_constant_of_summaries_is_the_one_most_like_the_others() -> None:
    train = rows(
        ("a", "주식 시세"),
        ("b", "민수는 영희와 만나기로 합니다."),
        ("c", "철수는 영희와 만나기로 합니다."),
        ("d", "비."),
    )
    found = baseline("summarize", "constant")(train, train[:2])
    assert found.answers == ["민수는 영희와 만나기로 합니다."] * 2
    assert found.notices[0].key == "evaluate.answers.constant_chosen"
    assert found.notices[0].values["num"] == 4
    assert baseline("chat", "constant")(train, train[:1]).answers == ["주식 시세"]  # the first: all differ
    assert typical([], train[:1]).answers == [""]


def test_baselines_without_training_rows_do_not_crash() -> None:
    asked = rows(("가: 네.\n나: 아니요.", "?"))
    for name in ("lead", "textrank"):
        assert baseline("summarize", name)([], asked).answers == ["가: 네."]
