from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CoSENTLoss,
    CosineSimilarityLoss,
    MatryoshkaLoss,
    MultipleNegativesRankingLoss,
)

from dadeum.core.stages import Contrastive
from dadeum.training.contrastive.losses import NO_CHUNK, EmbeddingLoss, RankedInBatch
from tests.corpora import save_embedder

TEXTS = [
    ["도서관 입장료는 얼마인가요?", "수영장 문은 몇 시에 여나요?", "시장 전화는 몇 번인가요?"],
    ["도서관 입장료는 1천 원입니다.", "수영장 문은 오전 2시에 엽니다.", "시장 전화는 1100번입니다."],
    ["주차장 입장료는 3천 원입니다.", "체육관 문은 오전 4시에 엽니다.", "역사관 전화는 1200번입니다."],
]
ROWS = torch.tensor([[0, 10, 20], [1, 11, 21], [2, 12, 22]])
"""Question, gold chunk, negative: all different."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return SentenceTransformer(str(save_embedder(tmp_path_factory.mktemp("model"))), device="cpu").eval()


def stage(**settings: Any) -> Contrastive:
    return Contrastive.model_validate({"name": "one", "method": "contrastive"} | settings)


def features(model: Any, columns: list[list[str]] = TEXTS) -> list[dict[str, Any]]:
    return [dict(model.preprocess(column)) for column in columns]


def test_by_hand() -> None:
    """Unit vectors in the plane; cosines 1, 0 and 0, 1: two rows of ln(1 + e^(-1/t))."""
    loss = RankedInBatch([[0], [1]], temperature=0.5)
    vectors = torch.eye(2)
    found = loss([vectors, vectors], torch.tensor([[0, 0], [1, 1]]))
    assert float(found) == pytest.approx(math.log(1 + math.exp(-2)))


def test_the_gold_chunk_of_another_row_is_not_taught_as_wrong() -> None:
    """Rows 0 and 1 ask about chunk 7; row 2's negative is chunk 7 again, and row 0 has none."""
    labels = torch.tensor([[0, 7, NO_CHUNK], [1, 7, 4], [2, 5, 7]])
    loss = RankedInBatch([[7], [7, 4], [5]], temperature=1)
    assert loss.counted(labels).int().tolist() == [
        [1, 0, 1, 0, 1, 0],
        [0, 1, 1, 0, 0, 0],
        [1, 0, 1, 0, 1, 0],
    ]


def test_a_repeated_gold_chunk_gets_no_gradient_from_its_own_question() -> None:
    questions = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    chunks = torch.tensor([[0.6, 0.8], [0.6, 0.8]], requires_grad=True)
    RankedInBatch([[3], [3]], 0.1)([questions, chunks], torch.tensor([[0, 3], [1, 3]])).backward()
    assert chunks.grad is not None
    assert torch.equal(chunks.grad, torch.zeros_like(chunks))


def test_without_repetitions_it_is_the_loss_of_sentence_transformers(model: Any) -> None:
    ours = EmbeddingLoss(model, stage(temperature=0.1), [[10], [11], [12]])(features(model), ROWS)
    theirs = MultipleNegativesRankingLoss(model, scale=10)(features(model), None)
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), abs=1e-5)


@pytest.mark.parametrize("name", ["cosent", "cosine"])
def test_losses_on_pairs_are_those_of_sentence_transformers(name: str, model: Any) -> None:
    labels = torch.tensor([1.0, 0.0, 1.0])
    theirs = CoSENTLoss(model, scale=20) if name == "cosent" else CosineSimilarityLoss(model)
    ours = EmbeddingLoss(model, stage(loss=name), [[0]] * 3)
    found = ours(features(model, TEXTS[:2]), labels)
    assert float(found.detach()) == pytest.approx(float(theirs(features(model, TEXTS[:2]), labels).detach()), abs=1e-5)


def test_cosine_is_the_guides_squared_error(model: Any) -> None:
    labels = torch.tensor([1.0, 0.0, 1.0])
    questions, chunks = (torch.tensor(model.encode(column)) for column in TEXTS[:2])
    cosines = torch.nn.functional.cosine_similarity(questions, chunks)
    found = EmbeddingLoss(model, stage(loss="cosine"), [[0]] * 3)(features(model, TEXTS[:2]), labels)
    assert float(found.detach()) == pytest.approx(float(((cosines - labels) ** 2).mean()), abs=1e-5)


def test_matryoshka_is_the_sum_over_dimensions_of_truncated_vectors(model: Any) -> None:
    given = stage(matryoshka=[8, 16], temperature=0.05)
    ours = EmbeddingLoss(model, given, [[10], [11], [12]])(features(model), ROWS)
    inner = MultipleNegativesRankingLoss(model, scale=20)
    theirs = MatryoshkaLoss(model, inner, [32, 16, 8])(features(model), None)
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), abs=1e-4)
    questions, chunks = (
        torch.nn.functional.normalize(torch.tensor(model.encode(one))[:, :8])
        for one in (TEXTS[0], [*TEXTS[1], *TEXTS[2]])
    )
    plain = torch.nn.functional.cross_entropy(questions @ chunks.T / 0.05, torch.arange(3))
    only = RankedInBatch([[10], [11], [12]], 0.05)
    halves = [torch.tensor(model.encode(column))[:, :8] for column in TEXTS]
    assert float(only(halves, ROWS)) == pytest.approx(float(plain), abs=1e-5)


def test_one_step_of_plain_torch(tmp_path: Path) -> None:
    """The same gradient step written out with nothing but the model's vectors."""
    folder = save_embedder(tmp_path)
    models = [SentenceTransformer(str(folder), device="cpu").eval() for _ in range(2)]
    optimizers = [torch.optim.SGD(one.parameters(), lr=0.1) for one in models]
    EmbeddingLoss(models[0], stage(), [[10], [11], [12]])(features(models[0]), ROWS).backward()
    vectors = [models[1](one)["sentence_embedding"] for one in features(models[1])]
    questions, gold, wrong = (one / one.norm(dim=1, keepdim=True) for one in vectors)
    scores = torch.cat([questions @ gold.T, questions @ wrong.T], dim=1) / 0.05
    (scores.logsumexp(1) - scores.diagonal()).mean().backward()
    for optimizer in optimizers:
        optimizer.step()
    for ours, plain in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-6, rtol=1e-5)
