from __future__ import annotations

from dadeum.core.generation import Generation
from dadeum.models.candidates import write_best
from dadeum.models.writing import Written

DRAWN = [
    ["오늘은 비가 왔다.", "#Person1#은 회의를 미뤘다.", "#Person1#은 회의를 내일로 미뤘다."],
    ["고양이가 잔다.", "버스가 늦었다.", "버스가 많이 늦었다."],
]


class Drawing:
    def __init__(self):
        self.asked = []

    def write(self, prompts, limit, batch_size, progress, generation, seed):
        self.asked.append(("write", generation, seed))
        return [Written("하나", True) for _ in prompts]

    def write_candidates(self, prompts, number, limit, batch_size, progress, generation, seed):
        self.asked.append((number, generation, seed))
        return [[Written(text, finished=at > 0) for at, text in enumerate(one)] for one in DRAWN]


def test_the_candidate_most_like_the_others_is_taken_with_how_it_ended():
    engine, generation = Drawing(), Generation(temperature=1.0, candidates=3)
    found = write_best(engine, [[], []], 9, 4, None, generation, seed=3)
    assert [one.text for one in found] == [DRAWN[0][1], DRAWN[1][1]]
    assert all(one.finished for one in found)
    assert engine.asked == [(3, generation, 3)]


def test_one_candidate_is_simply_written():
    engine = Drawing()
    assert [one.text for one in write_best(engine, [[]], 9, 4, None, Generation(beams=2), seed=3)] == ["하나"]
    assert engine.asked == [("write", Generation(beams=2), 3)]
