from __future__ import annotations

import pytest

from dadeum.core.stages import Contrastive
from dadeum.training.contrastive.batches import Collate, DistinctBatches, Texts, numbered
from dadeum.training.contrastive.lessons import Asked
from dadeum.training.contrastive.mining import Row

GOLD = [row % 20 for row in range(203)]
LENGTHS = [(gold * 7) % 20 for gold in GOLD]


def batches(epoch: int = 0, seed: int = 1) -> list[list[int]]:
    sampler = DistinctBatches(GOLD, LENGTHS, 8, seed)
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert len(found) == len(sampler)
    return found


def test_every_row_once_and_no_gold_chunk_twice_in_a_batch() -> None:
    found = batches()
    assert sorted(row for batch in found for row in batch) == list(range(203))
    assert all(len({GOLD[row] for row in batch}) == len(batch) for batch in found)
    assert [len(batch) for batch in found] == [8] * 25 + [3]


def test_a_small_corpus_repeats_chunks_and_loses_no_row() -> None:
    found = list(DistinctBatches([0, 0, 0, 1], [1, 1, 1, 1], 2, 0))
    assert sorted(row for batch in found for row in batch) == [0, 1, 2, 3]
    assert [len(batch) for batch in found] == [2, 2]


def test_the_order_hangs_on_seed_and_epoch_alone() -> None:
    assert batches() == batches()
    assert batches() != batches(epoch=1)
    assert batches() != batches(seed=2)


def test_rows_of_like_length_stand_together() -> None:
    def padding(found: list[list[int]]) -> int:
        return sum(max(LENGTHS[row] for row in batch) * len(batch) for batch in found) - sum(LENGTHS)

    assert padding(batches()) < padding([list(range(start, min(start + 8, 203))) for start in range(0, 203, 8)]) * 0.9


@pytest.mark.parametrize(("loss", "num_rows"), [("mnr", 2), ("cosine", 3)])
def test_rows_become_numbers_and_numbers_texts(loss: str, num_rows: int) -> None:
    stage = Contrastive.model_validate({"name": "one", "method": "contrastive", "loss": loss})
    asked = [Asked(name, name, (at,), frozenset({at})) for at, name in enumerate("ab")]
    rows = [Row(asked[0], 0, (1,)), Row(asked[1], 1)]
    columns = numbered(rows, {"a": 0, "b": 1}, stage)
    assert len(columns["question"]) == num_rows
    given = [{name: column[at] for name, column in columns.items()} for at in range(num_rows)]
    read: list[list[str]] = []
    collate = Collate(Texts(["A", "B"], ["x", "y"]), lambda texts: read.append(texts) or {}, loss != "mnr")
    batch = collate(given)
    if loss == "mnr":
        assert read == [["A", "B"], ["x", "y"], ["y", ""]]
        assert batch["label"].tolist() == [[0, 0, 1], [1, 1, -1]]
    else:
        assert read == [["A", "A", "B"], ["x", "y", "y"]]
        assert batch["label"].tolist() == [1.0, 0.0, 1.0]
