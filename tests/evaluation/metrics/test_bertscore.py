"""BERTScore by hand, on a tiny random encoder, and beside what unrelated texts get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from dadeum.core.messages import LANGUAGES, catalogue
from dadeum.evaluation.metrics import bertscore
from dadeum.evaluation.metrics._encoder import load_encoder
from tests.evaluation.metrics.summarizing import summarized

WORDS = ["고양이", "강아지", "밥", "물", "먹었다", "잤다", "어제", "오늘"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("encoder")
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    BertTokenizerFast(vocab=vocabulary, do_lower_case=False, strip_accents=False).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=16,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return str(folder)


def test_greedy_matching_by_hand() -> None:
    first, second = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert bertscore.f1(np.array([first]), np.array([first, second])) == pytest.approx(2 / 3)
    half = np.array([0.6, 0.8])
    assert bertscore.f1(np.array([first, half]), np.array([second])) == pytest.approx(2 * 0.4 * 0.8 / 1.2)
    assert bertscore.f1(np.zeros((0, 2)), np.array([first])) == 0


def test_the_layer_and_the_tokens_are_those_of_the_model(model: str) -> None:
    encoder = load_encoder(model)
    assert encoder.layer == 3
    (vectors,) = encoder.tokens(["고양이 밥 먹었다"])
    assert vectors.shape == (3, 32)  # without [CLS] and [SEP]
    given = torch.tensor([[2, 5, 7, 9, 3]])
    with torch.inference_mode():
        states = BertModel.from_pretrained(model).eval()(given, output_hidden_states=True).hidden_states[3][0, 1:4]
    wanted = torch.nn.functional.normalize(states, dim=-1).numpy()
    assert vectors == pytest.approx(wanted, abs=1e-5)


def test_padding_changes_nothing(model: str) -> None:
    load_encoder.cache_clear()
    (alone,) = load_encoder(model).tokens(["고양이 밥"])
    load_encoder.cache_clear()
    together = load_encoder(model).tokens(["고양이 밥", "어제 강아지 물 먹었다 오늘 잤다"])[0]
    assert together == pytest.approx(alone, abs=1e-5)


def test_equal_answers_get_one_and_chance_stands_beside(model: str) -> None:
    references = [["고양이 밥 먹었다"], ["어제 강아지 잤다"], ["오늘 물"]]
    asked = summarized([*(row[0] for row in references[:2]), ""], references, bertscore_model=model)
    found = bertscore.per_row(asked)
    assert found == pytest.approx([1, 1, 0], abs=1e-5)
    (notice,) = bertscore.notices(asked)
    assert notice.values["layer"] == 3
    assert float(notice.values["chance"]) < 0.9
    for language in LANGUAGES:
        assert "3" in catalogue(language)[notice.key].format(**notice.values)


def test_long_texts_are_cut_and_said_so(model: str) -> None:
    asked = summarized(["고양이 " * 30, "강아지"], [["고양이"], ["강아지"]], bertscore_model=model)
    cut = bertscore.notices(asked)[-1]
    assert cut.values == {"name": model, "num": 1, "total": 4, "limit": 16}


def test_without_a_model_there_is_no_figure(tmp_path: Path) -> None:
    assert np.isnan(bertscore.per_row(summarized(["밥"]))).all()
    assert bertscore.notices(summarized(["밥"])) == []
    (notice,) = bertscore.notices(summarized(["밥"], bertscore_model=str(tmp_path / "none")))
    assert notice.key == "evaluate.metrics.bertscore.no_model"
    assert np.isnan(bertscore.per_row(summarized(["밥"], bertscore_model=str(tmp_path / "none")))).all()
